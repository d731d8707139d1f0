from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nightsort_airflow.exceptions import (
    ClassifierStateUnknownError,
    JobStateUnknownError,
    TrainingFailedError,
    TrainingTimeLimitError,
    TrainingWarningsError,
)
from nightsort_airflow.hooks.comprehend import (
    WAITER_DELETED,
    WAITER_IN_SERVICE,
    WAITER_JOB_COMPLETE,
    WAITER_TRAINED,
    ComprehendClassificationHook,
)

ARN = "arn:aws:comprehend:eu-west-1:123456789012:document-classifier/c/version/v1"
ROLE = "arn:aws:iam::123456789012:role/ComprehendAccess"
JOB = "0123456789abcdef0123456789abcde"


@pytest.fixture
def hook() -> ComprehendClassificationHook:
    return ComprehendClassificationHook(aws_conn_id=None, region_name="eu-west-1")


def described(status: str, **more: Any) -> dict[str, Any]:
    return {"DocumentClassifierProperties": {"DocumentClassifierArn": ARN, "Status": status, **more}}


def test_the_hook_brings_its_waiters(hook: ComprehendClassificationHook) -> None:
    assert hook.list_waiters() == [WAITER_JOB_COMPLETE, WAITER_TRAINED, WAITER_DELETED, WAITER_IN_SERVICE]


def test_throttled_calls_are_tried_again_with_jitter(hook: ComprehendClassificationHook) -> None:
    assert vars(hook.client.meta.config)["retries"] == {"mode": "standard", "total_max_attempts": 5}


def test_the_callers_configuration_wins_over_the_default() -> None:
    hook = ComprehendClassificationHook(
        aws_conn_id=None, region_name="eu-west-1", config={"retries": {"mode": "adaptive", "max_attempts": 2}}
    )
    assert vars(hook.client.meta.config)["retries"] == {"mode": "adaptive", "total_max_attempts": 3}
    assert vars(hook.client.meta.config)["read_timeout"] == 60


def test_the_connections_configuration_wins_over_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"region_name": "eu-west-1", "config_kwargs": {"retries": {"mode": "legacy", "max_attempts": 1}}}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_IMPATIENT", json.dumps({"conn_type": "aws", "extra": extra}))
    hook = ComprehendClassificationHook(aws_conn_id="aws_impatient")
    assert vars(hook.client.meta.config)["retries"]["mode"] == "legacy"


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn")]
)
def test_the_arn_of_a_version_is_in_the_clients_region_and_the_roles_account(
    region: str, partition: str
) -> None:
    hook = ComprehendClassificationHook(aws_conn_id=None, region_name=region)
    role = f"arn:{partition}:iam::210987654321:role/x"
    expected = f"arn:{partition}:comprehend:{region}:210987654321:document-classifier/c/version/v1-g2"
    assert hook.version_arn(role, "c", "v1-g2") == expected


def test_what_does_not_exist_is_none_and_not_an_error(
    hook: ComprehendClassificationHook, answers: Any
) -> None:
    script = answers(hook)
    script.add_client_error("describe_document_classifier", "ResourceNotFoundException", http_status_code=404)
    script.add_client_error(
        "describe_document_classification_job", "JobNotFoundException", http_status_code=404
    )
    assert hook.describe_classifier(ARN) is None
    assert hook.describe_job(JOB) is None


def test_what_may_not_be_seen_is_an_error_and_not_none(
    hook: ComprehendClassificationHook, answers: Any
) -> None:
    """Taking "not allowed" for "not there" would start a second job."""
    script = answers(hook)
    script.add_client_error("describe_document_classifier", "AccessDeniedException")
    script.add_client_error("describe_document_classification_job", "AccessDeniedException")
    script.add_client_error("list_document_classification_jobs", "AccessDeniedException")
    for call in (
        lambda: hook.describe_classifier(ARN),
        lambda: hook.describe_job(JOB),
        lambda: hook.find_job("n"),
    ):
        with pytest.raises(ClientError):
            call()


def job(number: int, name: str, status: str, minute: int) -> dict[str, Any]:
    submitted = dt.datetime(2026, 11, 18, 2, minute, tzinfo=dt.timezone.utc)
    return {"JobId": f"{JOB}{number}", "JobName": name, "JobStatus": status, "SubmitTime": submitted}


def test_a_job_is_found_by_its_exact_name_on_whatever_page(
    hook: ComprehendClassificationHook, answers: Any
) -> None:
    script = answers(hook)
    name = {"Filter": {"JobName": "night-g1"}}
    listed = "DocumentClassificationJobPropertiesList"
    script.add_response(
        "list_document_classification_jobs",
        {listed: [job(1, "night-g10", "COMPLETED", 1)], "NextToken": "more"},
        name,
    )
    script.add_response(
        "list_document_classification_jobs",
        {listed: [job(2, "night-g1", "IN_PROGRESS", 2)]},
        {**name, "NextToken": "more"},
    )
    found = hook.find_job("night-g1")
    assert found is not None
    assert found["JobId"] == f"{JOB}2"


def test_of_jobs_with_one_name_the_one_that_did_not_fail_is_found_then_the_newest(
    hook: ComprehendClassificationHook, answers: Any
) -> None:
    script = answers(hook)
    jobs = [
        job(1, "night-g1", "COMPLETED", 1),
        job(2, "night-g1", "COMPLETED", 2),
        job(3, "night-g1", "FAILED", 3),
    ]
    script.add_response(
        "list_document_classification_jobs", {"DocumentClassificationJobPropertiesList": jobs}
    )
    found = hook.find_job("night-g1")
    assert found is not None
    assert found["JobId"] == f"{JOB}2"


def test_no_job_of_that_name_is_none(hook: ComprehendClassificationHook, answers: Any) -> None:
    answers(hook).add_response(
        "list_document_classification_jobs", {"DocumentClassificationJobPropertiesList": []}
    )
    assert hook.find_job("night-g1") is None


def test_a_taken_name_is_no_arn_and_other_errors_pass(
    hook: ComprehendClassificationHook, answers: Any
) -> None:
    request = {
        "DocumentClassifierName": "c",
        "DataAccessRoleArn": ROLE,
        "InputDataConfig": {"S3Uri": "s3://bucket/x.csv"},
        "LanguageCode": "en",
        "ClientRequestToken": "t",
    }
    script = answers(hook)
    script.add_client_error("create_document_classifier", "ResourceInUseException")
    script.add_client_error("create_document_classifier", "ResourceLimitExceededException")
    assert hook.create_classifier(request) is None
    with pytest.raises(ClientError, match="ResourceLimitExceeded"):
        hook.create_classifier(request)


@pytest.mark.parametrize("status", ["SUBMITTED", "TRAINING", "STOP_REQUESTED"])
def test_a_training_that_runs_is_running(
    hook: ComprehendClassificationHook, answers: Any, status: str
) -> None:
    answers(hook).add_response("describe_document_classifier", described(status))
    assert hook.training_state(ARN).is_running


@pytest.mark.parametrize("status", ["STOPPED", "IN_ERROR", "DELETING"])
def test_a_training_that_failed_says_why_and_what_to_do(
    hook: ComprehendClassificationHook, answers: Any, status: str
) -> None:
    answers(hook).add_response("describe_document_classifier", described(status, Message="no such bucket"))
    with pytest.raises(TrainingFailedError, match=rf"{status}: no such bucket.*clear the task that creates"):
        hook.require_model(hook.training_state(ARN))


def training(status: str, hours: float, **more: Any) -> dict[str, Any]:
    began = dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=hours)
    return described(status, SubmitTime=began, **more)


LIMIT = dt.timedelta(hours=2)


def test_asking_for_the_state_stops_nothing(hook: ComprehendClassificationHook, answers: Any) -> None:
    """A call that the script does not have fails."""
    answers(hook).add_response("describe_document_classifier", training("TRAINING", 200))
    assert hook.training_state(ARN).is_running


def test_a_training_that_takes_too_long_is_asked_to_stop_once(
    hook: ComprehendClassificationHook, answers: Any
) -> None:
    script = answers(hook)
    script.add_response("describe_document_classifier", training("TRAINING", 1.9))
    hook.enforce_time_limit(hook.training_state(ARN), LIMIT)
    script.add_response("describe_document_classifier", training("TRAINING", 2.1))
    script.add_response("stop_training_document_classifier", {}, {"DocumentClassifierArn": ARN})
    hook.enforce_time_limit(hook.training_state(ARN), LIMIT)
    script.add_response("describe_document_classifier", training("STOP_REQUESTED", 2.1))
    hook.enforce_time_limit(hook.training_state(ARN), LIMIT)


def test_without_a_limit_or_after_its_end_no_training_is_stopped(
    hook: ComprehendClassificationHook, answers: Any
) -> None:
    script = answers(hook)
    script.add_response("describe_document_classifier", training("TRAINING", 200))
    hook.enforce_time_limit(hook.training_state(ARN), None)
    script.add_response("describe_document_classifier", training("TRAINED", 200))
    hook.enforce_time_limit(hook.training_state(ARN), LIMIT)


def test_one_that_was_stopped_so_says_what_to_do(hook: ComprehendClassificationHook, answers: Any) -> None:
    now = dt.datetime.now(dt.timezone.utc)
    script = answers(hook)
    script.add_response("describe_document_classifier", training("STOPPED", 2.1, EndTime=now))
    with pytest.raises(TrainingTimeLimitError, match=r"limit is 2:00:00.*Raise `training_time_limit_hours`"):
        hook.require_model(hook.training_state(ARN), time_limit=LIMIT)
    script.add_response("describe_document_classifier", training("STOPPED", 1.0, EndTime=now))
    with pytest.raises(TrainingFailedError, match="STOPPED"):
        hook.require_model(hook.training_state(ARN), time_limit=LIMIT)


def test_one_that_was_done_before_the_stop_took_hold_is_a_success(
    hook: ComprehendClassificationHook, answers: Any
) -> None:
    answers(hook).add_response("describe_document_classifier", training("TRAINED", 2.1))
    assert hook.require_model(hook.training_state(ARN), time_limit=LIMIT)["Status"] == "TRAINED"


def test_what_is_left_of_the_time_is_never_less_than_nothing(
    hook: ComprehendClassificationHook, answers: Any
) -> None:
    script = answers(hook)
    script.add_response("describe_document_classifier", training("TRAINING", 1.5))
    left = hook.training_state(ARN).time_left(LIMIT)
    assert dt.timedelta(minutes=29) < left <= dt.timedelta(minutes=30)
    script.add_response("describe_document_classifier", training("TRAINING", 5))
    assert hook.training_state(ARN).time_left(LIMIT) == dt.timedelta(0)


def test_warnings_pass_unless_they_are_to_fail(hook: ComprehendClassificationHook, answers: Any) -> None:
    script = answers(hook)
    for _ in range(2):
        script.add_response(
            "describe_document_classifier", described("TRAINED_WITH_WARNING", Message="3 rows skipped")
        )
    passed = hook.require_model(hook.training_state(ARN))
    assert passed["Message"] == "3 rows skipped"
    with pytest.raises(TrainingWarningsError, match=r"3 rows skipped.*training_warnings: accept"):
        hook.require_model(hook.training_state(ARN), fail_on_warnings=True)


def test_states_that_nobody_knows_are_errors(hook: ComprehendClassificationHook, answers: Any) -> None:
    answers(hook).add_response("describe_document_classifier", described("PONDERING"))
    with pytest.raises(ClassifierStateUnknownError, match="PONDERING"):
        hook.training_state(ARN)
    with pytest.raises(JobStateUnknownError, match="PONDERING"):
        hook.job_status({"JobId": JOB, "JobStatus": "PONDERING"})  # type: ignore[typeddict-item]


def test_a_classifier_that_is_gone_failed(hook: ComprehendClassificationHook, answers: Any) -> None:
    answers(hook).add_client_error("describe_document_classifier", "ResourceNotFoundException")
    with pytest.raises(TrainingFailedError, match="train it again"):
        hook.training_state(ARN)


def test_a_wait_in_this_process_ends_without_an_error_whatever_came(
    hook: ComprehendClassificationHook, answers: Any
) -> None:
    script = answers(hook)
    script.add_response("describe_document_classifier", described("TRAINING"))
    script.add_response("describe_document_classifier", described("IN_ERROR"))
    hook.wait(WAITER_TRAINED, 0, 5, DocumentClassifierArn=ARN)
    script.add_response("describe_document_classifier", described("TRAINING"))
    hook.wait(WAITER_TRAINED, 0, 1, DocumentClassifierArn=ARN)


def test_a_wait_in_this_process_says_what_it_waits_for(
    hook: ComprehendClassificationHook,
    answers: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("nightsort_airflow.wait_log.SAY_SECONDS", 0.0)
    script = answers(hook)
    script.add_response("describe_document_classifier", described("TRAINING"))
    script.add_client_error("describe_document_classifier", "TooManyRequestsException")
    script.add_response("describe_document_classifier", described("TRAINED"))
    hook.wait(WAITER_TRAINED, 0, 5, DocumentClassifierArn=ARN)
    said = capsys.readouterr().out
    assert "The training is TRAINING, " in said
