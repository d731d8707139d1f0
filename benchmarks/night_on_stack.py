"""A whole night on the local stack: the DAG as it is, Airflow's part, and the local Comprehend's."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np
import psutil

from benchmarks import batches
from benchmarks.measured_step import linux_peak_mb
from benchmarks.measuring import Comparison, Contender, Target
from benchmarks.random_texts import RandomTexts
from benchmarks.trained_stack import (
    BUCKET,
    jobs_of,
    run_seconds,
    run_to_success,
    running_stack,
    spec,
    trained_stack,
    unused_day,
    write,
)
from nightsort_local.dag_runs import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from nightsort_local.airflow_api import DagRun, TaskInstance
    from nightsort_local.stack import LocalStack

SOURCE = "incoming/documents.csv"
DOCUMENTS_PER_BATCH = 50_000

_SEED = 20_261_121
_LABELLED, _LABELS = 2_500, 25
_TASK_PROCESS, _WORKER_PROCESS = "airflow worker -- ", "airflow worker -- LocalExecutor"
"""How Airflow entitles them. The second is the parent of the tasks that it runs."""


@contextmanager
def stack_for_texts(folder: Path) -> Iterator[dict[str, str]]:
    """Run a local stack with a classifier that was trained on texts like those to come."""
    texts = RandomTexts(_SEED).column(np.random.default_rng(_SEED), _LABELLED).to_pylist()
    names = [f"label{number % _LABELS}" for number in range(_LABELLED)]
    labelled = [(name, f"{name} {text}") for name, text in zip(names, texts, strict=True)]
    settings = spec(
        incoming={"uri": f"{BUCKET}/{SOURCE}", "format": "csv", "id_column": "id"},
        batch={"max_documents": DOCUMENTS_PER_BATCH},
    )
    with trained_stack(folder, settings, labelled) as variables:
        yield variables


def make(folder: Path, size: int) -> None:
    """Put so many documents where each night finds them."""
    batches.make(folder, size)
    running_stack()
    write(SOURCE, (folder / batches.INCOMING / "documents.csv").read_bytes())


def on_the_stack(folder: Path, size: int) -> dict[str, float]:
    """`classify_<name>` on the local stack, Comprehend's part with it."""
    stack = running_stack()
    day = unused_day()
    watch = _TaskMemory(stack)
    result = run_to_success(stack, "classify_night", {"day": str(day)}, watch)
    jobs = jobs_of(day)
    seconds = run_seconds(stack, result)
    submitted, ended = min(job["SubmitTime"] for job in jobs), max(job["EndTime"] for job in jobs)
    return {
        "batches": len(jobs),
        "run_seconds": seconds,
        "documents_per_second": size / seconds,
        "prepare_seconds": _longest(result.tasks, "prepare_batches"),
        "comprehend_seconds": (ended - submitted).total_seconds(),
        "load_seconds": _longest(result.tasks, "classify_batch.load_predictions"),
        "reconcile_seconds": _longest(result.tasks, "reconcile_run"),
        "task_peak_mb": watch.peak_mb,
    }


def _longest(tasks: Sequence[TaskInstance], task_id: str) -> float:
    return max(task.seconds or 0.0 for task in tasks if task.task_id == task_id)


def task_peak_mb(ancestor: psutil.Process) -> float:
    """Return the most memory that a task's process below this one has had up to now, 0 if there is none."""
    peaks = [0.0]
    for process in ancestor.children(recursive=True):
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            title = " ".join(process.cmdline())
            if title.startswith(_TASK_PROCESS) and not title.startswith(_WORKER_PROCESS):
                peaks.append(linux_peak_mb(process.pid))
    return max(peaks)


class _TaskMemory(Silent):
    """Watches a run: the most memory that one of its tasks' processes had."""

    def __init__(self, stack: LocalStack) -> None:
        self.peak_mb = 0.0
        self._stack = psutil.Process(stack.home.read_state().supervisor_pid)

    def run_moved(self, run: DagRun, tasks: Sequence[TaskInstance]) -> None:
        """Ask the processes of tasks for their peak."""
        self.peak_mb = max(self.peak_mb, task_peak_mb(self._stack))


COMPARISON = Comparison(
    "night_on_stack",
    "A night on the local stack: two batches through Airflow and the local Comprehend",
    make=make,
    service=stack_for_texts,
    contenders=[Contender(on_the_stack)],
    sizes={2 * DOCUMENTS_PER_BATCH: 1},
    targets=[
        Target("on_the_stack", "<=", 400, measure="task_peak_mb", size=2 * DOCUMENTS_PER_BATCH),
    ],
    quick_size=None,
)
