"""Trigger a DAG and follow the run to its end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nightsort_local.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nightsort_local.airflow_api import AirflowApi, DagInfo, DagRun, TaskInstance

POLL_SECONDS = 0.3
PARSE_ROUND_SECONDS = 30
"""Twice the sum of the DAG processor's two intervals: by then it has parsed every file."""
SETTLED_STATES = ("success", "failed", "upstream_failed", "skipped", "removed")


@dataclass(frozen=True)
class DagRunResult:
    """The result of a run.

    :param seconds: the duration.
    :param log_tails: the last log lines of each failed task, by the task's label.
    """

    dag_id: str
    run_id: str
    state: str
    seconds: float
    tasks: tuple[TaskInstance, ...]
    log_tails: Mapping[str, str] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Whether the run succeeded."""
        return self.state == "success"

    def states(self) -> dict[str, str]:
        """Return each task's final state, by its label."""
        return {task.label: task.state for task in self.tasks}


class RunObserver(Protocol):
    """Observer of a run's progress."""

    def run_started(self, dag_id: str, run_id: str) -> None:
        """Handle the start of a run."""

    def run_moved(self, run: DagRun, tasks: Sequence[TaskInstance]) -> None:
        """Handle the current state; called several times per second."""


class Silent:
    """An observer that prints nothing."""

    def run_started(self, dag_id: str, run_id: str) -> None:
        """Say nothing."""

    def run_moved(self, run: DagRun, tasks: Sequence[TaskInstance]) -> None:
        """Say nothing."""


def newest_change(folders: Iterable[str]) -> datetime:
    """Return the time of the last change of a DAG file or spec in these folders."""
    moments = [0.0]
    for folder in folders:
        files = (path for path in Path(folder).rglob("*") if path.suffix in (".py", ".yaml", ".yml"))
        moments += [path.stat().st_mtime for path in files]
    return datetime.fromtimestamp(max(moments), timezone.utc)


def wait_until_parsed(api: AirflowApi, dag_id: str, *, changed: datetime, timeout: float) -> DagInfo:
    """Wait until Airflow has parsed the current version of the DAG.

    :param changed: last change of its files; a DAG parsed earlier is outdated.
    :param timeout: seconds.
    :raises StackError: Airflow does not have the DAG in time; the message lists import errors or all DAGs.
    """
    began = time.monotonic()
    while True:
        dag = api.dag(dag_id)
        if dag is not None and _is_newer(dag, changed):
            return dag
        waited = time.monotonic() - began
        if waited > timeout:
            break
        if dag is None and waited > PARSE_ROUND_SECONDS:
            others = api.dags()
            if others and all(_is_newer(other, changed) for other in others):
                break
        time.sleep(POLL_SECONDS)
    if dag is not None and not dag.has_import_errors:
        # The clock was changed or a file has a time in the future: use the DAG that Airflow has.
        return dag
    problems = api.import_problems()
    if problems:
        listed = "\n".join(f"{problem.file}:\n{problem.stack_trace}" for problem in problems)
        raise StackError(f"Airflow has no usable DAG {dag_id}. Import errors:\n{listed}")
    known = ", ".join(sorted(info.dag_id for info in api.dags())) or "none"
    raise StackError(f"Airflow has no DAG {dag_id}. Its DAGs: {known}.")


def _is_newer(dag: DagInfo, changed: datetime) -> bool:
    return dag.last_parsed is not None and dag.last_parsed > changed


def run_and_follow(
    api: AirflowApi,
    dag: DagInfo,
    conf: Mapping[str, Any],
    *,
    timeout: float,
    observer: RunObserver,
) -> DagRunResult:
    """Trigger the DAG, unpause it if needed, and follow the run to its end.

    :param timeout: seconds to wait. After that, the run itself continues.
    :raises StackError: the run has not ended in time.
    """
    started = time.monotonic()
    run = api.trigger(dag.dag_id, conf)
    if dag.is_paused:
        # After the trigger: the run exists and so keeps a schedule from starting another (max_active_runs).
        api.unpause(dag.dag_id)
    observer.run_started(run.dag_id, run.run_id)
    rank = {task_id: position for position, task_id in enumerate(api.task_order(dag.dag_id))}
    while True:
        run = api.run(run.dag_id, run.run_id)
        tasks = sorted(
            api.task_instances(run.dag_id, run.run_id),
            key=lambda task: (rank.get(task.task_id, len(rank)), task.map_index),
        )
        observer.run_moved(run, tasks)
        if run.is_over:
            break
        if time.monotonic() - started > timeout:
            unsettled = [task for task in tasks if task.state not in SETTLED_STATES]
            waiting = ", ".join(f"{task.label} ({task.state})" for task in unsettled)
            raise StackError(
                f"The run {run.run_id} of {run.dag_id} is still {run.state} after {timeout:.0f} s; "
                f"unfinished tasks: {waiting or 'none'}."
            )
        time.sleep(POLL_SECONDS)
    tails = {
        task.label: "\n".join(api.log_lines(run.dag_id, run.run_id, task)[-25:])
        for task in tasks
        if task.state == "failed" and task.try_number > 0
    }
    return DagRunResult(run.dag_id, run.run_id, run.state, time.monotonic() - started, tuple(tasks), tails)
