from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred
from botocore.stub import ANY

from nightsort_airflow.exceptions import (
    ClassifierStateUnknownError,
    TrainingFailedError,
    TrainingUnfinishedError,
    VersionGoneError,
)
from nightsort_airflow.operators.comprehend import ComprehendCreateDocumentClassifierOperator
from nightsort_airflow.triggers.comprehend import ComprehendDocumentClassifierTrainedTrigger

ROLE = "arn:aws:iam::123456789012:role/ComprehendAccess"
BASE = "arn:aws:comprehend:eu-west-1:123456789012:document-classifier/tickets/version/"


def operator(**overrides: Any) -> ComprehendCreateDocumentClassifierOperator:
    arguments: dict[str, Any] = {
        "task_id": "create",
        "aws_conn_id": None,
        "region_name": "eu-west-1",
        "document_classifier_name": "tickets",
        "version_name": "v1",
        "mode": "MULTI_CLASS",
        "language_code": "en",
        "data_access_role_arn": ROLE,
        "input_data_config": {"S3Uri": "s3://bucket/training.csv", "TestS3Uri": "s3://bucket/test.csv"},
        "output_data_config": {"S3Uri": "s3://bucket/output/"},
        "wait_for_completion": False,
        "waiter_delay": 1,
        "waiter_max_attempts": 1,
        **overrides,
    }
    return ComprehendCreateDocumentClassifierOperator(**arguments)


def is_absent(script: Any, version: str) -> None:
    script.add_client_error(
        "describe_document_classifier",
        "ResourceNotFoundException",
        expected_params={"DocumentClassifierArn": BASE + version},
    )


def is_in(script: Any, version: str, status: str, message: str = "") -> None:
    script.add_response(
        "describe_document_classifier",
        {"DocumentClassifierProperties": {"Status": status, "Message": message}},
        {"DocumentClassifierArn": BASE + version},
    )


def is_created(script: Any, version: str) -> dict[str, Any]:
    request = {
        "DocumentClassifierName": "tickets",
        "VersionName": version,
        "InputDataConfig": {"S3Uri": "s3://bucket/training.csv", "TestS3Uri": "s3://bucket/test.csv"},
        "OutputDataConfig": {"S3Uri": "s3://bucket/output/"},
        "Mode": "MULTI_CLASS",
        "DataAccessRoleArn": ROLE,
        "LanguageCode": "en",
        "ClientRequestToken": ANY,
    }
    script.add_response("create_document_classifier", {"DocumentClassifierArn": BASE + version}, request)
    return request


def test_a_version_that_does_not_exist_is_trained(
    context: dict[str, Any], answers: Any, real_endpoint: None
) -> None:
    task = operator()
    script = answers(task.hook)
    is_absent(script, "v1")
    is_created(script, "v1")
    assert task.execute(context) == BASE + "v1"  # type: ignore[arg-type]
    version, data = (link.get_link(task, ti_key=None) for link in task.operator_extra_links)  # type: ignore[arg-type]
    assert version.endswith(f"region=eu-west-1#classifier-version-details/{BASE}v1")
    assert data.endswith("/s3/buckets/bucket?region=eu-west-1&prefix=")
    assert set(context["ti"].pushed.values()) == {version, data}


@pytest.mark.parametrize(
    "status", ["SUBMITTED", "TRAINING", "TRAINED", "TRAINED_WITH_WARNING", "STOP_REQUESTED"]
)
def test_a_version_that_is_trained_or_in_training_is_taken_over(
    context: dict[str, Any], answers: Any, status: str
) -> None:
    task = operator()
    is_in(answers(task.hook), "v1", status)
    assert task.execute(context) == BASE + "v1"  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["IN_ERROR", "STOPPED", "DELETING"])
def test_after_a_failed_training_the_next_generation_of_the_name_is_trained(
    context: dict[str, Any], answers: Any, status: str
) -> None:
    task = operator()
    script = answers(task.hook)
    is_in(script, "v1", status, "no read access")
    is_absent(script, "v1-g2")
    is_created(script, "v1-g2")
    assert task.execute(context) == BASE + "v1-g2"  # type: ignore[arg-type]


def test_a_later_generation_that_trains_is_taken_over(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    script = answers(task.hook)
    is_in(script, "v1", "IN_ERROR")
    is_in(script, "v1-g2", "STOPPED")
    is_in(script, "v1-g3", "TRAINING")
    assert task.execute(context) == BASE + "v1-g3"  # type: ignore[arg-type]


def test_a_version_whose_creation_was_answered_to_nobody_is_taken_over(
    context: dict[str, Any], answers: Any
) -> None:
    """AWS took the call, the answer was lost, the name is taken: it is this very training."""
    task = operator()
    script = answers(task.hook)
    is_absent(script, "v1")
    script.add_client_error("create_document_classifier", "ResourceInUseException")
    is_in(script, "v1", "SUBMITTED")
    assert task.execute(context) == BASE + "v1"  # type: ignore[arg-type]


def test_a_version_that_is_there_and_is_not_makes_airflow_try_again(
    context: dict[str, Any], answers: Any
) -> None:
    task = operator()
    script = answers(task.hook)
    is_absent(script, "v1")
    script.add_client_error("create_document_classifier", "ResourceInUseException")
    is_absent(script, "v1")
    with pytest.raises(VersionGoneError):
        task.execute(context)  # type: ignore[arg-type]


def test_a_state_that_nobody_knows_trains_nothing(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    is_in(answers(task.hook), "v1", "PONDERING")
    with pytest.raises(ClassifierStateUnknownError):
        task.execute(context)  # type: ignore[arg-type]


def tokens(*tasks: ComprehendCreateDocumentClassifierOperator, version: str = "v1") -> list[str]:
    return [task._request(version)["ClientRequestToken"] for task in tasks]


def test_the_token_is_the_same_in_every_try_and_another_for_other_work() -> None:
    first, again, other = tokens(operator(), operator(), operator(mode="MULTI_LABEL"))
    assert first == again != other
    assert tokens(operator(), version="v1-g2") != [first]
    assert len(first) == 64
    assert first.isalnum()


def test_further_parameters_are_passed_on_and_a_token_of_the_callers_wins() -> None:
    further = {"Tags": [{"Key": "team", "Value": "search"}], "ClientRequestToken": "mine"}
    request = operator(document_classifier_kwargs=further, output_data_config=None)._request("v1")
    assert request["Tags"] == [{"Key": "team", "Value": "search"}]
    assert request["ClientRequestToken"] == "mine"
    assert "OutputDataConfig" not in request


def test_what_aws_refuses_ends_the_task_with_the_remedy(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    script = answers(task.hook)
    is_absent(script, "v1")
    script.add_client_error("create_document_classifier", "AccessDeniedException", "not authorised")
    with pytest.raises(
        AirflowFailException, match=r"Cannot train tickets v1: .*docs/iam/airflow-policy.json"
    ):
        task.execute(context)  # type: ignore[arg-type]


def test_a_deferred_wait_asks_comprehend_for_the_end(context: dict[str, Any], answers: Any) -> None:
    task = operator(wait_for_completion=True, deferrable=True, stop_training_on_kill=True)
    script = answers(task.hook)
    is_in(script, "v1", "TRAINING")
    is_in(script, "v1", "TRAINING")
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)  # type: ignore[arg-type]
    trigger = deferred.value.trigger
    assert isinstance(trigger, ComprehendDocumentClassifierTrainedTrigger)
    assert trigger.document_classifier_arn == BASE + "v1"
    assert trigger.stop_training_on_kill
    assert deferred.value.method_name == "execute_complete"

    event = {"status": "success", "document_classifier_arn": BASE + "v1"}
    is_in(script, "v1", "TRAINED")
    assert task.execute_complete(context, event) == BASE + "v1"  # type: ignore[arg-type]
    is_in(script, "v1", "IN_ERROR", "bad role")
    with pytest.raises(TrainingFailedError, match="bad role"):
        task.execute_complete(context, event)  # type: ignore[arg-type]
    is_in(script, "v1", "TRAINING")
    with pytest.raises(TrainingUnfinishedError, match="max attempts"):
        task.execute_complete(context, {**event, "status": "error", "message": "max attempts"})  # type: ignore[arg-type]


def test_a_wait_in_the_worker_fails_with_the_training(context: dict[str, Any], answers: Any) -> None:
    task = operator(wait_for_completion=True)
    script = answers(task.hook)
    is_in(script, "v1", "TRAINING")
    is_in(script, "v1", "TRAINING")
    for _ in range(2):  # the waiter's look, and ours after it
        is_in(script, "v1", "IN_ERROR", "bad role")
    with pytest.raises(TrainingFailedError, match="bad role"):
        task.execute(context)  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", [True, False])
def test_killing_a_waiting_task_stops_the_training_only_if_wanted(
    context: dict[str, Any], answers: Any, monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    task = operator(wait_for_completion=True, stop_training_on_kill=wanted)
    script = answers(task.hook)
    task.on_kill()  # not waiting yet: a worker that is shut down stops nothing
    is_in(script, "v1", "TRAINING")
    is_in(script, "v1", "TRAINING")

    def killed(*_: Any, **__: Any) -> None:
        if wanted:
            stopped = {"DocumentClassifierArn": BASE + "v1"}
            script.add_response("stop_training_document_classifier", {}, stopped)
        task.on_kill()
        raise SystemExit

    monkeypatch.setattr(task.hook, "wait", killed)
    with pytest.raises(SystemExit):
        task.execute(context)  # type: ignore[arg-type]


def test_the_poll_delay_comes_from_the_environment_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    assert operator(waiter_delay=None, waiter_max_attempts=None).waiter_delay == 60
    monkeypatch.setenv("NIGHTSORT_POLL_SECONDS", "2")
    task = operator(waiter_delay=None, waiter_max_attempts=None)
    assert (task.waiter_delay, task.waiter_max_attempts) == (2, 43_200)
    assert operator(waiter_delay=5).waiter_delay == 5
