from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from nightsort_airflow.exceptions import EndpointBrokenError, EndpointUpdateFailedError
from nightsort_airflow.operators.comprehend import ComprehendUpdateEndpointOperator
from tests.unit.nightsort_airflow.operators.comprehend.endpoint_answers import (
    ARN,
    MODEL,
    NEWER,
    SERVES_V1,
    described,
)

SERVES_V2 = {**SERVES_V1, "model_arn": NEWER}
BEFORE = {"previous_model_arn": MODEL, "previous_inference_units": 1}


def operator(**overrides: Any) -> ComprehendUpdateEndpointOperator:
    arguments: dict[str, Any] = {
        "task_id": "change",
        "aws_conn_id": None,
        "region_name": "eu-west-1",
        "endpoint_arn": ARN,
        "desired_model_arn": NEWER,
        "deferrable": True,
        "waiter_delay": 1,
        "waiter_max_attempts": 1,
        **overrides,
    }
    return ComprehendUpdateEndpointOperator(**arguments)


def waits(task: ComprehendUpdateEndpointOperator, context: Any) -> Any:
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    return deferred.value


def updated(script: Any, **sent: Any) -> None:
    script.add_response("update_endpoint", {}, {"EndpointArn": ARN, **sent})


def test_the_model_is_changed_awaited_and_the_former_one_named(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    script = answers(task.hook)
    described(script, "IN_SERVICE")
    updated(script, DesiredModelArn=NEWER)
    wait = waits(task, context)
    resumed = operator()
    described(answers(resumed.hook), "IN_SERVICE", NEWER)
    event = {"status": "success", "endpoint_arn": ARN}
    assert resumed.execute_complete(context, event, **wait.kwargs) == {**SERVES_V2, **BEFORE}  # type: ignore[arg-type]


def test_a_retry_after_any_death_asks_for_nothing_twice(context: dict[str, Any], answers: Any) -> None:
    """Between request and answer, or while it waited: the endpoint says what was asked for."""
    first = operator()
    script = answers(first.hook)
    described(script, "IN_SERVICE")
    updated(script, DesiredModelArn=NEWER)
    waits(first, context)
    again = operator()
    described(answers(again.hook), "UPDATING", DesiredModelArn=NEWER)
    waits(again, context)
    last = operator()
    described(answers(last.hook), "IN_SERVICE", NEWER)
    assert last.execute(context) == {**SERVES_V2, **BEFORE}  # type: ignore[arg-type]


def test_units_alone_may_be_changed_also_by_a_template(context: dict[str, Any], answers: Any) -> None:
    task = operator(desired_model_arn=None, desired_inference_units="4", wait_for_completion=False)
    script = answers(task.hook)
    described(script, "IN_SERVICE")
    updated(script, DesiredInferenceUnits=4)
    described(script, "UPDATING", DesiredInferenceUnits=4)
    assert task.execute(context)["status"] == "UPDATING"  # type: ignore[arg-type]


def test_an_endpoint_that_serves_it_already_is_left_alone(context: dict[str, Any], answers: Any) -> None:
    task = operator(desired_inference_units=1)
    described(answers(task.hook), "IN_SERVICE", NEWER)
    assert task.execute(context) == {  # type: ignore[arg-type]
        **SERVES_V2,
        "previous_model_arn": NEWER,
        "previous_inference_units": 1,
    }


def test_what_another_target_of_the_task_remembered_is_not_told(
    context: dict[str, Any], answers: Any
) -> None:
    first = operator(wait_for_completion=False)
    script = answers(first.hook)
    described(script, "IN_SERVICE")
    updated(script, DesiredModelArn=NEWER)
    described(script, "UPDATING", DesiredModelArn=NEWER)
    first.execute(context)  # type: ignore[arg-type]
    cleared = operator(desired_model_arn=MODEL)
    described(answers(cleared.hook), "IN_SERVICE", MODEL, 2)
    assert cleared.execute(context)["previous_inference_units"] == 2  # type: ignore[arg-type]


def test_another_change_is_awaited_first(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    described(answers(task.hook), "CREATING")
    assert waits(task, context).kwargs == {"waited": ["settled"]}
    task = operator()
    script = answers(task.hook)
    described(script, "IN_SERVICE")
    script.add_client_error("update_endpoint", "ResourceInUseException")
    assert waits(task, context).kwargs == {"waited": ["settled"]}


def test_a_change_that_failed_says_what_is_still_served(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    described(answers(task.hook), "IN_SERVICE", Message="INTERNAL_ERROR: no.")
    with pytest.raises(
        EndpointUpdateFailedError, match=r"INTERNAL_ERROR: no\. It still serves tickets/version/v1 with 1 inf"
    ):
        task.execute_complete(context, {"status": "success"}, waited=["updated"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (None, "There is no such endpoint"),
        ("DELETING", "is being deleted: open it again"),
        ("FAILED", r"is FAILED: no message\. It served tickets/version/v1 .*Delete it, then open it again"),
    ],
)
def test_an_endpoint_that_serves_nothing_fails_the_task(
    context: dict[str, Any], answers: Any, status: str | None, message: str
) -> None:
    task = operator()
    described(answers(task.hook), status)
    with pytest.raises(EndpointBrokenError, match=message):
        task.execute(context)  # type: ignore[arg-type]


def test_a_model_that_was_deleted_is_named_with_a_remedy(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    script = answers(task.hook)
    described(script, "IN_SERVICE")
    script.add_client_error("update_endpoint", "ResourceNotFoundException")
    with pytest.raises(AirflowFailException, match=r"Cannot change the endpoint .*a classifier version that"):
        task.execute(context)  # type: ignore[arg-type]


def test_a_kill_lets_the_change_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    operator().on_kill()
    assert "The change of the endpoint continues" in capsys.readouterr().out
