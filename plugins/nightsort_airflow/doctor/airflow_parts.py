"""Airflow itself: its settings, its components as its database has them, and the pool."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Final

from airflow.configuration import conf
from sqlalchemy.exc import SQLAlchemyError

from nightsort.batches.local_batch import MAX_BATCHES
from nightsort.comprehend.limits import POOL
from nightsort_airflow.doctor.findings import Check, cannot_tell, failed, ok, warning
from nightsort_airflow.settings import JOB_POLL_SECONDS, TRAINING_POLL_SECONDS, poll_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from nightsort_airflow.doctor.findings import Outcome

# Airflow's models are imported where they are used: they are for processes that may reach its database.

GROUP: Final = "Airflow"

COMPONENTS: Final = {
    "scheduler": ("SchedulerJob", "airflow scheduler"),
    "DAG processor": ("DagProcessorJob", "airflow dag-processor"),
    "triggerer": ("TriggererJob", "airflow triggerer"),
}
"""What must run, the kind of its entry in Airflow's database, and how it is started."""

SLOW_HEARTBEAT_SECONDS: Final = 120


def airflow_checks(dag_ids: Sequence[str]) -> list[Check]:
    """
    Return the checks that read Airflow's database. They need a command on one of Airflow's machines.

    :param dag_ids: the DAGs that there must be.
    """
    database = Check(GROUP, "database", _database)
    return [
        _settings(),
        database,
        *(Check(GROUP, name, partial(_component, name), (database,)) for name in COMPONENTS),
        Check(GROUP, f"pool {POOL}", pool, (database,)),
        Check(GROUP, "DAGs in the database", lambda: _stored_dags(dag_ids), (database,)),
    ]


def airflow_checks_in_a_task() -> list[Check]:
    """Return the checks of Airflow that a task can make, and CANNOT_TELL for the others."""
    return [_settings(), Check(GROUP, f"pool {POOL}", _pool_from_a_task)]


def pool_slots() -> int | None:
    """Return the slots of the pool; None where they are missing, endless or unknown."""
    try:
        found = _find_pool()
    except SQLAlchemyError:
        return None
    return found[0] if found and found[0] >= 0 else None


def pool() -> Outcome:
    """Check the pool of the tasks that wait for Comprehend."""
    found = _find_pool()
    make = f'airflow pools set {POOL} 10 "Active Comprehend jobs" --include-deferred'
    if found is None:
        return failed("does not exist, so no task that waits for Comprehend starts", make)
    slots, deferred = found
    if slots == 0:
        return failed("has no slots, so no task that waits for Comprehend starts", make)
    if not deferred:
        return warning(
            f"{slots} slots, but deferred tasks do not count, so more jobs are started than that", make
        )
    if slots < 0:
        return warning("has endless slots: more jobs are started than Comprehend takes at once", make)
    return ok(f"{slots} slots, deferred tasks included")


def _find_pool() -> tuple[int, bool] | None:
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session

    with create_session() as session:
        found = Pool.get_pool(POOL, session=session)
        return (found.slots, found.include_deferred) if found else None


def _pool_from_a_task() -> Outcome:
    return cannot_tell(
        "a task cannot read Airflow's database",
        f"see Admin, Pools, or run `airflow pools get {POOL}`; tasks that stay `scheduled` lack it",
    )


def _settings() -> Check:
    return Check(GROUP, "settings", _check_settings)


def _check_settings() -> Outcome:
    """Check the settings of this process. Each component has its own, from the same places."""
    if conf.get("core", "dag_ignore_file_syntax") != "glob":
        return failed(
            "[core] dag_ignore_file_syntax is not glob: Airflow executes every file in plugins/",
            "set it to glob, which is the default",
        )
    try:
        polls = poll_seconds(JOB_POLL_SECONDS), poll_seconds(TRAINING_POLL_SECONDS)
    except ValueError as error:
        return failed(str(error), "then restart workers and triggerer")
    if (most := conf.getint("core", "max_map_length")) < MAX_BATCHES:
        return warning(
            f"[core] max_map_length is {most}: a night of more batches fails",
            "set it to 1024, the default",
        )
    if (heartbeat := conf.getint("scheduler", "task_instance_heartbeat_timeout")) > SLOW_HEARTBEAT_SECONDS:
        return warning(
            f"[scheduler] task_instance_heartbeat_timeout is {heartbeat}: the task of a dead worker is "
            "retried only after so many seconds",
            "set it to 30 to 60, for the scheduler",
        )
    return ok(
        f"a dead worker is noticed within {heartbeat} s; Comprehend is polled every {polls[0]} s (jobs) "
        f"and {polls[1]} s (trainings)"
    )


def _database() -> Outcome:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    try:
        with create_session() as session:
            session.execute(text("SELECT 1 FROM dag")).first()
            dialect = session.get_bind().dialect.name
    except SQLAlchemyError as error:
        return failed(
            "[database] sql_alchemy_conn leads to no database with Airflow's tables: "
            f"{str(error).splitlines()[0]}",
            "run this in the environment of an Airflow process, after airflow db migrate",
        )
    if dialect == "sqlite":
        return warning("answers, but is SQLite, which Airflow supports only for trials", "use PostgreSQL")
    return ok(f"answers ({dialect})")


def _component(name: str) -> Outcome:
    from airflow.jobs.job import most_recent_job
    from airflow.utils.session import create_session

    kind, command = COMPONENTS[name]
    with create_session() as session:
        job = most_recent_job(kind, session=session)
        if job is None:
            return failed("never ran", f"start one: {command}")
        if not job.is_alive():
            return failed(
                f"was last alive at {job.latest_heartbeat:%Y-%m-%d %H:%M:%S} UTC", f"start it: {command}"
            )
        return ok(f"alive, on {job.hostname}")


def _stored_dags(dag_ids: Sequence[str]) -> Outcome:
    from airflow.utils.session import create_session

    with create_session() as session:
        missing, paused = _missing_and_paused(session, dag_ids)
    if missing:
        return failed(
            f"the DAG processor has not stored {', '.join(missing)}",
            "see the line on DAGs above; the DAG processor needs the specs and packages of this process "
            f"(NIGHTSORT_SPECS is {os.environ.get('NIGHTSORT_SPECS') or 'not set'} here)",
        )
    if paused:
        return ok(f"all stored; paused, so no schedule starts them: {', '.join(paused)}")
    return ok("all stored, none paused")


def _missing_and_paused(session: Session, dag_ids: Sequence[str]) -> tuple[list[str], list[str]]:
    from airflow.models.dag import DagModel
    from sqlalchemy import select

    rows = session.execute(
        select(DagModel.dag_id, DagModel.is_paused).where(DagModel.dag_id.in_(dag_ids), ~DagModel.is_stale)
    )
    found: dict[str, bool] = dict(rows.tuples().all())
    return [dag for dag in dag_ids if dag not in found], [dag for dag in dag_ids if found.get(dag)]
