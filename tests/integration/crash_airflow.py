"""An Airflow whose processes a test may kill, driven from outside of it."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import quote

import psutil
import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests.integration.local_aws_server import CREDENTIALS, PROJECT, REGION

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

    from tests.integration.crash_points import Point

LONGEST_SECONDS = 600
TIME_PASSES_SECONDS = 0.3


class StuckError(AssertionError):
    """What was waited for did not come; says what Airflow's processes said last."""


class CrashableAirflow:
    """Scheduler, LocalExecutor and triggerer in processes of their own, on a database of their own.

    :param folder: for its files.
    :param database: connection string of its empty database.
    :param tables: connection string of Nightsort's database.
    :param aws_url: the endpoint of the local AWS.
    """

    def __init__(self, folder: Path, *, database: str, tables: str, aws_url: str) -> None:
        self.specs = folder / "specs"
        self.specs.mkdir()
        self._plan = folder / "plan.json"
        self._reached, self._lives_on = folder / "reached", folder / "lives-on"
        self._hours_pass = folder / "hours-pass"
        self._log = folder / "airflow.log"
        self._environment = self._settings(folder, database, tables, aws_url)
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(["tests.integration.crash_inside"])
        self._scheduler: ForkServerProcess | None = None
        self._triggerer: ForkServerProcess | None = None
        self._database = psycopg.connect(database, autocommit=True)
        self.plan(None)
        with mock.patch.dict(os.environ, self._environment):
            self.call("prepare_database")

    def close(self) -> None:
        """End all of its processes."""
        self.kill_scheduler()
        self.kill_triggerer()
        self._database.close()

    # --- its processes

    def up(self) -> None:
        """Start what is not running."""
        if self._scheduler is None or not self._scheduler.is_alive():
            self._scheduler = self._start("scheduler")
        if self._triggerer is None or not self._triggerer.is_alive():
            self._triggerer = self._start("triggerer")

    def kill_scheduler(self) -> None:
        """Kill the scheduler with its workers and their tasks, as the death of a machine does."""
        if self._scheduler is not None and self._scheduler.pid is not None:
            with suppress(psutil.NoSuchProcess):
                family = psutil.Process(self._scheduler.pid)
                kill(family, *family.children(recursive=True))
            self._scheduler.join()

    def kill_triggerer(self) -> None:
        """Kill the triggerer."""
        if self._triggerer is not None:
            self._triggerer.kill()
            self._triggerer.join()

    def call(self, name: str, *arguments: Any) -> Any:
        """Run a function of ``crash_inside`` in a process of its own; give what it gives."""
        receiver, sender = self._processes.Pipe(duplex=False)
        process = self._start(name, *arguments, sender=sender)
        sender.close()
        with suppress(EOFError):
            return receiver.recv()
        process.join()
        raise StuckError(f"{name} failed:\n{self.said()}")

    def _start(self, name: str, *arguments: Any, sender: Any = None) -> ForkServerProcess:
        process = self._processes.Process(target=_inside, args=(str(self._log), sender, name, *arguments))
        process.start()
        return process

    def said(self) -> str:
        """The end of what its processes printed."""
        return self._log.read_text(errors="replace")[-6000:]

    def let_hours_pass(self, pass_: bool) -> None:
        """Have tasks that wait for a moment which is far away be resumed now, or let them wait."""
        if pass_:
            self._hours_pass.touch()
        else:
            self._hours_pass.unlink(missing_ok=True)

    # --- death at a point

    def plan(self, task_id: str | None, point: Point | None = None, *, raises: bool = False) -> None:
        """Have a task stand still at a point, or raise there; once. Without a task: let all tasks be."""
        for file in (self._reached, self._lives_on):
            file.unlink(missing_ok=True)
        plan = point and {
            "task": task_id,
            "call": point.call,
            "when": point.when,
            "operation": point.operation,
            "time": point.time,
            "raises": raises,
            "reached": str(self._reached),
            "lives_on": str(self._lives_on),
        }
        draft = self._plan.with_suffix(".new")
        draft.write_text(json.dumps(plan))
        draft.rename(self._plan)

    def reached(self) -> psutil.Process | None:
        """The process of the task that came to the point of the plan, or None."""
        return psutil.Process(int(self._reached.read_text())) if self._reached.exists() else None

    def was_struck(self) -> bool:
        """Whether a task came to the point of the plan."""
        return self._reached.exists()

    def let_it_live_on(self) -> None:
        """Let the task go on that stands still, if one does; return when it has taken note of that."""
        if not self.was_struck():
            return
        self._lives_on.touch()
        end = time.monotonic() + LONGEST_SECONDS
        while self._lives_on.exists():
            assert time.monotonic() < end, "the task that was struck does not go on"
            time.sleep(0.01)

    def running_task(self) -> psutil.Process:
        """The process of the task that runs, where there is only one."""
        (task,) = [task for worker in self._workers() for task in worker.children()]
        return task

    # --- what Airflow's database says

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask Airflow's database."""
        return self._database.execute(statement.encode(), values).fetchall()

    def state(self, dag_id: str, run_id: str) -> str:
        """The state of a run."""
        ((state,),) = self.query(
            "SELECT state FROM dag_run WHERE dag_id = %s AND run_id = %s", dag_id, run_id
        )
        return str(state)

    def task_states(self, dag_id: str, run_id: str, task_id: str) -> set[str | None]:
        """The states of a task of a run."""
        rows = self.query(
            "SELECT state FROM task_instance WHERE dag_id = %s AND run_id = %s AND task_id = %s",
            dag_id,
            run_id,
            task_id,
        )
        return {state for (state,) in rows}

    def end_runs(self) -> bool:
        """End the runs that have not ended; tell whether there were any."""
        statement = "UPDATE dag_run SET state = 'failed' WHERE state IN ('running', 'queued')"
        return bool(self._database.execute(statement).rowcount)

    def let_time_pass(self) -> None:
        """Have every wait behind it that Airflow itself ends: retry delays, and heartbeats that stay out."""
        self._database.execute(
            "UPDATE task_instance SET end_date = end_date - interval '1 day' WHERE state = 'up_for_retry'"
        )
        # The newest scheduler's predecessors are dead.
        self._database.execute(
            "UPDATE job SET latest_heartbeat = latest_heartbeat - interval '1 day' WHERE state = 'running' "
            "AND id < (SELECT max(id) FROM job)"
        )
        dead = [
            task
            for task, pid in self.query(
                "SELECT id, pid FROM task_instance WHERE state IN ('running', 'restarting')"
            )
            if pid is not None and not self._supervised(pid)
        ]
        self._database.execute(
            "UPDATE task_instance SET last_heartbeat_at = last_heartbeat_at - interval '1 day' "
            "WHERE id = ANY(%s)",
            (dead,),
        )

    def _supervised(self, pid: int) -> bool:
        """Whether a task's process lives and has its worker still."""
        try:
            return psutil.Process(pid).ppid() in {worker.pid for worker in self._workers()}
        except psutil.NoSuchProcess:
            return False

    def _workers(self) -> list[psutil.Process]:
        assert self._scheduler is not None
        try:
            return psutil.Process(self._scheduler.pid).children()
        except psutil.NoSuchProcess:
            return []

    def wait_until(self, condition: Any, what: str) -> None:
        """Wait for something; time passes meanwhile.

        :raises StuckError: it does not come.
        """
        now = time.monotonic()
        end, passes = now + LONGEST_SECONDS, now
        while not condition():
            now = time.monotonic()
            if now > end:
                raise StuckError(f"Not in {LONGEST_SECONDS} s: {what}\n{self.said()}")
            if now > passes:
                self.up()
                self.let_time_pass()
                passes = now + TIME_PASSES_SECONDS
            time.sleep(0.05)

    def _settings(self, folder: Path, database: str, tables: str, aws_url: str) -> dict[str, str]:
        ours, theirs = conninfo_to_dict(database), conninfo_to_dict(tables)
        aws = {
            "conn_type": "aws",
            "login": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "password": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            "extra": {"region_name": REGION, "endpoint_url": aws_url},
        }
        tables_connection = {
            "conn_type": "postgres",
            "host": theirs["host"],
            "login": theirs["user"],
            "schema": theirs["dbname"],
        }
        url = (
            f"postgresql+psycopg2://{ours['user']}@/{ours['dbname']}?host={quote(str(ours['host']), safe='')}"
        )
        return {
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "1",
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.15",
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "0.5",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "0.5",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws),
            "AIRFLOW_CONN_NIGHTSORT_DB": json.dumps(tables_connection),
            "NIGHTSORT_SPECS": str(self.specs),
            "NIGHTSORT_POLL_SECONDS": "1",
            "NIGHTSORT_CRASH_PLAN": str(self._plan),
        }


def kill(*processes: psutil.Process) -> None:
    """Kill processes, and wait until they are gone."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    psutil.wait_procs(processes, timeout=10)


def _inside(log: str, sender: Any, name: str, *arguments: Any) -> None:
    """Call a function of :mod:`tests.integration.crash_inside`; runs in a fork of the fork server."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(file, descriptor)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    given = getattr(importlib.import_module("tests.integration.crash_inside"), name)(*arguments)
    if sender is not None:
        sender.send(given)
