"""Runs operators one by one, as Airflow's worker and triggerer would, with nothing of Airflow's own
database."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pkgutil import resolve_name
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.execution_time.context import OutletEventAccessors

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import BaseOperator


class TaskStateStore(dict[str, Any]):
    """Outlives the tries of a task instance."""

    def get(self, key: str, default: Any = None) -> Any:
        return dict.get(self, key, default)

    def set(self, key: str, value: Any) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


class TaskInstance:
    def __init__(self, run: OperatorRun, task_id: str, index: int | None) -> None:
        self.stats_tags: dict[str, str] = {}
        self._run, self._task_id, self._index = run, task_id, index

    def xcom_push(self, key: str, value: Any) -> None:
        pushed = self._run.pushed[self._task_id, key]
        pushed[self._index] = value
        self._run.xcoms[self._task_id, key] = list(pushed.values())

    def xcom_pull(self, task_ids: str | list[str], key: str = "return_value") -> Any:
        if isinstance(task_ids, list):
            return [value for task in task_ids for value in self._run.xcoms.get((task, key), [None])]
        return self._run.xcoms.get((task_ids, key), [None])[0]


@dataclass
class OperatorRun:
    """One DAG run: its XComs and task state stores.

    :param xcoms: by task and key, a value per map index.
    :param pushed: what the tasks pushed, by task and key, then by map index.
    :param events: what the tasks said about their outlets, in Airflow's own collection.
    :param run_id: Airflow's.
    :param conf: what a person entered who started it.
    """

    xcoms: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    pushed: dict[tuple[str, str], dict[int | None, Any]] = field(default_factory=lambda: defaultdict(dict))
    stores: dict[str, TaskStateStore] = field(default_factory=lambda: defaultdict(TaskStateStore))
    events: OutletEventAccessors = field(default_factory=OutletEventAccessors)
    run_id: str = "manual__1"
    conf: dict[str, str] = field(default_factory=dict)

    def context(self, task_id: str, store: str | None = None, index: int | None = None) -> Any:
        now = datetime.now(timezone.utc)
        return {
            "ti": TaskInstance(self, task_id, index),
            "task_state_store": self.stores[store or task_id],
            "dag": DAG("classify_trip", params={"day": None, "source_uri": None}),
            "dag_run": SimpleNamespace(
                dag_id="classify_trip",
                run_id=self.run_id,
                conf=self.conf,
                data_interval_start=None,
                data_interval_end=None,
                run_after=now,
                start_date=now,
            ),
            "outlet_events": self.events,
        }

    def execute(self, operator: BaseOperator, *, index: int | None = None) -> Any:
        """Run an operator to its end: defer, wait in its trigger, resume; keep what it gives."""
        context = self.context(operator.task_id, f"{operator.task_id}[{index}]", index)
        operator.render_template_fields(context)
        step: Callable[..., Any] = operator.execute
        arguments: dict[str, Any] = {}
        while True:
            try:
                given = step(context, **arguments)
                break
            except TaskDeferred as deferred:  # a wait in a trigger lies between two rounds
                payload = asyncio.run(first_event(deferred.trigger))
                step = getattr(operator, deferred.method_name)
                arguments = {**(deferred.kwargs or {}), "event": payload}
        context["ti"].xcom_push("return_value", given)
        return given


async def first_event(trigger: Any) -> dict[str, Any]:
    """Wait for a trigger as the triggerer does; what it was rebuilt from is what the database holds."""
    classpath, fields = trigger.serialize()
    rebuilt = resolve_name(classpath)(**fields)
    assert rebuilt.serialize() == (classpath, fields)
    async for event in rebuilt.run():
        payload: dict[str, Any] = event.payload
        return payload
    raise AssertionError("the trigger ended without an event")
