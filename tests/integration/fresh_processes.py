"""Runs each task in a process of its own that knows nothing of the others, as on another machine."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from dataclasses import dataclass, field
from multiprocessing import forkserver
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow

# isort: split
from airflow.sdk.exceptions import AirflowSkipException

from tests.integration.operator_runs import OperatorRun

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from airflow.sdk import BaseOperator

# A process that has imported the operators and run nothing; each task is a fork of it.
CLEAN = multiprocessing.get_context("forkserver")
CLEAN.set_forkserver_preload(
    [
        "tests.integration.operator_trips",
        "s3fs",
        "nightsort.exports",
        "nightsort.evaluation",
        "nightsort.training.prepare",
    ]
)


@dataclass
class FreshProcesses(OperatorRun):
    """A DAG run whose tasks get what Airflow's database hands them, and nothing else.

    :param machines: in here each task has its own home, working folder and folder for temporary files.
    :param left: files that a task left behind there.
    """

    machines: Path = Path()
    left: list[str] = field(default_factory=list)

    def execute(self, operator: BaseOperator, *, index: int | None = None) -> Any:
        machine = Path(tempfile.mkdtemp(prefix=f"{operator.task_id}-", dir=self.machines))
        ours, theirs = CLEAN.Pipe()
        known = {"xcoms": self.xcoms, "pushed": dict(self.pushed), "stores": dict(self.stores)}
        arguments = (theirs, dict(os.environ), machine, operator, index, known)
        with pytest.MonkeyPatch.context() as patch:
            # What is imported ahead is looked for here; older Pythons do not hand on sys.path.
            patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
            forkserver.ensure_running()
        process = CLEAN.Process(target=_run_on, args=arguments)
        process.start()
        theirs.close()
        try:
            given, known, skipped = ours.recv()
        except EOFError:
            raise AssertionError(f"{operator.task_id} failed, see its traceback") from None
        finally:
            process.join()
        self.xcoms = known["xcoms"]
        self.pushed.update(known["pushed"])
        self.stores.update(known["stores"])
        self.left += [str(path.relative_to(self.machines)) for path in machine.rglob("*") if path.is_file()]
        if skipped:
            raise AirflowSkipException(skipped)
        return given


def _run_on(
    answer: Connection,
    environment: dict[str, str],
    machine: Path,
    operator: BaseOperator,
    index: int | None,
    known: dict[str, Any],
) -> None:
    os.environ.update(environment, HOME=str(machine), TMPDIR=str(machine))
    tempfile.tempdir = str(machine)
    os.chdir(machine)
    run = OperatorRun(xcoms=known["xcoms"])
    run.pushed.update(known["pushed"])
    run.stores.update(known["stores"])
    given = skipped = None
    try:
        given = run.execute(operator, index=index)
    except AirflowSkipException as reason:
        skipped = str(reason)
    known = {"xcoms": run.xcoms, "pushed": dict(run.pushed), "stores": dict(run.stores)}
    answer.send((given, known, skipped))
