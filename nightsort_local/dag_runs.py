"""Trigger a DAG and follow the run to its end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nightsort.wording import number_of
from nightsort_local.dag_specs import FILES_OF_KINDS, SPEC_CHECK
from nightsort_local.errors import StackError, StillRunningError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from nightsort_local.airflow_api import AirflowApi, DagInfo, DagRun, TaskInstance

POLL_SECONDS = 0.3
PARSE_ROUND_SECONDS = 30
"""Twice the sum of the DAG processor's two intervals: by then it has parsed every file."""
SAY_SECONDS = 60
"""How often a task that takes long is shown with the last line of its log."""
MOST_SAID = 4
MOST_CHARACTERS = 300
SAYS_NOTHING = ("Pausing task as", "AWS Connection (conn_id=", "trigger ")
"""Lines of Airflow that do not say what a task waits for."""
WARNING = "WARNING "
STALE_LOOK_SECONDS = 10
STALE_SECONDS = 60
"""A DAG that its file no longer has for so long does not come back by itself."""
UNSTARTED_STATES = ("waiting", "scheduled", "queued")
SETTLED_STATES = ("success", "failed", "upstream_failed", "skipped", "removed")


@dataclass(frozen=True)
class DagRunResult:
    """The result of a run.

    :param seconds: the duration.
    :param log_tails: the last log lines of each failed task, by the task's label.
    :param warnings: what the tasks that succeeded warned of; mapped tasks are left out, since there may be
        thousands.
    """

    dag_id: str
    run_id: str
    state: str
    seconds: float
    tasks: tuple[TaskInstance, ...]
    log_tails: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

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

    def run_says(self, what: str) -> None:
        """Handle a text on what the run waits for."""


class Silent:
    """An observer that prints nothing."""

    def run_started(self, dag_id: str, run_id: str) -> None:
        """Say nothing."""

    def run_moved(self, run: DagRun, tasks: Sequence[TaskInstance]) -> None:
        """Say nothing."""

    def run_says(self, what: str) -> None:
        """Say nothing."""


def newest_change(folders: Iterable[str]) -> datetime:
    """Return the time of the last change of a DAG file or spec in these folders."""
    moments = [0.0]
    for folder in folders:
        files = (path for path in Path(folder).rglob("*") if path.suffix in (".py", ".yaml", ".yml"))
        moments += [path.stat().st_mtime for path in files]
    return datetime.fromtimestamp(max(moments), timezone.utc)


def wait_until_parsed(
    api: AirflowApi,
    dag_id: str,
    *,
    changed: datetime,
    timeout: float,
    report: Callable[[str], None] = lambda what: None,
) -> DagInfo:
    """Wait until Airflow has parsed the current version of the DAG.

    :param changed: last change of its files; a DAG parsed earlier is outdated.
    :param timeout: seconds.
    :param report: receives a short text if there is something to wait for.
    :raises StackError: Airflow does not have the DAG in time; the message lists import errors or all DAGs.
    """
    began = time.monotonic()
    while True:
        dag = api.dag(dag_id)
        if dag is not None and dag.is_stale:
            dag = None
        if dag is not None and _is_newer(dag, changed):
            return dag
        waited = time.monotonic() - began
        if waited > timeout or (dag is None and _has_failed_since(api, changed)):
            break
        if dag is None and waited > PARSE_ROUND_SECONDS:
            others = api.dags()
            if others and all(_is_newer(other, changed) for other in others):
                break
        report(f"waiting until Airflow has read the DAG {dag_id}")
        time.sleep(POLL_SECONDS)
    if dag is not None and not dag.has_import_errors:
        # The clock was changed or a file has a time in the future: use the DAG that Airflow has.
        return dag
    # Other broken specs are the problem of other DAGs. That of this one was looked at before, except for what
    # only Airflow finds out, such as a notifier that is not installed.
    name = dag_id.partition("_")[2]
    problems = [
        each
        for each in api.import_problems()
        if Path(each.file).name != SPEC_CHECK or (name and name in each.stack_trace)
    ]
    if problems:
        listed = "\n".join(f"{problem.file}:\n{problem.stack_trace}" for problem in problems)
        raise StackError(f"Airflow has no usable DAG {dag_id}. Import errors:\n{listed}")
    known = ", ".join(sorted(info.dag_id for info in api.dags())) or "none"
    raise StackError(f"Airflow has no DAG {dag_id}. Its DAGs: {known}.")


def _is_newer(dag: DagInfo, changed: datetime) -> bool:
    return dag.last_parsed is not None and dag.last_parsed > changed


def _has_failed_since(api: AirflowApi, changed: datetime) -> bool:
    """Return whether one of the files that make DAGs of specs could not be imported after the last change."""
    ours = FILES_OF_KINDS.values()
    return any(
        Path(problem.file).name in ours and problem.found is not None and problem.found > changed
        for problem in api.import_problems()
    )


def run_and_follow(
    api: AirflowApi,
    dag: DagInfo,
    conf: Mapping[str, Any],
    *,
    timeout: float,
    observer: RunObserver,
) -> DagRunResult:
    """Trigger the DAG, unpause it if needed, and follow the run to its end.

    A run with the same params that has not ended is followed, and no other is triggered: it is that of a
    command that was interrupted.

    :param timeout: seconds to wait. Until then, a request that fails is sent again.
    :raises StillRunningError: the run has not ended in time. It goes on.
    :raises StackError: Airflow no longer has the DAG.
    """
    started = time.monotonic()
    with api.patient_until(started + timeout):
        run = _same_run(api, dag.dag_id, conf)
        if run is not None:
            observer.run_says(f"{run.run_id} runs already, and is followed")
        else:
            run = api.trigger(dag.dag_id, conf)
        if dag.is_paused:
            # After the trigger: the run exists and so keeps a schedule from starting another
            # (max_active_runs).
            api.unpause(dag.dag_id)
        observer.run_started(run.dag_id, run.run_id)
        run, tasks = _follow(api, run, started + timeout, observer)
        tails = {
            task.label: "\n".join(api.log_lines(run.dag_id, run.run_id, task)[-25:])
            for task in tasks
            if task.state == "failed" and task.try_number > 0
        }
        warnings = tuple(
            line.removeprefix(WARNING)
            for task in tasks
            if task.state == "success" and task.map_index < 0
            for line in api.log_lines(run.dag_id, run.run_id, task)
            if line.startswith(WARNING)
        )
    seconds = time.monotonic() - started
    return DagRunResult(run.dag_id, run.run_id, run.state, seconds, tuple(tasks), tails, warnings)


def _same_run(api: AirflowApi, dag_id: str, conf: Mapping[str, Any]) -> DagRun | None:
    runs = (run for run in api.active_runs(dag_id) if run.is_manual and dict(run.conf) == dict(conf))
    return next(runs, None)


def _follow(
    api: AirflowApi, run: DagRun, until: float, observer: RunObserver
) -> tuple[DagRun, list[TaskInstance]]:
    """Follow a run until it ends, or until this moment of :func:`time.monotonic`."""
    rank = {task_id: position for position, task_id in enumerate(api.task_order(run.dag_id))}
    began = said = time.monotonic()
    absence = _Absence(api, run)
    while True:
        run = api.run(run.dag_id, run.run_id)
        tasks = sorted(
            api.task_instances(run.dag_id, run.run_id),
            key=lambda task: (rank.get(task.task_id, len(rank)), task.map_index),
        )
        observer.run_moved(run, tasks)
        if run.is_over:
            return run, tasks
        now = time.monotonic()
        unsettled = [task for task in tasks if task.state not in SETTLED_STATES]
        if now > until:
            waiting = ", ".join(f"{task.label} ({task.state})" for task in unsettled)
            raise StillRunningError(
                f"The run {run.run_id} of {run.dag_id} is still {run.state} after {now - began:.0f} s, and "
                f"goes on. Unfinished tasks: {waiting or 'none'}. The same command follows it again."
            )
        if now - said >= SAY_SECONDS:
            said = now
            for what in _long_waits(api, run, unsettled):
                observer.run_says(what)
        absence.look()
        time.sleep(POLL_SECONDS)


def _long_waits(api: AirflowApi, run: DagRun, unsettled: Sequence[TaskInstance]) -> list[str]:
    """Return a line for each task that works or waits: its state, and the last line of its log."""
    begun = [task for task in unsettled if task.state not in UNSTARTED_STATES]
    if not begun:
        return [f"the run is {run.state}; no task has begun to work"]
    lines = []
    for task in begun[:MOST_SAID]:
        took = f" for {number_of(round(task.seconds / 60), 'minute')}" if task.seconds else ""
        log = api.log_lines(run.dag_id, run.run_id, task) if task.try_number > 0 else []
        said = (line for line in reversed(log) if not line.startswith(SAYS_NOTHING))
        last = next(said, "").partition("\n")[0]
        lines.append(f"{task.label}: {task.state}{took}. {last[:MOST_CHARACTERS]}".rstrip())
    if len(begun) > MOST_SAID:
        lines.append(f"and {number_of(len(begun) - MOST_SAID, 'more task')}")
    return lines


class _Absence:
    """End a run whose DAG is no longer there: Airflow would let it wait for ever."""

    def __init__(self, api: AirflowApi, run: DagRun) -> None:
        self._api = api
        self._run = run
        self._looked = time.monotonic()
        self._since: float | None = None

    def look(self) -> None:
        """Look from time to time.

        :raises StackError: the DAG has been absent for too long.
        """
        now = time.monotonic()
        if now - self._looked < STALE_LOOK_SECONDS:
            return
        self._looked = now
        dag = self._api.dag(self._run.dag_id)
        if dag is not None and not dag.is_stale:
            self._since = None
            return
        self._since = self._since or now
        if now - self._since < STALE_SECONDS:
            return
        self._api.fail_run(self._run)
        problems = "".join(f"\n{each.file}:\n{each.stack_trace}" for each in self._api.import_problems())
        raise StackError(
            f"Airflow no longer has the DAG {self._run.dag_id}, so the run {self._run.run_id} could not go "
            "on and was marked as failed. Correct its spec or its file, then run it again: finished work is "
            f"found and not repeated.{problems}"
        )
