from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from nightsort_airflow.exceptions import (
    ClassifierStateUnknownError,
    EndpointBrokenError,
    EndpointStateUnknownError,
    EndpointUnfinishedError,
    TrainingFailedError,
    TrainingTimeLimitError,
    TrainingUnfinishedError,
    TrainingWarningsError,
)
from nightsort_airflow.sensors.comprehend import (
    ComprehendDocumentClassifierTrainedSensor,
    ComprehendEndpointReadySensor,
)
from nightsort_airflow.triggers.comprehend import ComprehendDocumentClassifierTrainedTrigger
from nightsort_airflow.triggers.endpoints import ComprehendEndpointReadyTrigger
from tests.unit.nightsort_airflow.operators.comprehend import endpoint_answers as endpoint

ARN = "arn:aws:comprehend:eu-west-1:123456789012:document-classifier/c/version/v1"


def sensor(**overrides: Any) -> ComprehendDocumentClassifierTrainedSensor:
    arguments: dict[str, Any] = {
        "task_id": "wait",
        "aws_conn_id": None,
        "region_name": "eu-west-1",
        "document_classifier_arn": ARN,
        "deferrable": True,
        "poke_interval": 1,
        "max_retries": 3,
        **overrides,
    }
    return ComprehendDocumentClassifierTrainedSensor(**arguments)


def is_in(script: Any, status: str, message: str = "", minutes: float = 0, **metadata: int) -> None:
    properties: dict[str, Any] = {"Status": status, "Message": message}
    if minutes:
        properties["SubmitTime"] = datetime.now(timezone.utc) - timedelta(minutes=minutes)
    if metadata:
        properties["ClassifierMetadata"] = metadata
    script.add_response(
        "describe_document_classifier",
        {"DocumentClassifierProperties": properties},
        {"DocumentClassifierArn": ARN},
    )


@pytest.mark.parametrize("status", ["SUBMITTED", "TRAINING", "STOP_REQUESTED"])
def test_a_training_that_runs_is_waited_for_in_the_triggerer(
    context: dict[str, Any], answers: Any, status: str
) -> None:
    task = sensor(stop_training_on_kill=True)
    is_in(answers(task.hook), status)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)  # type: ignore[arg-type]
    trigger = deferred.value.trigger
    assert isinstance(trigger, ComprehendDocumentClassifierTrainedTrigger)
    assert (trigger.waiter_delay, trigger.attempts, trigger.stop_training_on_kill) == (1, 3, True)
    assert deferred.value.method_name == "execute_complete"


@pytest.mark.parametrize("resumed", [True, False], ids=["after a deferral", "at once"])
def test_success_gives_the_counts_and_what_is_missing(
    context: dict[str, Any], answers: Any, resumed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    task = sensor(expected_documents="1000")
    is_in(
        answers(task.hook),
        "TRAINED",
        NumberOfLabels=4,
        NumberOfTrainedDocuments=890,
        NumberOfTestDocuments=100,
    )
    result = task.execute_complete(context, {"status": "success"}) if resumed else task.execute(context)  # type: ignore[arg-type]
    assert result == {
        "document_classifier_arn": ARN,
        "status": "TRAINED",
        "message": "",
        "labels": 4,
        "trained_documents": 890,
        "test_documents": 100,
        "missing_documents": 10,
    }
    assert "10 of 1000 documents are missing" in capsys.readouterr().out


@pytest.mark.parametrize("expected", [None, ""])
def test_nothing_is_missing_where_nothing_is_expected(
    context: dict[str, Any], answers: Any, expected: str | None
) -> None:
    task = sensor(expected_documents=expected)
    is_in(answers(task.hook), "TRAINED", NumberOfTrainedDocuments=90, NumberOfTestDocuments=10)
    assert task.execute(context)["missing_documents"] is None  # type: ignore[arg-type]


def test_a_classifier_without_metadata_is_no_error(context: dict[str, Any], answers: Any) -> None:
    task = sensor(expected_documents=100)
    is_in(answers(task.hook), "TRAINED")
    result = task.execute(context)  # type: ignore[arg-type]
    assert (result["trained_documents"], result["missing_documents"]) == (None, None)


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("status", ["STOPPED", "IN_ERROR", "DELETING"])
def test_a_failed_training_fails_the_task_for_good(
    context: dict[str, Any], answers: Any, status: str, deferrable: bool
) -> None:
    task = sensor(deferrable=deferrable)
    script = answers(task.hook)
    is_in(script, status, "bad role")
    with pytest.raises(TrainingFailedError, match="bad role") as raised:
        task.execute(context)  # type: ignore[arg-type]
    assert isinstance(raised.value, AirflowFailException)
    is_in(script, status, "bad role")
    with pytest.raises(TrainingFailedError):
        task.execute_complete(context, {"status": "error"})  # type: ignore[arg-type]


def test_a_wait_that_was_too_short_is_a_failure_that_a_retry_goes_on_from(
    context: dict[str, Any], answers: Any
) -> None:
    """The provider's sensor resumes into poke and takes this for success."""
    task = sensor()
    script = answers(task.hook)
    is_in(script, "TRAINING")
    with pytest.raises(TrainingUnfinishedError, match="max attempts") as raised:
        task.execute_complete(context, {"status": "error", "message": "max attempts reached"})  # type: ignore[arg-type]
    assert not isinstance(raised.value, AirflowFailException)


def test_a_training_with_a_time_limit_is_looked_at_when_its_time_is_up(
    context: dict[str, Any], answers: Any
) -> None:
    task = sensor(time_limit=timedelta(minutes=10), poke_interval=60, max_retries=1440)
    script = answers(task.hook)
    is_in(script, "TRAINING", minutes=3)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)  # type: ignore[arg-type]
    assert deferred.value.trigger.attempts == 8
    assert deferred.value.kwargs == {"stopping": False}


def test_a_training_whose_time_is_up_is_stopped_and_waited_for_once(
    context: dict[str, Any], answers: Any
) -> None:
    task = sensor(time_limit=timedelta(minutes=10))
    script = answers(task.hook)
    is_in(script, "TRAINING", minutes=11)
    script.add_response("stop_training_document_classifier", {}, {"DocumentClassifierArn": ARN})
    event = {"status": "error", "message": "max attempts reached"}
    with pytest.raises(TaskDeferred) as deferred:
        task.execute_complete(context, event)  # type: ignore[arg-type]
    assert deferred.value.kwargs == {"stopping": True}
    is_in(script, "STOPPED", minutes=11)
    with pytest.raises(TrainingTimeLimitError):
        task.execute_complete(context, {"status": "error"}, **deferred.value.kwargs)  # type: ignore[arg-type]
    is_in(script, "STOP_REQUESTED", minutes=11)
    with pytest.raises(TrainingUnfinishedError):
        task.execute_complete(context, event, stopping=True)  # type: ignore[arg-type]


def test_the_link_leads_to_the_version(context: dict[str, Any], answers: Any, real_endpoint: None) -> None:
    task = sensor()
    is_in(answers(task.hook), "TRAINED")
    task.execute(context)  # type: ignore[arg-type]
    (link,) = task.operator_extra_links
    url = context["ti"].pushed[link.xcom_key]
    assert url == link.get_link(task, ti_key=None)  # type: ignore[arg-type]
    assert url.startswith("https://console.aws.amazon.com/comprehend/home?region=eu-west-1#")
    assert url.endswith(ARN)


def test_success_is_never_taken_from_the_event(context: dict[str, Any], answers: Any) -> None:
    task = sensor()
    is_in(answers(task.hook), "PONDERING")
    with pytest.raises(ClassifierStateUnknownError, match="PONDERING"):
        task.execute_complete(context, {"status": "success"})  # type: ignore[arg-type]


def test_warnings_pass_with_their_message_unless_they_are_to_fail(
    context: dict[str, Any], answers: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    task = sensor()
    is_in(answers(task.hook), "TRAINED_WITH_WARNING", "3 rows skipped")
    assert task.execute(context)["message"] == "3 rows skipped"  # type: ignore[arg-type]
    assert "3 rows skipped" in capsys.readouterr().out
    strict = sensor(fail_on_warnings=True)
    is_in(answers(strict.hook), "TRAINED_WITH_WARNING", "3 rows skipped")
    with pytest.raises(TrainingWarningsError):
        strict.execute(context)  # type: ignore[arg-type]


def test_without_deferral_it_looks_until_the_training_is_done(context: dict[str, Any], answers: Any) -> None:
    task = sensor(deferrable=False, poke_interval=1)
    task.poke_interval = 0
    script = answers(task.hook)
    is_in(script, "SUBMITTED")
    is_in(script, "TRAINING")
    is_in(script, "TRAINED", NumberOfLabels=2)
    assert task.execute(context)["labels"] == 2  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", [True, False])
def test_killing_a_waiting_task_stops_the_training_only_if_wanted(
    context: dict[str, Any], answers: Any, monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    task = sensor(deferrable=False, stop_training_on_kill=wanted)
    script = answers(task.hook)
    task.on_kill()  # not waiting yet
    if wanted:
        script.add_response("stop_training_document_classifier", {}, {"DocumentClassifierArn": ARN})

    def killed(_: Any) -> None:
        task.on_kill()
        raise SystemExit

    monkeypatch.setattr(task, "poke", killed)
    with pytest.raises(SystemExit):
        task.execute(context)  # type: ignore[arg-type]


def test_the_poll_delay_comes_from_the_environment_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sensor(poke_interval=None).poke_interval == 60
    monkeypatch.setenv("NIGHTSORT_POLL_SECONDS", "2")
    assert sensor(poke_interval=None).poke_interval == 2
    assert sensor(poke_interval=5).poke_interval == 5


def ready_sensor(**overrides: Any) -> ComprehendEndpointReadySensor:
    arguments: dict[str, Any] = {
        "task_id": "ready",
        "aws_conn_id": None,
        "region_name": "eu-west-1",
        "endpoint_arn": endpoint.ARN,
        "deferrable": True,
        "poke_interval": 1,
        "max_retries": 3,
        **overrides,
    }
    return ComprehendEndpointReadySensor(**arguments)


@pytest.mark.parametrize("status", ["CREATING", "UPDATING"])
def test_an_endpoint_in_change_is_waited_for_in_the_triggerer_and_never_deleted(
    context: dict[str, Any], answers: Any, status: str
) -> None:
    task = ready_sensor()
    endpoint.described(answers(task.hook), status)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)  # type: ignore[arg-type]
    trigger = deferred.value.trigger
    assert isinstance(trigger, ComprehendEndpointReadyTrigger)
    assert (trigger.endpoint_arn, trigger.delete_on_kill, trigger.attempts) == (endpoint.ARN, False, 3)


@pytest.mark.parametrize("step", ["execute", "execute_complete", "poke"])
def test_an_endpoint_in_service_is_described(context: dict[str, Any], answers: Any, step: str) -> None:
    task = ready_sensor()
    endpoint.described(answers(task.hook), "IN_SERVICE")
    found = getattr(task, step)(context)
    assert (found.xcom_value if step == "poke" else found) == endpoint.SERVES_V1


def test_poking_goes_on_while_the_endpoint_changes(context: dict[str, Any], answers: Any) -> None:
    task = ready_sensor(deferrable=False)
    script = answers(task.hook)
    endpoint.described(script, "CREATING")
    endpoint.described(script, "IN_SERVICE")
    assert task.execute(context) == endpoint.SERVES_V1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("FAILED", EndpointBrokenError),
        ("DELETING", EndpointBrokenError),
        (None, EndpointBrokenError),
        ("PONDERING", EndpointStateUnknownError),
    ],
)
def test_an_endpoint_that_will_not_be_ready_ends_the_task(
    context: dict[str, Any], answers: Any, status: str | None, error: type[Exception]
) -> None:
    for step in ("execute", "execute_complete", "poke"):
        task = ready_sensor()
        endpoint.described(answers(task.hook), status)
        with pytest.raises(error):
            getattr(task, step)(context)


def test_a_wait_for_an_endpoint_that_was_too_short_fails_the_try(
    context: dict[str, Any], answers: Any
) -> None:
    task = ready_sensor()
    endpoint.described(answers(task.hook), "CREATING")
    with pytest.raises(EndpointUnfinishedError, match="not in service yet"):
        task.execute_complete(context, {"status": "error", "message": "polls"})  # type: ignore[arg-type]
