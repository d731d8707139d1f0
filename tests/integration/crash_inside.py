"""What runs inside the crash tests' Airflow: the real scheduler, LocalExecutor and task runner, kept warm.

A fork server imports this module once, and every process here is a fork of it, so that a scheduler is there
in a moment after it was killed. Three things differ from an installation: workers reach the Execution API in
their own process instead of over HTTP, the triggerer is a loop of a few lines that looks six times as often,
and answers of an endpoint are stored in small blocks. Importing this module reads Airflow's configuration: do
it in processes of :mod:`crash_airflow` only.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib
import json
import multiprocessing
import os
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pyarrow.parquet  # noqa: F401 - warms what tasks import
import s3fs  # noqa: F401
from airflow._shared.module_loading import import_string
from airflow.api.common.mark_tasks import set_dag_run_state_to_failed
from airflow.api.common.trigger_dag import trigger_dag
from airflow.configuration import conf
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
from airflow.jobs.job import Job, run_job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.backfill import ReprocessBehavior, _create_backfill
from airflow.models.dag import DagModel
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.pool import Pool
from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.models.trigger import Trigger
from airflow.sdk.execution_time import supervisor, task_runner
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select, update

import nightsort.batches.prepare
import nightsort.evaluation
import nightsort.results.join
import nightsort.training.prepare  # noqa: F401
from nightsort.comprehend import limits
from nightsort.real_time import classify
from nightsort.tables import load, runs, versions  # noqa: F401
from nightsort_airflow.hooks import comprehend, database, storage  # noqa: F401
from nightsort_airflow.operators import classification, training  # noqa: F401
from tests.integration import crash_small_cases

if TYPE_CHECKING:
    from collections.abc import Callable

BUNDLE = "dags-folder"
PLAN = Path(os.environ["NIGHTSORT_CRASH_PLAN"])
ALL_READ = PLAN.with_name("all-read")
HOURS_PASS = PLAN.with_name("hours-pass")
LOOK_SECONDS = 0.15
FAR_SECONDS = 30
HEARTBEAT_SECONDS = 0.2
ENDED = (TaskInstanceState.SUCCESS, TaskInstanceState.FAILED)

classify.STORED_TOGETHER = crash_small_cases.STORED_TOGETHER  # type: ignore[misc]
classify.REQUESTS_A_UNIT = crash_small_cases.REQUESTS  # type: ignore[misc]


async def _first_request() -> None:
    transport = httpx.ASGITransport(supervisor.in_process_api_server().app)
    async with httpx.AsyncClient(transport=transport, base_url="http://execution-api") as client:
        await client.get("/")


# Before any fork, and of whatever answer: the API makes its routes when it is first asked, which takes longer
# than a task.
asyncio.run(_first_request())
# What is imported is never collected, so forks share its memory instead of copying it.
gc.freeze()


# --- a user's and the DAG processor's part ------------------------------------------------------------------


def prepare_database() -> None:
    """Make Airflow's tables, and the pool that waiting tasks stand in."""
    initdb()
    Pool.create_or_update_pool(limits.POOL, 10, "", include_deferred=True)
    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]


def start_run(dag_id: str, day: str) -> str:
    """Parse the DAG files, and start a run by hand; give its id."""
    folder = Path(conf.get("core", "dags_folder"))
    bag = BundleDagBag(folder, bundle_path=folder, bundle_name=BUNDLE)
    assert not bag.import_errors, bag.import_errors
    with create_session() as session:
        sync_bag_to_db(bag, BUNDLE, None, session=session)
        session.execute(update(DagModel).values(is_paused=False))
    return again(dag_id, day)


def again(dag_id: str, day: str) -> str:
    """Start a run of a DAG that is known; give its id."""
    # The labelled source has no day, so the other DAG has no such Param and refuses it.
    given = {"day": day} if dag_id.startswith("classify_") else {}
    run = trigger_dag(dag_id, triggered_by=DagRunTriggeredByType.TEST, conf=given)
    assert run is not None
    return str(run.run_id)


def promoted(dag_id: str) -> str:
    """Start the run that Airflow starts when a version is promoted; give its id."""
    run = trigger_dag(dag_id, triggered_by=DagRunTriggeredByType.ASSET, run_type=DagRunType.ASSET_TRIGGERED)
    assert run is not None
    return str(run.run_id)


def clear(dag_id: str, run_id: str, task_id: str) -> None:
    """Do what the REST API does when a user clears a task."""
    with create_session() as session:
        found = session.scalars(
            select(TaskInstance).where(
                TaskInstance.dag_id == dag_id,
                TaskInstance.run_id == run_id,
                TaskInstance.task_id == task_id,
            )
        )
        clear_task_instances(list(found), session)


def give_up(dag_id: str, run_id: str) -> None:
    """Do what the REST API does when a user marks a run failed."""
    with create_session() as session:
        dag = DBDagBag().get_latest_version_of_dag(dag_id, session=session)
        assert dag is not None
        set_dag_run_state_to_failed(dag=dag, run_id=run_id, commit=True, session=session)


def backfill(dag_id: str, day: str) -> str:
    """Backfill one day, done or not; give the id of the run."""
    start = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    made = _create_backfill(
        dag_id=dag_id,
        from_date=start,
        to_date=start + timedelta(hours=23),
        max_active_runs=1,
        reverse=False,
        dag_run_conf=None,
        triggering_user_name="test",
        reprocess_behavior=ReprocessBehavior.COMPLETED,
    )
    with create_session() as session:
        (run_id,) = session.scalars(select(DagRun.run_id).where(DagRun.backfill_id == made.id))
    return str(run_id)


# --- what may be killed -------------------------------------------------------------------------------------


def scheduler() -> None:
    """Schedule, with workers of the LocalExecutor, until it is killed."""
    multiprocessing.set_start_method("fork", force=True)
    over_http = supervisor.supervise_task
    client = functools.cache(supervisor.InProcessTestSupervisor._api_client)

    def in_process(**arguments: Any) -> int:
        return over_http(**{**arguments, "client": client()})

    supervisor.supervise_task = in_process
    # So long a worker may wait before it sees that its task ended. The setting knows whole seconds alone.
    supervisor.MIN_HEARTBEAT_INTERVAL = HEARTBEAT_SECONDS  # type: ignore[assignment]
    ALL_READ.touch()  # Nobody reads what a scheduler before this one has not read.
    job = Job()  # type: ignore[no-untyped-call]
    run_job(job, execute_callable=_Scheduler(job=job)._execute)


class _Scheduler(SchedulerJobRunner):
    """Tells when it has read that a worker is done with a task; there is only one worker."""

    def _process_executor_events(self, executor: Any, session: Any) -> int:
        ended = any(state in ENDED for state, _ in executor.event_buffer.values())
        events = super()._process_executor_events(executor, session)
        if ended:
            ALL_READ.touch()
        if os.getppid() == 1:  # The tests themselves were killed.
            for worker in executor.workers.values():
                worker.kill()
            os._exit(1)
        return events


def triggerer() -> None:
    """Wait for what deferred tasks wait for, one after the other, until it or the tests are killed.

    It leaves a task alone until the scheduler has read that it deferred. The plugin's triggers wait a second
    for that reason (apache/airflow#67287); here, where time is compressed, that would not be long enough.
    """
    while os.getppid() != 1:
        read = ALL_READ.stat().st_mtime if ALL_READ.exists() else 0.0
        with create_session() as session:
            waiting = session.execute(
                select(Trigger.id, Trigger.classpath, TaskInstance.id)
                .join(TaskInstance, TaskInstance.trigger_id == Trigger.id)
                .where(
                    TaskInstance.state == TaskInstanceState.DEFERRED,
                    Trigger.created_date < datetime.fromtimestamp(read, timezone.utc),
                )
            ).all()
            kwargs = {row[0]: session.get_one(Trigger, row[0]).kwargs for row in waiting}
        for trigger_id, classpath, task in waiting:
            trigger = _in_a_hurry(classpath, kwargs[trigger_id])
            if trigger is None:
                continue
            event = supervisor.InProcessTestSupervisor.run_trigger_in_process(  # type: ignore[no-untyped-call]
                trigger=trigger, ti=SimpleNamespace(id=task)
            )
            with create_session() as session:
                Trigger.submit_event(trigger_id, event, session=session)
        time.sleep(LOOK_SECONDS)


def _in_a_hurry(classpath: str, kwargs: dict[str, Any]) -> Any:
    """Make a trigger for which time is compressed; None: it waits for a moment that has not come."""
    if "moment" not in kwargs:
        return import_string(classpath)(**{**kwargs, "waiter_delay": 0.1})
    left = (datetime.fromisoformat(kwargs["moment"]) - datetime.now(timezone.utc)).total_seconds()
    if left > FAR_SECONDS and not HOURS_PASS.exists():
        return None
    return import_string(classpath)(moment=datetime.now(timezone.utc).isoformat())


# --- death at a point ---------------------------------------------------------------------------------------

_run = task_runner.run


def _run_with_plan(ti: Any, context: Any, log: Any) -> Any:
    """Run a task; at the point that the plan names, raise, or stand still until the test kills."""
    plan = json.loads(PLAN.read_text())
    if plan and plan["task"] == ti.task_id and not Path(plan["reached"]).exists():
        _install(plan)
    return _run(ti, context, log)


task_runner.run = _run_with_plan


def _install(plan: dict[str, Any]) -> None:
    module, _, path = plan["call"].partition(":")
    *owners, name = path.split(".")
    owner: Any = functools.reduce(getattr, owners, importlib.import_module(module))
    function: Callable[..., Any] = getattr(owner, name)
    matches = 0

    @functools.wraps(function)
    def watched(*args: Any, **kwargs: Any) -> Any:
        nonlocal matches
        matches += plan["operation"] is None or plan["operation"] in args
        struck = matches == plan["time"] and (plan["operation"] is None or plan["operation"] in args)
        if struck and plan["when"] == "before":
            _strike(plan)
        given = function(*args, **kwargs)
        if struck and plan["when"] == "after":
            _strike(plan)
        return given

    setattr(owner, name, watched)


def _strike(plan: dict[str, Any]) -> None:
    reached = Path(plan["reached"])
    draft = reached.with_suffix(".new")
    draft.write_text(str(os.getpid()))
    draft.rename(reached)
    if plan["raises"]:
        raise ConnectionResetError("a connection that the test broke")
    # SIGKILL comes, or the test lets a task live on whose worker died.
    lives_on = Path(plan["lives_on"])
    while not lives_on.exists():
        time.sleep(0.01)
    # The test waits for this: its next plan would take the file away before it is seen.
    lives_on.unlink()
