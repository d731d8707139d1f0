"""Up to forty batches of three classifiers at once, in an account with the real quotas and without a pool."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import TYPE_CHECKING, Any

import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.local_aws_server import (
    ROLE,
    LocalAwsServer,
    aws_connection,
    local_aws,
    wait_for_classifier,
)

# isort: split
from nightsort_airflow.operators.comprehend import ComprehendStartDocumentClassificationJobOperator
from nightsort_local.local_aws.control.client import LocalAwsControl
from tests.integration.operator_runs import OperatorRun

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

BUCKET = "quota"
START = "comprehend.StartDocumentClassificationJob"


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAwsServer]:
    with local_aws() as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        rows = [f"{label},{label} {number}\n" for number in range(30) for label in ("billing", "technical")]
        s3.put_object(Bucket=BUCKET, Key="training.csv", Body="".join(rows))
        s3.put_object(Bucket=BUCKET, Key="in/documents.txt", Body="billing again\n")
        yield server


def trained(aws: LocalAwsServer, name: str) -> str:
    comprehend = aws.client("comprehend")
    arn: str = comprehend.create_document_classifier(
        DocumentClassifierName=name,
        VersionName="v1",
        DataAccessRoleArn=ROLE,
        LanguageCode="en",
        InputDataConfig={"S3Uri": f"s3://{BUCKET}/training.csv"},
    )["DocumentClassifierArn"]
    assert wait_for_classifier(comprehend, arn)["Status"] == "TRAINED"
    return arn


class Starts:
    """How often all tasks together asked AWS to start a job, and what it said."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.accepted = 0
        self.refused: list[float] = []

    def watch(self, operator: ComprehendStartDocumentClassificationJobOperator) -> None:
        operator.hook.client.meta.events.register(f"response-received.{START}", self._answered)

    def _answered(self, response_dict: dict[str, Any], **_: Any) -> None:
        with self._lock:
            if response_dict["status_code"] == 200:
                self.accepted += 1
            else:
                self.refused.append(time.monotonic())


@pytest.mark.parametrize("number_of_batches", [15, pytest.param(40, marks=pytest.mark.slow)])
def test_batches_wait_for_their_turn_and_none_fails(
    aws: LocalAwsServer, monkeypatch: pytest.MonkeyPatch, number_of_batches: int
) -> None:
    """Comprehend runs ten jobs at once, and begins one a second."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", aws_connection(aws.url))
    aws.control.set_behaviour(rate_limits=False)
    # The account has no other job from here on, and its names are this night's own.
    night = f"night-of-{number_of_batches}"
    arns = [trained(aws, f"{name}-{number_of_batches}") for name in ("tickets", "reviews", "mails")]
    LocalAwsControl(aws.url).set_behaviour(rate_limits=True, delays={"job_seconds": 8})
    starts = Starts()
    at_once = Barrier(number_of_batches)

    def classify(number: int) -> dict[str, Any]:
        operator = ComprehendStartDocumentClassificationJobOperator(
            task_id="start_job",
            document_classifier_arn=arns[number % 3],
            job_name=f"{night}-{number:02}",
            input_data_config={"S3Uri": f"s3://{BUCKET}/in/documents.txt", "InputFormat": "ONE_DOC_PER_LINE"},
            output_data_config={"S3Uri": f"s3://{BUCKET}/output/"},
            data_access_role_arn=ROLE,
            deferrable=True,
            waiter_delay=2,
        )
        starts.watch(operator)
        at_once.wait()
        given: dict[str, Any] = OperatorRun().execute(operator)
        return given

    began = time.monotonic()
    with ThreadPoolExecutor(number_of_batches) as batches:
        done = list(batches.map(classify, range(number_of_batches)))
    seconds = time.monotonic() - began

    assert {job["status"] for job in done} == {"COMPLETED"}
    assert len({job["job_id"] for job in done}) == number_of_batches
    assert all(not job["failed_jobs"] for job in done)
    pages = aws.client("comprehend").get_paginator("list_document_classification_jobs").paginate()
    names = [job["JobName"] for page in pages for job in page["DocumentClassificationJobPropertiesList"]]
    of_tonight = sorted(name for name in names if name.startswith(night))
    assert of_tonight == [f"{night}-{number:02}-g1" for number in range(number_of_batches)]
    assert starts.accepted == number_of_batches
    assert starts.refused, "the quotas were not even touched"
    print(f"{number_of_batches} batches in {seconds:.0f} s, {len(starts.refused)} starts refused")
    # With two seconds between two looks; with AWS it is thirty.
    assert len(starts.refused) / seconds < 10
