"""
What Airflow's own database knows: schedules, the latest runs, failed tasks, questions that wait.

Its tables are no public interface, so the pages do without what cannot be read: a release of Airflow that
names them differently costs links and the next run, never a page.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import conf
from airflow.utils.session import create_session
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from nightsort_airflow.run_day import run_key_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

_OPEN: Final = ("queued", "running")
_UNSETTLED: Final = 10


@dataclass(frozen=True)
class DagFacts:
    """
    A DAG as Airflow has parsed it.

    :param next_run: when its next run begins; None if nothing starts it.
    :param is_paused: whether nothing starts until a person switches the DAG on.
    """

    next_run: datetime | None
    is_paused: bool


@dataclass(frozen=True)
class RunFacts:
    """
    A DAG run: its state, and of its tasks the one whose log says more.

    :param failed_task: the task that failed first; None if none did.
    :param map_index: of that task; -1 if it is not mapped.
    :param question: what a person is asked, if a task waits for the answer.
    :param run_key: the key of the run that it makes, of a nightly DAG; None if its day is not known.
    """

    dag_id: str
    run_id: str
    state: str
    started_at: datetime | None = None
    failed_task: str | None = None
    map_index: int = -1
    question: str | None = None
    run_key: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it has not ended yet."""
        return self.state in _OPEN

    @property
    def in_task(self) -> str:
        """In which task it failed, for a sentence; empty if no task did."""
        return f" in the task {self.failed_task}" if self.failed_task else ""


@dataclass(frozen=True)
class AirflowFacts:
    """
    What could be read; empty where nothing could.

    :param latest_runs: the latest run of each DAG.
    :param unsettled: by DAG its runs that go on or have failed, the latest first; at most ten.
    :param runs: these, and those that were asked for.
    """

    dags: dict[str, DagFacts] = field(default_factory=dict)
    latest_runs: dict[str, RunFacts] = field(default_factory=dict)
    unsettled: dict[str, list[RunFacts]] = field(default_factory=dict)
    runs: dict[tuple[str, str], RunFacts] = field(default_factory=dict)


class AirflowState:
    """Airflow's metadata database, read with the API server's own session."""

    def facts(
        self,
        dag_ids: Collection[str],
        runs: Collection[tuple[str, str]],
        timezones: Mapping[str, str] | None = None,
    ) -> AirflowFacts:
        """
        Return what Airflow knows of some DAGs, of their latest runs, and of some runs.

        :param dag_ids: the DAGs.
        :param runs: pairs of DAG id and run id.
        :param timezones: by DAG the time zone of its spec, for the days of its runs. (default: UTC)
        """
        try:
            with create_session() as session:
                latest, unsettled = _latest_runs(session, dag_ids), _unsettled(session, dag_ids)
                found = _runs(session, {*runs, *latest.values(), *unsettled}, timezones or {})
                by_dag: dict[str, list[RunFacts]] = {}
                for key in unsettled:
                    if key in found:
                        by_dag.setdefault(key[0], []).append(found[key])
                return AirflowFacts(
                    dags=_dags(session, dag_ids),
                    latest_runs={dag_id: found[key] for dag_id, key in latest.items() if key in found},
                    unsettled=by_dag,
                    runs=found,
                )
        except SQLAlchemyError as error:
            log.warning("Airflow's own tables could not be read: %s", type(error).__name__)
            return AirflowFacts()

    @property
    def starts_schedules(self) -> bool:
        """Whether the scheduler starts runs by their schedules at all."""
        return bool(conf.getboolean("scheduler", "use_job_schedule", fallback=True))


def _dags(session: Session, dag_ids: Collection[str]) -> dict[str, DagFacts]:
    columns = (DagModel.dag_id, DagModel.next_dagrun_create_after, DagModel.is_paused)
    rows = session.execute(select(*columns).where(DagModel.dag_id.in_(dag_ids)))
    return {dag_id: DagFacts(next_run, paused) for dag_id, next_run, paused in rows}


def _latest_runs(session: Session, dag_ids: Collection[str]) -> dict[str, tuple[str, str]]:
    newest = (
        select(DagRun.dag_id, func.max(DagRun.id).label("id"))
        .where(DagRun.dag_id.in_(dag_ids))
        .group_by(DagRun.dag_id)
        .subquery()
    )
    rows = session.execute(select(DagRun.dag_id, DagRun.run_id).join(newest, DagRun.id == newest.c.id))
    return {dag_id: (dag_id, run_id) for dag_id, run_id in rows}


def _unsettled(session: Session, dag_ids: Collection[str]) -> list[tuple[str, str]]:
    """Return the last runs of each DAG that go on or have failed; the latest by its schedule comes first."""
    number = func.row_number().over(
        # Not by id: a backfill of older days may have come later than a night that failed.
        partition_by=DagRun.dag_id,
        order_by=(DagRun.run_after.desc(), DagRun.id.desc()),
    )
    numbered = (
        select(DagRun.dag_id, DagRun.run_id, number.label("number"))
        .where(DagRun.dag_id.in_(dag_ids), DagRun.state.in_((*_OPEN, "failed")))
        .subquery()
    )
    rows = session.execute(
        select(numbered.c.dag_id, numbered.c.run_id)
        .where(numbered.c.number <= _UNSETTLED)
        .order_by(numbered.c.dag_id, numbered.c.number)
    )
    return [(dag_id, run_id) for dag_id, run_id in rows]


def _runs(
    session: Session, keys: Collection[tuple[str, str]], timezones: Mapping[str, str]
) -> dict[tuple[str, str], RunFacts]:
    if not keys:
        return {}
    dag_ids = {dag_id for dag_id, _ in keys}
    run_ids = {run_id for _, run_id in keys}
    columns = (
        *(DagRun.dag_id, DagRun.run_id, DagRun.state, DagRun.start_date, DagRun.conf, DagRun.run_type),
        *(DagRun.data_interval_start, DagRun.data_interval_end, DagRun.run_after),
    )
    of_runs = select(*columns).where(DagRun.dag_id.in_(dag_ids), DagRun.run_id.in_(run_ids))
    failed = (
        select(TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id, TaskInstance.map_index)
        .where(
            TaskInstance.dag_id.in_(dag_ids), TaskInstance.run_id.in_(run_ids), TaskInstance.state == "failed"
        )
        # The first one of a run is seen last, so it stays.
        .order_by(TaskInstance.end_date.desc())
    )
    waiting = (
        select(TaskInstance.dag_id, TaskInstance.run_id, HITLDetail.subject)
        .join(HITLDetail, HITLDetail.ti_id == TaskInstance.id)
        .where(
            TaskInstance.dag_id.in_(dag_ids),
            TaskInstance.run_id.in_(run_ids),
            HITLDetail.responded_at.is_(None),
            # A question that nobody answered in time stays without an answer.
            TaskInstance.state.not_in(("failed", "success", "skipped", "removed")),
        )
    )
    tasks: dict[tuple[str, str], dict[str, Any]] = {}
    for dag_id, run_id, task_id, map_index in session.execute(failed):
        tasks.setdefault((dag_id, run_id), {}).update(failed_task=task_id, map_index=map_index)
    for dag_id, run_id, subject in session.execute(waiting):
        tasks.setdefault((dag_id, run_id), {})["question"] = subject
    return {
        key: RunFacts(
            *key,
            str(row.state),
            row.start_date,
            **tasks.get(key, {}),
            run_key=run_key_of(row, timezones.get(row.dag_id, "UTC")),
        )
        for row in session.execute(of_runs)
        if (key := (row.dag_id, row.run_id)) in keys
    }
