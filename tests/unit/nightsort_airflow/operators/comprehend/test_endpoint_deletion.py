from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from nightsort_airflow.exceptions import EndpointUnfinishedError
from nightsort_airflow.operators.comprehend import ComprehendDeleteEndpointOperator
from nightsort_airflow.triggers.endpoints import (
    ComprehendEndpointDeletedTrigger,
    ComprehendEndpointReadyTrigger,
)
from tests.unit.nightsort_airflow.operators.comprehend.endpoint_answers import (
    ARN,
    MODEL,
    SERVES_V1,
    described,
)

THERE_WAS_ONE = {
    "endpoint_arn": ARN,
    "deleted": True,
    "model_arn": MODEL,
    "inference_units": 1,
    "created_at": SERVES_V1["created_at"],
}


def operator(**overrides: Any) -> ComprehendDeleteEndpointOperator:
    arguments: dict[str, Any] = {
        "task_id": "close",
        "aws_conn_id": None,
        "region_name": "eu-west-1",
        "endpoint_arn": ARN,
        "deferrable": True,
        "waiter_delay": 1,
        "waiter_max_attempts": 1,
        **overrides,
    }
    return ComprehendDeleteEndpointOperator(**arguments)


def waits(task: ComprehendDeleteEndpointOperator, context: Any, *resumed: Any, **kwargs: Any) -> Any:
    with pytest.raises(TaskDeferred) as deferred:
        task.execute_complete(context, *resumed, **kwargs) if resumed else task.execute(context)
    return deferred.value


def deleted(script: Any) -> None:
    script.add_response("delete_endpoint", {}, {"EndpointArn": ARN})


@pytest.mark.parametrize("status", ["IN_SERVICE", "FAILED"])
def test_an_endpoint_is_deleted_and_awaited_until_it_is_gone(
    context: dict[str, Any], answers: Any, status: str
) -> None:
    task = operator()
    script = answers(task.hook)
    described(script, status)
    deleted(script)
    wait = waits(task, context)
    assert isinstance(wait.trigger, ComprehendEndpointDeletedTrigger)
    resumed = operator()
    described(answers(resumed.hook), None)
    assert resumed.execute_complete(context, {}, **wait.kwargs) == THERE_WAS_ONE  # type: ignore[arg-type]


def test_where_there_is_none_that_is_a_success(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    described(answers(task.hook), None)
    assert task.execute(context) == {"endpoint_arn": ARN, "deleted": False}  # type: ignore[arg-type]


def test_a_deletion_that_an_earlier_try_began_is_awaited(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    described(answers(task.hook), "DELETING")
    assert isinstance(waits(task, context).trigger, ComprehendEndpointDeletedTrigger)


@pytest.mark.parametrize("status", ["CREATING", "UPDATING"])
def test_an_endpoint_in_change_is_deleted_when_aws_allows_it_also_if_the_task_is_killed(
    context: dict[str, Any], answers: Any, status: str
) -> None:
    task = operator()
    described(answers(task.hook), status)
    wait = waits(task, context)
    assert isinstance(wait.trigger, ComprehendEndpointReadyTrigger)
    assert wait.trigger.delete_on_kill
    resumed = operator()
    script = answers(resumed.hook)
    described(script, "IN_SERVICE")
    deleted(script)
    assert isinstance(waits(resumed, context, {}, **wait.kwargs).trigger, ComprehendEndpointDeletedTrigger)


def test_without_waiting_the_task_ends_when_aws_has_taken_the_call(
    context: dict[str, Any], answers: Any
) -> None:
    task = operator(wait_for_completion=False)
    script = answers(task.hook)
    described(script, "IN_SERVICE")
    deleted(script)
    assert task.execute(context) == THERE_WAS_ONE  # type: ignore[arg-type]


def test_a_wait_that_was_too_short_fails_the_try(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    described(answers(task.hook), "DELETING")
    with pytest.raises(EndpointUnfinishedError, match="not deleted yet"):
        task.execute_complete(context, {"status": "error"}, waited=["deleted"])  # type: ignore[arg-type]


def test_a_missing_right_is_named(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    script = answers(task.hook)
    described(script, "IN_SERVICE")
    script.add_client_error("delete_endpoint", "AccessDeniedException")
    with pytest.raises(AirflowFailException, match=r"Cannot close the endpoint .*docs/iam/README\.md"):
        task.execute(context)  # type: ignore[arg-type]
