from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
)

from nightsort_airflow.aws_errors import fail_on_permanent_aws_errors
from nightsort_airflow.exceptions import JobFailedError, NoActiveVersionError


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "says AWS"}}, "StartDocumentClassificationJob")


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AccessDeniedException", "docs/iam/airflow-policy.json"),
        ("ValidationException", "correct the named value"),
        ("InvalidRequestException", "correct the named value"),
        ("ResourceLimitExceededException", "delete versions"),
        ("KmsKeyValidationException", "`kms`"),
        ("UnsupportedLanguageException", "`language`"),
        ("UnrecognizedClientException", "correct the connection"),
        ("NotAuthorizedException", "another region"),
    ],
)
def test_what_no_retry_cures_ends_the_task_and_says_the_remedy(code: str, remedy: str) -> None:
    with pytest.raises(AirflowFailException) as raised, fail_on_permanent_aws_errors("start the job x"):
        raise refused(code)
    assert "Cannot start the job x" in str(raised.value)
    assert "says AWS" in str(raised.value)
    assert remedy in str(raised.value)


def test_what_a_region_does_not_offer_is_not_a_value_of_the_spec() -> None:
    """A scanner of live accounts (icearp/disco-cli) met this message."""
    error = refused("InvalidRequestException")
    error.response["Error"]["Message"] = "UNSUPPORTED_OPERATION: not in this region"
    with pytest.raises(AirflowFailException, match="another region"), fail_on_permanent_aws_errors("start"):
        raise error


def test_missing_credentials_and_bad_parameters_end_the_task_too() -> None:
    for error in (NoCredentialsError(), NoRegionError(), ParamValidationError(report="JobName is missing")):
        with pytest.raises(AirflowFailException, match="Cannot start"), fail_on_permanent_aws_errors("start"):
            raise error


@pytest.mark.parametrize(
    "error",
    [
        refused("ThrottlingException"),
        refused("TooManyRequestsException"),
        refused("InternalServerException"),
        EndpointConnectionError(endpoint_url="http://x"),
    ],
    ids=str,
)
def test_what_passes_by_itself_stays_as_it_is_so_that_airflow_tries_again(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, fail_on_permanent_aws_errors("start"):
        raise error
    assert raised.value is error


@pytest.mark.parametrize(
    "error",
    [
        JobFailedError("The job ended FAILED: x. A retry is next. Job 1"),
        NoActiveVersionError("It has no version. Train it.\nSee the DAG."),
    ],
)
def test_an_expected_failure_is_one_short_line_before_airflow_logs_its_traceback(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(type(error)) as raised, fail_on_permanent_aws_errors("start"):
        raise error
    assert raised.value is error
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("ERROR", str(error).partition(". ")[0] + ".")
    ]


def test_a_refusal_of_aws_has_one_message_and_no_second_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(AirflowFailException) as raised, fail_on_permanent_aws_errors("start the job x"):
        raise refused("AccessDeniedException")
    assert raised.value.__suppress_context__
    (line,) = caplog.messages
    assert line.startswith("Cannot start the job x: An error occurred")
    assert "docs/iam" not in line


def test_what_is_tried_again_by_airflow_alone_is_not_logged_twice(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ClientError), fail_on_permanent_aws_errors("start"):
        raise refused("ThrottlingException")
    assert caplog.messages == []
