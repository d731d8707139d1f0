"""The local AWS fails as it is told to, and a caller sees what AWS's own failures look like."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import aiobotocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from nightsort_local.local_aws.control.client import ControlError, LocalAwsControl
from tests.integration.classification_data import (
    create_request,
    csv_bytes,
    labelled_rows,
    put,
    trained_classifier,
)
from tests.integration.fault_jobs import jobs, start_request
from tests.integration.local_aws_server import (
    CREDENTIALS,
    PATIENCE_SECONDS,
    REGION,
    LocalAwsServer,
    answer_of,
    local_aws,
    wait_for_classifier,
    wait_for_job,
    wait_until,
)

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("control")]

LISTING = "ListDocumentClassifiers"


@pytest.fixture(scope="module")
def classifier(aws: LocalAwsServer) -> str:
    return trained_classifier(aws, aws.client("comprehend"), "faults")


def passes(comprehend: Any) -> bool:
    """Whether a call is answered."""
    try:
        comprehend.list_document_classifiers()
    except ClientError:
        return False
    return True


# --- refused requests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 400),
        ("TooManyRequestsException", 429),
        ("InternalServerException", 500),
        ("ServiceUnavailableException", 503),
        ("ResourceInUseException", 400),
    ],
)
def test_an_error_comes_with_the_status_that_aws_gives_its_code(
    aws: LocalAwsServer, control: LocalAwsControl, code: str, status: int
) -> None:
    control.inject("error", operation=LISTING, code=code, message="by order")
    comprehend = aws.client("comprehend")
    with pytest.raises(ClientError) as caught:
        comprehend.list_document_classifiers()
    answer: Any = caught.value.response
    assert answer["Error"] == {"Code": code, "Message": "by order"}
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == status
    assert comprehend.list_document_classifiers()["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize("mode", ["legacy", "standard"])
@pytest.mark.parametrize(
    ("service", "operation", "code", "status"),
    [
        ("comprehend", LISTING, "ThrottlingException", 429),
        ("comprehend", LISTING, "ThrottlingException", None),
        ("comprehend", LISTING, "TooManyRequestsException", None),
        ("comprehend", LISTING, "InternalServerException", None),
        ("comprehend", LISTING, "ServiceUnavailableException", None),
        ("s3", "s3:ListBuckets", "SlowDown", None),
        ("s3", "s3:ListBuckets", "InternalError", None),
    ],
)
def test_botocore_retries_what_passes_by_itself(
    aws: LocalAwsServer,
    control: LocalAwsControl,
    mode: str,
    service: str,
    operation: str,
    code: str,
    status: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)
    fault = control.inject("error", operation=operation, code=code, status=status)
    client = aws.client(service, retries={"mode": mode, "total_max_attempts": 2})
    answer = client.list_buckets() if service == "s3" else client.list_document_classifiers()
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1
    assert control.struck(fault) == 1


def test_a_refused_start_starts_nothing(
    aws: LocalAwsServer, control: LocalAwsControl, classifier: str
) -> None:
    request = start_request(aws, classifier, "refused")
    control.inject("error", operation="Start*", code="InternalServerException")
    with pytest.raises(ClientError, match="InternalServerException"):
        aws.client("comprehend").start_document_classification_job(**request)
    assert jobs(aws, "refused") == []


def test_a_request_waits_as_long_as_it_is_told_to(aws: LocalAwsServer, control: LocalAwsControl) -> None:
    control.inject("latency", operation=LISTING, seconds=0.3)
    comprehend = aws.client("comprehend")
    begin = time.monotonic()
    comprehend.list_document_classifiers()
    assert time.monotonic() - begin >= 0.3


# --- lost connections ---------------------------------------------------------------------------------------


def test_a_connection_reset_before_the_work_leaves_nothing_done(
    aws: LocalAwsServer, control: LocalAwsControl, classifier: str
) -> None:
    request = start_request(aws, classifier, "lost-before")
    control.inject("reset_before", operation="StartDocumentClassificationJob")
    with pytest.raises(ConnectionClosedError):
        aws.client("comprehend").start_document_classification_job(**request)
    assert jobs(aws, "lost-before") == []


def test_a_connection_reset_after_the_work_leaves_the_job_started(
    aws: LocalAwsServer, control: LocalAwsControl, classifier: str
) -> None:
    request = start_request(aws, classifier, "lost-after")
    control.inject("reset_after", operation="StartDocumentClassificationJob")
    comprehend = aws.client("comprehend")
    with pytest.raises(ConnectionClosedError):
        comprehend.start_document_classification_job(**request)
    (job,) = jobs(aws, "lost-after")
    again = comprehend.start_document_classification_job(**request)
    assert again["JobId"] == job["JobId"]
    assert wait_for_job(comprehend, job["JobId"])["JobStatus"] == "COMPLETED"


def test_what_was_answered_or_lost_in_a_reset_survives_the_death_of_the_server(tmp_path: Any) -> None:
    with local_aws(tmp_path) as aws:
        comprehend = aws.client("comprehend")
        uri = put(aws, "train.csv", csv_bytes(labelled_rows(12)))
        aws.control.inject("reset_after", operation="CreateDocumentClassifier")
        with pytest.raises(ConnectionClosedError):
            comprehend.create_document_classifier(**create_request("lost", uri))
        comprehend.create_document_classifier(**create_request("answered", uri))
        aws.process.kill()
        aws.process.wait()
    with local_aws(tmp_path) as aws:
        comprehend = aws.client("comprehend")
        found = comprehend.list_document_classifiers()["DocumentClassifierPropertiesList"]
        arns = [classifier["DocumentClassifierArn"] for classifier in found]
        assert sorted(arn.rpartition("/")[2] for arn in arns) == ["answered", "lost"]
        assert [wait_for_classifier(comprehend, arn)["Status"] for arn in arns] == ["TRAINED"] * 2
        assert aws.control.faults() == []


def test_a_reset_is_a_tcp_reset(aws: LocalAwsServer, control: LocalAwsControl) -> None:
    control.inject("reset_before", operation=LISTING)
    url = urlsplit(aws.url)
    target = f"X-Amz-Target: Comprehend_20171127.{LISTING}"
    with socket.create_connection((url.hostname, url.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(
            f"POST / HTTP/1.1\r\nHost: {url.netloc}\r\n{target}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
        )
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_aiobotocore_sees_a_reset_as_a_connection_error(
    aws: LocalAwsServer, control: LocalAwsControl
) -> None:
    control.inject("reset_after", operation=LISTING)

    async def call() -> None:
        session = aiobotocore.session.get_session()
        async with session.create_client(
            "comprehend",
            endpoint_url=aws.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}),
        ) as client:
            await client.list_document_classifiers()

    with pytest.raises(EndpointConnectionError):
        asyncio.run(call())


def test_an_answer_can_be_held_back_after_the_work(
    aws: LocalAwsServer, control: LocalAwsControl, classifier: str
) -> None:
    request = start_request(aws, classifier, "held-back")
    control.inject("hang_after", operation="StartDocumentClassificationJob", seconds=30)
    with pytest.raises(ReadTimeoutError):
        aws.client("comprehend", read_timeout=0.5).start_document_classification_job(**request)
    wait_until(lambda: len(jobs(aws, "held-back")) == 1, "the job")


# --- S3 -----------------------------------------------------------------------------------------------------


def test_faults_of_s3_strike_by_operation(aws: LocalAwsServer, control: LocalAwsControl) -> None:
    put(aws, "some/key with blanks/ü.txt", b"content")
    s3 = aws.client("s3")
    control.inject("error", operation="s3:ListObjectsV2", code="InternalError")
    control.inject("error", operation="s3:PutObject", code="SlowDown")
    control.inject("reset_before", operation="s3:GetObject")
    with pytest.raises(ClientError, match=r"InternalError.*ListObjectsV2"):
        s3.list_objects_v2(Bucket="data")
    with pytest.raises(ClientError, match=r"SlowDown.*PutObject"):
        s3.put_object(Bucket="data", Key="new", Body=b"x")
    with pytest.raises(ConnectionClosedError):
        s3.get_object(Bucket="data", Key="some/key with blanks/ü.txt")
    assert s3.head_object(Bucket="data", Key="some/key with blanks/ü.txt")["ContentLength"] == 7
    assert [fault["struck"] for fault in control.faults()] == [1, 1, 1]


def test_a_large_upload_that_is_refused_hears_why(aws: LocalAwsServer, control: LocalAwsControl) -> None:
    put(aws, "first", b"makes the bucket")
    control.inject("error", operation="s3:PutObject", code="SlowDown")
    with pytest.raises(ClientError, match="SlowDown"):
        aws.client("s3").put_object(Bucket="data", Key="large", Body=bytes(20 << 20))


def test_an_upload_whose_answer_is_lost_is_there(aws: LocalAwsServer, control: LocalAwsControl) -> None:
    put(aws, "first", b"makes the bucket")
    control.inject("reset_after", operation="s3:*")
    s3 = aws.client("s3")
    with pytest.raises(ConnectionClosedError):
        s3.put_object(Bucket="data", Key="lost-answer", Body=b"there")
    assert s3.get_object(Bucket="data", Key="lost-answer")["Body"].read() == b"there"


# --- which and how often ------------------------------------------------------------------------------------


def test_a_fault_lets_pass_what_comes_first_and_is_spent_after_its_times(
    aws: LocalAwsServer, control: LocalAwsControl
) -> None:
    control.inject("error", operation="*", code="ThrottlingException", after=2, times=3)
    comprehend = aws.client("comprehend")

    assert [passes(comprehend) for _ in range(7)] == [True, True, False, False, False, True, True]


def test_a_rate_strikes_a_share_and_the_same_calls_each_time(
    aws: LocalAwsServer, control: LocalAwsControl
) -> None:
    comprehend = aws.client("comprehend")

    def calls() -> list[bool]:
        with control.injected("error", operation="*", code="ThrottlingException", times=None, rate=0.3):
            return [passes(comprehend) for _ in range(60)]

    first = calls()
    assert 8 <= first.count(False) <= 28
    assert calls() == first


def test_faults_of_the_environment_hold_from_the_start() -> None:
    faults = [{"kind": "error", "operation": LISTING, "code": "ThrottlingException"}]
    with local_aws(environment={"NIGHTSORT_LOCAL_AWS_FAULTS": json.dumps(faults)}) as aws:
        with pytest.raises(ClientError, match="ThrottlingException"):
            aws.client("comprehend").list_document_classifiers()
        assert [fault["struck"] for fault in aws.control.faults()] == [1]


def test_faults_are_replaced_all_at_once(aws: LocalAwsServer, control: LocalAwsControl) -> None:
    control.inject("latency", operation="*", seconds=9)
    body = {"faults": [{"kind": "reset_before", "operation": "s3:*", "times": None}]}
    answer = answer_of("PUT", f"{aws.url}/_nightsort/faults", json=body)
    assert [fault["kind"] for fault in answer.json()["faults"]] == ["reset_before"]
    assert control.faults() == answer.json()["faults"]


def test_the_behaviour_is_shown_and_changed(control: LocalAwsControl) -> None:
    before = control.behaviour()
    assert before["rate_limits"] is False
    try:
        changed = control.set_behaviour(delays={"job_seconds": 0.5})
        assert changed["delays"]["job_seconds"] == 0.5
        assert control.behaviour() == changed
        with pytest.raises(ControlError, match="job_seconds"):
            control.set_behaviour(delays={"job_seconds": "soon"})
    finally:
        control.set_behaviour(**before)


def test_a_control_page_that_is_not_there_is_answered_with_those_that_are(aws: LocalAwsServer) -> None:
    answer = answer_of("GET", f"{aws.url}/_nightsort/weather")
    assert answer.status_code == 404
    assert "GET /_nightsort/health" in answer.json()["message"]


@pytest.mark.parametrize(
    ("kind", "members", "said"),
    [
        ("explode", {}, r"'error', 'latency'.*'shuffled_lines'"),
        ("error", {"operation": "*"}, "code of error: Field required"),
        ("error", {"operation": "DescribeWeather", "code": "X"}, r"'DescribeWeather' matches no operation"),
        ("latency", {"operation": "s3:Wash", "seconds": 1}, r"'s3:Wash' matches no operation.*s3:GetObject"),
        ("latency", {"operation": "*", "seconds": -1}, "seconds of latency.*greater than or equal to 0"),
        ("fail", {"resource": "endpoint"}, "resource of fail.*'training' or 'job'"),
        ("warning", {"resource": "job"}, "resource of warning.*'training'"),
        (
            "fail",
            {"resource": "job", "operation": "*"},
            "fail has no member 'operation'; its members are.*message",
        ),
        ("lost_lines", {"lines": [1], "share": 0.5}, "give lines or share, not both"),
        ("output_truncated", {"keep": 1}, "keep of output_truncated.*less than 1"),
        ("stuck", {"resource": "job", "rate": 2}, "rate of stuck.*less than or equal to 1"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_with_what_can_be(
    control: LocalAwsControl, kind: str, members: dict[str, Any], said: str
) -> None:
    with pytest.raises(ControlError, match=said):
        control.inject(kind, **members)
    assert control.faults() == []
