"""The amazon provider's own Comprehend operator, sensor and triggers, which know nothing of the local AWS."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import WaiterError

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.classification_data import csv_bytes, labelled_rows, put
from tests.integration.local_aws_server import CREDENTIALS, REGION, ROLE, LocalAwsServer

# isort: split
from airflow.providers.amazon.aws.operators.comprehend import ComprehendCreateDocumentClassifierOperator
from airflow.providers.amazon.aws.sensors.comprehend import ComprehendCreateDocumentClassifierCompletedSensor
from airflow.sdk.exceptions import AirflowException

from tests.integration.operator_runs import OperatorRun

pytestmark = pytest.mark.integration

GOOD, BAD, ODD = "training.csv", "nothing-here.csv", "rows.csv"
LOOKS = 20_000
MODES = pytest.mark.parametrize("deferrable", [False, True], ids=["sync", "deferrable"])
FAILED = {False: WaiterError, True: AirflowException}
"""What the operator raises for a failed training: botocore's waiter does, or the provider's trigger."""


@pytest.fixture(autouse=True)
def connection(local_aws: LocalAwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Airflow connection alone leads to the local AWS."""
    extra = {"region_name": REGION, "endpoint_url": local_aws.url}
    login, password = CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
    parts = {"conn_type": "aws", "login": login, "password": password, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(parts))


@pytest.fixture(scope="module")
def folder(local_aws: LocalAwsServer) -> str:
    put(local_aws, f"provider/{GOOD}", csv_bytes(labelled_rows(30)))
    uri = put(local_aws, f"provider/{ODD}", csv_bytes(labelled_rows(30)) + b"one cell\n")
    return uri.removesuffix(ODD)


def create(folder: str, file: str, **changes: Any) -> ComprehendCreateDocumentClassifierOperator:
    return ComprehendCreateDocumentClassifierOperator(
        **{
            "task_id": "create",
            "document_classifier_name": f"provider-{uuid.uuid4().hex[:8]}",
            "input_data_config": {"S3Uri": f"{folder}{file}"},
            "output_data_config": {"S3Uri": f"{folder}output/"},
            "mode": "MULTI_CLASS",
            "data_access_role_arn": ROLE,
            "language_code": "en",
            "waiter_delay": 0,
            "waiter_max_attempts": LOOKS,
            **changes,
        }
    )


def sensor(arn: str, **changes: Any) -> ComprehendCreateDocumentClassifierCompletedSensor:
    return ComprehendCreateDocumentClassifierCompletedSensor(
        **{
            "task_id": "sense",
            "document_classifier_arn": arn,
            "poke_interval": 0,
            "max_retries": LOOKS,
            **changes,
        }
    )


def status(aws: LocalAwsServer, arn: str) -> str:
    found = aws.client("comprehend").describe_document_classifier(DocumentClassifierArn=arn)
    return str(found["DocumentClassifierProperties"]["Status"])


@MODES
class TestOperator:
    def test_it_comes_through_to_trained(
        self, local_aws: LocalAwsServer, folder: str, deferrable: bool
    ) -> None:
        arn = OperatorRun().execute(create(folder, GOOD, deferrable=deferrable))
        assert status(local_aws, arn) == "TRAINED"

    def test_it_fails_with_the_training(self, folder: str, deferrable: bool) -> None:
        with pytest.raises(FAILED[deferrable]):
            OperatorRun().execute(create(folder, BAD, deferrable=deferrable))

    @pytest.mark.parametrize("fail_on_warnings", [False, True])
    def test_it_sees_a_warning(
        self, local_aws: LocalAwsServer, folder: str, deferrable: bool, fail_on_warnings: bool
    ) -> None:
        operator = create(folder, ODD, deferrable=deferrable, fail_on_warnings=fail_on_warnings)
        if fail_on_warnings:
            with pytest.raises(AirflowException):
                OperatorRun().execute(operator)
        else:
            assert status(local_aws, OperatorRun().execute(operator)) == "TRAINED_WITH_WARNING"


class TestSensor:
    @MODES
    def test_it_waits_until_trained(self, local_aws: LocalAwsServer, folder: str, deferrable: bool) -> None:
        arn = OperatorRun().execute(create(folder, GOOD, wait_for_completion=False))
        OperatorRun().execute(sensor(arn, deferrable=deferrable))
        assert status(local_aws, arn) == "TRAINED"

    @MODES
    def test_it_fails_with_the_training(
        self, local_aws: LocalAwsServer, folder: str, deferrable: bool
    ) -> None:
        arn = OperatorRun().execute(create(folder, BAD, wait_for_completion=False))
        with pytest.raises(AirflowException):
            OperatorRun().execute(sensor(arn, deferrable=deferrable))
        assert status(local_aws, arn) == "IN_ERROR"
