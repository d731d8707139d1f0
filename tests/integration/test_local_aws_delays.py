"""Delays make the local Comprehend take its time as the real one does, and hold up nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.classification_data import (
    create_request,
    csv_bytes,
    labelled_rows,
    put,
    trained_classifier,
)
from tests.integration.comprehend_answers import check_answers
from tests.integration.local_aws_server import (
    ROLE,
    LocalAwsServer,
    local_aws,
    wait_for_classifier,
    wait_for_job,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

ONE_WORKER = {"NIGHTSORT_LOCAL_AWS_WORKERS": "1"}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAwsServer]:
    with local_aws() as server:
        yield server


@pytest.fixture(scope="module")
def training(aws: LocalAwsServer) -> str:
    return put(aws, "training.csv", csv_bytes(labelled_rows(30)))


@pytest.fixture(scope="module")
def classifier(aws: LocalAwsServer, comprehend: Any) -> str:
    return trained_classifier(aws, comprehend, "classifies")


def created(comprehend: Any, name: str, training: str) -> str:
    answer = comprehend.create_document_classifier(**create_request(name, training))
    return str(answer["DocumentClassifierArn"])


def started(comprehend: Any, classifier: str, source: str) -> str:
    answer = comprehend.start_document_classification_job(
        DocumentClassifierArn=classifier,
        InputDataConfig={"S3Uri": source},
        OutputDataConfig={"S3Uri": "s3://data/out"},
        DataAccessRoleArn=ROLE,
    )
    return str(answer["JobId"])


def properties_of(comprehend: Any, arn: str) -> dict[str, Any]:
    answer = comprehend.describe_document_classifier(DocumentClassifierArn=arn)
    properties: dict[str, Any] = answer["DocumentClassifierProperties"]
    return properties


def job_status(comprehend: Any, job_id: str) -> str:
    answer = comprehend.describe_document_classification_job(JobId=job_id)
    return str(answer["DocumentClassificationJobProperties"]["JobStatus"])


class TestTraining:
    def test_it_goes_through_its_states_while_others_work(
        self, comprehend: Any, training: str, slow: Callable[..., None]
    ) -> None:
        slow(profile="realistic")
        arn = created(comprehend, "realistic", training)
        assert properties_of(comprehend, arn)["Status"] == "SUBMITTED"
        slow(submitted_seconds=0)
        wait_until(lambda: properties_of(comprehend, arn)["Status"] == "TRAINING", "TRAINING")
        assert "TrainingStartTime" not in properties_of(comprehend, arn)

        slow(training_seconds=0)
        other = created(comprehend, "at-once", training)
        assert wait_for_classifier(comprehend, other)["Status"] == "TRAINED"
        assert wait_for_classifier(comprehend, arn)["Status"] == "TRAINED"

    def test_its_delay_is_billed(self, comprehend: Any, training: str, slow: Callable[..., None]) -> None:
        slow(submitted_seconds=0.3, training_seconds=0.7)
        properties = wait_for_classifier(comprehend, created(comprehend, "billed", training))
        submitted, start, end, ended = (
            properties[f"{name}Time"].timestamp()
            for name in ("Submit", "TrainingStart", "TrainingEnd", "End")
        )
        assert round(start - submitted, 3) >= 0.3
        assert round(end - start, 3) >= 0.7
        assert ended >= end

    def test_it_can_be_stopped_before_its_work_begins(
        self, comprehend: Any, training: str, slow: Callable[..., None]
    ) -> None:
        slow(training_seconds=3_600, stopping_seconds=3_600)
        in_training = created(comprehend, "stopped-1", training)
        wait_until(lambda: properties_of(comprehend, in_training)["Status"] == "TRAINING", "TRAINING")
        slow(submitted_seconds=3_600)
        submitted = created(comprehend, "stopped-2", training)
        for arn in (in_training, submitted):
            comprehend.stop_training_document_classifier(DocumentClassifierArn=arn)
            assert properties_of(comprehend, arn)["Status"] == "STOP_REQUESTED"
            comprehend.stop_training_document_classifier(DocumentClassifierArn=arn)
            with pytest.raises(comprehend.exceptions.ResourceUnavailableException):
                comprehend.delete_document_classifier(DocumentClassifierArn=arn)
        slow(profile="fast")
        for arn in (in_training, submitted):
            properties = wait_for_classifier(comprehend, arn)
            assert properties["Status"] == "STOPPED"
            assert "TrainingStartTime" not in properties
            assert properties["EndTime"] >= properties["SubmitTime"]

    def test_a_stopped_work_takes_its_time_too(
        self, aws: LocalAwsServer, comprehend: Any, slow: Callable[..., None]
    ) -> None:
        slow(stopping_seconds=3_600)
        with aws.control.injected("stuck", resource="training", name="stuck"):
            arn = created(comprehend, "stuck", put(aws, "stuck.csv", csv_bytes(labelled_rows(30))))
            wait_until(lambda: properties_of(comprehend, arn)["Status"] == "TRAINING", "TRAINING")
            comprehend.stop_training_document_classifier(DocumentClassifierArn=arn)
        assert properties_of(comprehend, arn)["Status"] == "STOP_REQUESTED"
        slow(stopping_seconds=0)
        assert wait_for_classifier(comprehend, arn)["Status"] == "STOPPED"

    def test_a_deleted_classifier_is_there_while_its_delay_lasts(
        self, aws: LocalAwsServer, comprehend: Any, slow: Callable[..., None]
    ) -> None:
        arn = trained_classifier(aws, comprehend, "deleted")
        slow(deletion_seconds=3_600)
        comprehend.delete_document_classifier(DocumentClassifierArn=arn)
        assert properties_of(comprehend, arn)["Status"] == "DELETING"
        with pytest.raises(comprehend.exceptions.ResourceInUseException):
            created(comprehend, "deleted", "s3://data/training.csv")
        slow(deletion_seconds=0)

        def gone() -> bool:
            found = comprehend.list_document_classifiers(Filter={"DocumentClassifierName": "deleted"})
            return not found["DocumentClassifierPropertiesList"]

        wait_until(gone, "the deletion")


class TestJobs:
    def test_ten_wait_without_a_worker(
        self, aws: LocalAwsServer, comprehend: Any, classifier: str, training: str, slow: Callable[..., None]
    ) -> None:
        source = put(aws, "in.txt", b"a refund of my payment\n")
        slow(job_seconds=3_600)
        jobs = [started(comprehend, classifier, source) for _ in range(10)]
        wait_until(lambda: {job_status(comprehend, job) for job in jobs} == {"IN_PROGRESS"}, "IN_PROGRESS")
        with pytest.raises(comprehend.exceptions.TooManyRequestsException):
            started(comprehend, classifier, source)
        with pytest.raises(comprehend.exceptions.ResourceInUseException):
            comprehend.delete_document_classifier(DocumentClassifierArn=classifier)
        meanwhile = wait_for_classifier(comprehend, created(comprehend, "meanwhile", training))
        assert meanwhile["Status"] == "TRAINED"
        slow(job_seconds=0)
        assert {wait_for_job(comprehend, job)["JobStatus"] for job in jobs} == {"COMPLETED"}


def test_delays_survive_a_restart(tmp_path: Path) -> None:
    environment = {**ONE_WORKER, "NIGHTSORT_LOCAL_AWS_DELAYS": "realistic"}
    with local_aws(tmp_path, environment=environment) as aws:
        comprehend = aws.client("comprehend")
        training = put(aws, "training.csv", csv_bytes(labelled_rows(30)))
        submitted, stopped = (created(comprehend, name, training) for name in ("submitted", "stopped"))
        comprehend.stop_training_document_classifier(DocumentClassifierArn=stopped)
        before = properties_of(comprehend, submitted)
    with local_aws(tmp_path, environment=environment) as aws:
        comprehend = check_answers(aws.client("comprehend"))
        assert properties_of(comprehend, submitted) == before
        assert properties_of(comprehend, stopped)["Status"] == "STOP_REQUESTED"
        aws.control.set_behaviour(delays={"profile": "fast"})
        assert wait_for_classifier(comprehend, submitted)["Status"] == "TRAINED"
        assert wait_for_classifier(comprehend, stopped)["Status"] == "STOPPED"


def test_calls_are_limited_when_they_are_to_be(aws: LocalAwsServer, comprehend: Any, classifier: str) -> None:
    def call_many_times() -> None:
        # One call a second is allowed.
        for _ in range(500):
            comprehend.stop_training_document_classifier(DocumentClassifierArn=classifier)

    aws.control.set_behaviour(rate_limits=True)
    try:
        with pytest.raises(ClientError) as caught:
            call_many_times()
        patient = aws.client("comprehend", retries={"mode": "standard", "total_max_attempts": 8})
        patient.stop_training_document_classifier(DocumentClassifierArn=classifier)
    finally:
        aws.control.set_behaviour(rate_limits=False)
    response = caught.value.response
    assert response["Error"]["Code"] == "TooManyRequestsException"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
