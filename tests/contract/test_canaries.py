"""Defects and gaps of others that this product works around. A failure here is good news: the text says what
may go."""

from __future__ import annotations

import inspect
import io
import json
from dataclasses import fields
from typing import Any

import airflow.providers.amazon.aws.operators.comprehend as provider_operators
import airflow.providers.amazon.aws.triggers.comprehend as provider_triggers
import boto3
import botocore.session
import pyarrow.csv as pa_csv
import pytest
from airflow.models.trigger import handle_event_submit
from airflow.models.xcom import XComModel
from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.providers.amazon.aws.sensors.comprehend import (
    ComprehendCreateDocumentClassifierCompletedSensor,
    ComprehendStartPiiEntitiesDetectionJobCompletedSensor,
)
from airflow.sdk import ResumableJobMixin, RetryRule
from airflow.sdk.definitions.deadline import DeadlineReference
from airflow.sdk.execution_time.comms import XComResult
from airflow.sdk.execution_time.xcom import XCom
from airflow.triggers.base import TaskSuccessEvent
from moto import mock_aws

from tests.contract.comprehend_model import service_model


def test_aws_still_cannot_stop_a_classification_job() -> None:
    """When this fails: let ComprehendStartDocumentClassificationJobOperator and its trigger stop the job in
    on_kill, and take "AWS cannot stop it" out of their docstrings, the DAGs' doc_md and the design."""
    stops = [name for name in service_model().operation_names if name.startswith("Stop")]
    assert "StopTrainingDocumentClassifier" in stops
    assert "StopDocumentClassificationJob" not in stops


def test_botocore_still_has_no_waiter_for_comprehend() -> None:
    """When this fails: compare botocore's waiters with waiters/comprehend.json, and drop ours if they know
    all states."""
    client = botocore.session.get_session().create_client("comprehend", region_name="us-east-1")
    assert client.waiter_names == []


def test_the_provider_still_has_no_operator_for_classification_jobs() -> None:
    """When this fails: see whether the provider's operator finds a running job by itself; if so, ours may
    go."""
    names = {
        name
        for module in (provider_operators, provider_triggers)
        for name, _ in inspect.getmembers(module, inspect.isclass)
    }
    assert "ComprehendCreateDocumentClassifierOperator" in names
    assert not [name for name in names if "ClassificationJob" in name]


def test_the_provider_still_sends_no_token_when_it_creates_a_classifier() -> None:
    """When this fails: see whether a retry of the provider's operator finds the version that it created; if
    so, our ComprehendCreateDocumentClassifierOperator may become a subclass of it."""
    source = inspect.getsource(provider_operators.ComprehendCreateDocumentClassifierOperator)
    assert "ClientRequestToken" not in source


def test_the_providers_deferred_training_sensor_still_takes_a_time_out_for_success() -> None:
    """When this fails: ComprehendDocumentClassifierTrainedSensor may go, if the provider's also counts the
    documents."""
    source = inspect.getsource(ComprehendCreateDocumentClassifierCompletedSensor.execute)
    assert 'method_name="poke"' in source


def test_the_providers_sensors_still_call_a_submitted_job_done() -> None:
    """When this fails: the warning about the stock sensors in the guides may go."""
    assert "SUBMITTED" not in ComprehendStartPiiEntitiesDetectionJobCompletedSensor.INTERMEDIATE_STATES


def test_the_providers_hook_still_wants_an_argument_of_each_acceptor() -> None:
    """When this fails: the acceptors in waiters/comprehend.json whose matcher is "error" need no empty
    "argument", which botocore does not know for them."""
    config = {"waiters": {"w": {"acceptors": [{"matcher": "error", "expected": "X", "state": "retry"}]}}}
    with pytest.raises(KeyError, match="argument"):
        AwsBaseHook._apply_parameters_value(config, "w", None)


def test_a_retry_policy_of_airflow_still_knows_only_the_class_of_an_exception() -> None:
    """When this fails: AwsRetryPolicy may become rules of an ExceptionRetryPolicy."""
    assert {field.name for field in fields(RetryRule) if field.init} == {
        "exception",
        "action",
        "retry_delay",
        "reason",
        "match_subclasses",
    }


def test_airflows_deadlines_still_count_from_the_start_of_the_interval_or_from_the_queue() -> None:
    """When this fails: see whether a built-in reference says "by this time of day after the run was due", for
    scheduled runs only; if so, NightLoadedBy may go."""
    assert {name for name in vars(DeadlineReference) if name.isupper()} == {
        "AVERAGE_RUNTIME",
        "DAGRUN_LOGICAL_DATE",
        "DAGRUN_QUEUED_AT",
        "FIXED_DATETIME",
        "TYPES",
        "_TEMPORARY_TEST_REFERENCE",
    }


def test_airflows_resumable_jobs_still_return_two_different_things() -> None:
    """When this fails: ComprehendStartDocumentClassificationJobOperator.poll_until_complete need not return a
    result."""
    source = inspect.getsource(ResumableJobMixin.execute_resumable)
    assert "return self.poll_until_complete(" in source
    assert "return self.get_job_result(" in source


def test_airflows_trigger_events_still_store_xcoms_as_json_within_json() -> None:
    """When this fails: let ComprehendDocumentClassificationJobTrigger give its result to TaskSuccessEvent as
    ``xcoms``, in place of XCom.aset."""
    assert "task_instance.xcom_push(" in inspect.getsource(handle_event_submit.dispatch(TaskSuccessEvent))
    result = {"job_id": "1"}
    # What the model hands to a column of type JSON, and what a task makes of it.
    stored = XComModel.serialize_value(result)
    assert XCom.deserialize_value(XComResult(key="return_value", value=stored)) == json.dumps(result)


def test_pyarrow_still_loses_a_line_feed_that_a_block_of_csv_begins_with() -> None:
    """When this fails: let csv_rows.py parse in blocks of one size, whatever the line ends."""
    data = b'a\nb\n"x\r\ny"\n'
    table = pa_csv.read_csv(
        io.BytesIO(data),
        read_options=pa_csv.ReadOptions(column_names=["text"], block_size=data.index(b"\r") + 1),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
    )
    assert table["text"].to_pylist() == ["a", "b", "x\ry"]


@mock_aws
def test_motos_classifier_still_trains_for_ever_and_its_jobs_never_end(monkeypatch: Any) -> None:
    """When this fails: compare moto's Comprehend with nightsort_local/local_aws, which exists because of
    this."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    client = boto3.client("comprehend", region_name="us-east-1")
    role = "arn:aws:iam::123456789012:role/x-comprehend"
    arn = client.create_document_classifier(
        DocumentClassifierName="c",
        VersionName="v1",
        DataAccessRoleArn=role,
        LanguageCode="en",
        InputDataConfig={"S3Uri": "s3://bucket/training.csv"},
    )["DocumentClassifierArn"]
    classifier = client.describe_document_classifier(DocumentClassifierArn=arn)[
        "DocumentClassifierProperties"
    ]
    assert classifier["Status"] == "TRAINING"
    request: dict[str, Any] = {
        "DocumentClassifierArn": arn,
        "DataAccessRoleArn": role,
        "InputDataConfig": {"S3Uri": "s3://bucket/in.txt"},
        "OutputDataConfig": {"S3Uri": "s3://bucket/out/"},
        "ClientRequestToken": "a" * 64,
    }
    first, second = (client.start_document_classification_job(**request)["JobId"] for _ in range(2))
    assert first != second, "moto honours ClientRequestToken now"
    job = client.describe_document_classification_job(JobId=first)["DocumentClassificationJobProperties"]
    assert job["JobStatus"] == "SUBMITTED"
