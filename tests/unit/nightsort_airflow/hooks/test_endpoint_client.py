from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from nightsort.real_time.endpoint import (
    BusyError,
    EndpointNotInServiceError,
    RefusedDocumentError,
    Serving,
)
from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook
from nightsort_airflow.hooks.endpoint_client import REAL_TIME_CONFIG, EndpointClient
from tests.unit.nightsort_airflow.operators.comprehend.endpoint_answers import ARN, MODEL, described

READER = {"DocumentReadAction": "TEXTRACT_DETECT_DOCUMENT_TEXT", "DocumentReadMode": "SERVICE_DEFAULT"}


@pytest.fixture
def hook() -> ComprehendClassificationHook:
    return ComprehendClassificationHook(aws_conn_id=None, region_name="eu-west-1", config=REAL_TIME_CONFIG)


def test_a_refused_request_is_left_to_the_pace(hook: ComprehendClassificationHook) -> None:
    assert vars(hook.client.meta.config)["retries"]["total_max_attempts"] == 1


@pytest.mark.parametrize(
    ("content", "reader", "sent"),
    [
        ("a text", READER, {"Text": "a text"}),
        (b"%PDF", READER, {"Bytes": b"%PDF", "DocumentReaderConfig": READER}),
        (b"%PDF", None, {"Bytes": b"%PDF"}),
    ],
)
def test_a_text_is_sent_as_text_and_a_file_as_bytes_with_its_reader(
    hook: ComprehendClassificationHook, answers: Any, content: str | bytes, reader: Any, sent: dict[str, Any]
) -> None:
    found = {"Classes": [{"Name": "a", "Score": 0.5}]}
    answers(hook).add_response("classify_document", found, {"EndpointArn": ARN, **sent})
    assert EndpointClient(hook, ARN, reader).classify(content) == found


def refused(hook: Any, answers: Any, code: str, status: int = 400, **members: Any) -> Exception:
    """What the client makes of an answer of AWS; further members are beside the error."""
    script = answers(hook)
    script.add_client_error(
        "classify_document", code, "It said so.", http_status_code=status, modeled_fields=members
    )
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is the question
        EndpointClient(hook, ARN).classify("x")
    return raised.value


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 400),
        ("TooManyRequestsException", 429),
        ("InternalServerException", 500),
        ("ServiceUnavailable", 503),
    ],
)
def test_what_passes_is_busy(
    hook: ComprehendClassificationHook, answers: Any, code: str, status: int
) -> None:
    assert isinstance(refused(hook, answers, code, status), BusyError)


def test_a_lost_connection_is_busy(
    hook: ComprehendClassificationHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = EndpointClient(hook, ARN)

    def lost(**_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="http://x")

    monkeypatch.setattr(hook.client, "classify_document", lost)
    with pytest.raises(BusyError, match="No connection"):
        client.classify("x")


@pytest.mark.parametrize(
    ("aws_code", "members", "code"),
    [
        ("TextSizeLimitExceededException", {}, "TEXT_SIZE_LIMIT_EXCEEDED"),
        ("InvalidRequestException", {"Reason": "INVALID_DOCUMENT"}, "INVALID_DOCUMENT"),
        (
            "InvalidRequestException",
            {"Reason": "INVALID_DOCUMENT", "Detail": {"Reason": "PAGE_LIMIT_EXCEEDED"}},
            "PAGE_LIMIT_EXCEEDED",
        ),
    ],
)
def test_a_document_that_comprehend_refuses_has_its_reason(
    hook: ComprehendClassificationHook, answers: Any, aws_code: str, members: dict[str, Any], code: str
) -> None:
    error = refused(hook, answers, aws_code, **members)
    assert isinstance(error, RefusedDocumentError)
    assert error.code == code


@pytest.mark.parametrize("code", ["AccessDeniedException", "InvalidRequestException"])
def test_what_is_wrong_with_all_documents_is_no_fault_of_one(
    hook: ComprehendClassificationHook, answers: Any, code: str
) -> None:
    assert isinstance(refused(hook, answers, code), ClientError)


def test_an_endpoint_that_is_gone_ends_the_try(hook: ComprehendClassificationHook, answers: Any) -> None:
    error = refused(hook, answers, "ResourceUnavailableException", 404)
    assert isinstance(error, EndpointNotInServiceError)
    assert "a retry goes on" in str(error)


@pytest.mark.parametrize("status", ["IN_SERVICE", "UPDATING"])
def test_it_says_what_it_serves(hook: ComprehendClassificationHook, answers: Any, status: str) -> None:
    described(answers(hook), status, units=3)
    assert EndpointClient(hook, ARN).serving() == Serving(MODEL, 3)


def test_a_state_that_aws_has_no_room_to_tell_is_asked_for_again(
    hook: ComprehendClassificationHook, answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightsort_airflow.hooks.endpoint_client.LOOK_AGAIN_SECONDS", (0, 0))
    script = answers(hook)
    for code, status in (("ThrottlingException", 400), ("InternalServerException", 500)):
        script.add_client_error("describe_endpoint", code, http_status_code=status)
    described(script, "IN_SERVICE", units=3)
    assert EndpointClient(hook, ARN).serving() == Serving(MODEL, 3)
    script.add_client_error("describe_endpoint", "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        EndpointClient(hook, ARN).serving()
    for _ in range(3):
        script.add_client_error("describe_endpoint", "ThrottlingException")
    with pytest.raises(ClientError, match="Throttling"):
        EndpointClient(hook, ARN).serving()


@pytest.mark.parametrize("status", ["CREATING", "FAILED", "DELETING", None])
def test_it_serves_nothing_while_it_does_not_answer(
    hook: ComprehendClassificationHook, answers: Any, status: str | None
) -> None:
    described(answers(hook), status)
    with pytest.raises(
        EndpointNotInServiceError, match=f"The endpoint {(status and f'is {status}') or 'does'}"
    ):
        EndpointClient(hook, ARN).serving()
