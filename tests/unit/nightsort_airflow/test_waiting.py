from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from nightsort_airflow.triggers.comprehend import ComprehendDocumentClassificationJobTrigger
from nightsort_airflow.waiting import ComprehendWaitingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

CONNECTION: dict[str, Any] = {
    "aws_conn_id": "aws_other",
    "region_name": "eu-west-2",
    "verify": False,
    "botocore_config": {"read_timeout": 5},
}


class Waits(ComprehendWaitingOperator):
    default_waiter_delay = 30

    def execute(self, context: Context) -> Any:
        self.defer_to(
            ComprehendDocumentClassificationJobTrigger,
            job_id="j",
            delay=self.waiter_delay,
            max_attempts=self.waiter_max_attempts,
            resume_kwargs={"once": True},
        )


def test_a_deferral_takes_the_tasks_connection_and_times_out_after_all_polls(context: dict[str, Any]) -> None:
    task = Waits(task_id="wait", waiter_delay=10, waiter_max_attempts=4, **CONNECTION)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)  # type: ignore[arg-type]
    trigger = deferred.value.trigger
    assert {name: getattr(trigger, name) for name in CONNECTION} == CONNECTION
    assert (trigger.waiter_delay, trigger.attempts) == (10, 4)
    assert deferred.value.method_name == "execute_complete"
    assert deferred.value.kwargs == {"once": True}
    assert deferred.value.timeout == timedelta(seconds=60)


def test_the_defaults_are_the_operators_and_default_args_count() -> None:
    plain = Waits(task_id="plain")
    assert (plain.wait_for_completion, plain.waiter_delay, plain.waiter_max_attempts) == (True, 30, 2880)
    assert plain.deferrable is False
    told = Waits(task_id="told", default_args={"deferrable": True, "waiter_delay": 7})
    assert (told.deferrable, told.waiter_delay) == (True, 7)
