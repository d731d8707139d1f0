"""Trainings and jobs of the local AWS fail, hang and spoil their output as they are told."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.classification_data import (
    archive_members,
    csv_bytes,
    labelled_rows,
    put,
    read,
    trained_classifier,
)
from tests.integration.fault_jobs import start_request
from tests.integration.local_aws_server import ROLE, LocalAwsServer, wait_for_classifier, wait_for_job

if TYPE_CHECKING:
    from nightsort_local.local_aws.control.client import LocalAwsControl

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("control")]


@pytest.fixture(scope="module")
def classifier(aws: LocalAwsServer) -> str:
    return trained_classifier(aws, aws.client("comprehend"), "faults")


def finished_job(aws: LocalAwsServer, classifier: str, name: str, documents: int = 20) -> dict[str, Any]:
    comprehend = aws.client("comprehend")
    request = start_request(aws, classifier, name, documents)
    return wait_for_job(comprehend, comprehend.start_document_classification_job(**request)["JobId"])


def output_lines(aws: LocalAwsServer, job: dict[str, Any]) -> list[bytes]:
    members = archive_members(aws, job["OutputDataConfig"]["S3Uri"])
    return members["predictions.jsonl"].splitlines()


def create(aws: LocalAwsServer, name: str) -> str:
    answer = aws.client("comprehend").create_document_classifier(
        DocumentClassifierName=name,
        DataAccessRoleArn=ROLE,
        LanguageCode="en",
        InputDataConfig={"S3Uri": put(aws, "train.csv", csv_bytes(labelled_rows(12)))},
    )
    return str(answer["DocumentClassifierArn"])


def test_a_job_fails_with_the_message_that_it_is_told(
    aws: LocalAwsServer, control: LocalAwsControl, classifier: str
) -> None:
    control.inject("fail", resource="job", name="batch-00001", message="INTERNAL_ERROR: by order")
    spared = finished_job(aws, classifier, "night-batch-00000")
    failed = finished_job(aws, classifier, "night-batch-00001")
    assert (spared["JobStatus"], failed["JobStatus"]) == ("COMPLETED", "FAILED")
    assert failed["Message"] == "INTERNAL_ERROR: by order"


def test_a_training_ends_as_it_is_told(aws: LocalAwsServer, control: LocalAwsControl) -> None:
    comprehend = aws.client("comprehend")
    control.inject("fail", resource="training", name="broken", message="by order")
    control.inject("warning", resource="training", name="warned", message="be warned")
    broken, warned = (wait_for_classifier(comprehend, create(aws, name)) for name in ("broken", "warned"))
    assert (broken["Status"], broken["Message"]) == ("IN_ERROR", "by order")
    assert (warned["Status"], warned["Message"]) == ("TRAINED_WITH_WARNING", "be warned")
    assert warned["ClassifierMetadata"]["NumberOfLabels"] == 4


def test_a_stuck_job_holds_up_nobody_and_goes_on_when_the_fault_is_cleared(
    aws: LocalAwsServer, control: LocalAwsControl, classifier: str
) -> None:
    comprehend = aws.client("comprehend")
    with control.injected("stuck", resource="job", name="stuck", times=None):
        stuck = [
            comprehend.start_document_classification_job(**start_request(aws, classifier, f"stuck-{n}"))
            for n in range(5)
        ]
        assert finished_job(aws, classifier, "free")["JobStatus"] == "COMPLETED"
        states = [
            comprehend.describe_document_classification_job(JobId=job["JobId"])[
                "DocumentClassificationJobProperties"
            ]["JobStatus"]
            for job in stuck
        ]
        assert states == ["IN_PROGRESS"] * 5
    assert [wait_for_job(comprehend, job["JobId"])["JobStatus"] for job in stuck] == ["COMPLETED"] * 5


def test_a_job_is_stuck_for_a_while(aws: LocalAwsServer, control: LocalAwsControl, classifier: str) -> None:
    control.inject("stuck", resource="job", seconds=0.5)
    job = finished_job(aws, classifier, "slow")
    assert job["JobStatus"] == "COMPLETED"
    assert (job["EndTime"] - job["SubmitTime"]).total_seconds() >= 0.5


def test_a_stuck_training_can_be_stopped(aws: LocalAwsServer, control: LocalAwsControl) -> None:
    comprehend = aws.client("comprehend")
    control.inject("stuck", resource="training")
    arn = create(aws, "stopped")
    while control.faults()[0]["struck"] == 0:
        time.sleep(0.02)
    comprehend.stop_training_document_classifier(DocumentClassifierArn=arn)
    assert wait_for_classifier(comprehend, arn)["Status"] == "STOPPED"


def test_a_completed_job_may_have_no_output(
    aws: LocalAwsServer, control: LocalAwsControl, classifier: str
) -> None:
    control.inject("output_missing")
    job = finished_job(aws, classifier, "missing")
    assert job["JobStatus"] == "COMPLETED"
    with pytest.raises(ClientError, match="NoSuchKey"):
        read(aws, job["OutputDataConfig"]["S3Uri"])


def test_an_archive_may_break_off(aws: LocalAwsServer, control: LocalAwsControl, classifier: str) -> None:
    whole = len(read(aws, finished_job(aws, classifier, "whole", 500)["OutputDataConfig"]["S3Uri"]))
    control.inject("output_truncated", keep=0.25)
    job = finished_job(aws, classifier, "truncated", 500)
    assert len(read(aws, job["OutputDataConfig"]["S3Uri"])) == pytest.approx(whole / 4, rel=0.1)
    with pytest.raises(EOFError):
        archive_members(aws, job["OutputDataConfig"]["S3Uri"])


def numbers(lines: list[bytes]) -> list[int]:
    return [int(json.loads(line)["Line"]) for line in lines]


def test_lines_are_lost_doubled_and_in_another_order(
    aws: LocalAwsServer, control: LocalAwsControl, classifier: str
) -> None:
    control.inject("lost_lines", lines=[0, 7])
    assert numbers(output_lines(aws, finished_job(aws, classifier, "lost"))) == [
        number for number in range(20) if number not in (0, 7)
    ]
    control.inject("doubled_lines", share=0.1)
    doubled = numbers(output_lines(aws, finished_job(aws, classifier, "doubled")))
    assert (len(doubled), len(set(doubled))) == (22, 20)
    control.inject("shuffled_lines")
    shuffled = numbers(output_lines(aws, finished_job(aws, classifier, "shuffled")))
    assert shuffled != sorted(shuffled)
    assert sorted(shuffled) == list(range(20))


def test_lines_are_errors_or_no_json_at_all(
    aws: LocalAwsServer, control: LocalAwsControl, classifier: str
) -> None:
    control.inject("error_lines", lines=[3], code="DOCUMENT_SIZE_EXCEEDED", message="too large")
    control.inject("wrong_lines")
    lines = output_lines(aws, finished_job(aws, classifier, "spoiled"))
    assert len(lines) == 20
    with pytest.raises(UnicodeDecodeError):
        json.loads(lines[0])
    assert json.loads(lines[3]) == {
        "File": "spoiled.txt",
        "Line": 3,
        "ErrorCode": "DOCUMENT_SIZE_EXCEEDED",
        "ErrorMessage": "too large",
    }
    assert numbers(lines[4:]) == list(range(4, 20))


# --- S3 fails inside of a job -------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["s3:ListObjectsV2", "s3:GetObject", "s3:PutObject"])
def test_a_job_outlives_lost_connections_to_s3(
    aws: LocalAwsServer, control: LocalAwsControl, classifier: str, operation: str
) -> None:
    comprehend = aws.client("comprehend")
    request = start_request(aws, classifier, f"shaken-{operation[3:]}")
    fault = control.inject("reset_before", operation=operation, times=4)
    job = wait_for_job(comprehend, comprehend.start_document_classification_job(**request)["JobId"])
    assert job["JobStatus"] == "COMPLETED"
    assert control.struck(fault) == 4


@pytest.mark.parametrize("kind", ["reset_before", "error"])
def test_a_job_without_s3_fails_for_an_internal_error_and_not_for_its_role(
    aws: LocalAwsServer, control: LocalAwsControl, classifier: str, kind: str
) -> None:
    comprehend = aws.client("comprehend")
    request = start_request(aws, classifier, f"cut-off-{kind[:5]}")
    code = {"code": "ServiceUnavailable"} if kind == "error" else {}
    control.inject(kind, operation="s3:GetObject", times=None, **code)
    job = wait_for_job(comprehend, comprehend.start_document_classification_job(**request)["JobId"])
    assert job["JobStatus"] == "FAILED"
    assert job["Message"].startswith("INTERNAL_ERROR: ")
