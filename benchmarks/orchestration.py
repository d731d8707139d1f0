"""What Airflow and the DAG add to a night: Comprehend takes the same time whoever waits for it.

One classifier in a local stack of its own, with LocalExecutor and the real scheduler and triggerer. Its
batches hold 50 documents, so that what is measured is not their handling. The empty tasks are those of
``classify_<name>`` with the same dependencies, mapping, pool and waits, and do nothing.
"""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from benchmarks.measuring import Comparison, Contender, Target
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
from nightsort.comprehend.limits import MAX_ACTIVE_CLASSIFICATION_JOBS
from nightsort_local.dag_runs import Silent
from nightsort_local.local_aws.control.client import LocalAwsControl

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from nightsort_local.airflow_api import DagRun, TaskInstance
    from nightsort_local.dag_runs import DagRunResult
    from nightsort_local.stack import LocalStack

DOCUMENTS_PER_BATCH = 50
JOB_SECONDS = {1: 6, 20: 16}
"""How long each job of the local Comprehend waits, by batches: longer than it takes to start ten of them."""
AFTER_START_SECONDS = 2
"""How long after its start a job counts as waited for: until then its task is still going to rest."""

SPEC = spec(
    incoming={"uri": f"{BUCKET}/incoming/{{day}}.jsonl", "format": "jsonl", "text_column": "text"},
    batch={"max_documents": DOCUMENTS_PER_BATCH},
)

EMPTY_TASKS = """\
from datetime import datetime, timedelta, timezone

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import DAG, BaseOperator, Param, TriggerRule, task_group


class BatchesOperator(BaseOperator):
    template_fields = ("batches", "seconds")

    def __init__(self, batches, seconds, **kwargs):
        super().__init__(**kwargs)
        self.batches = batches
        self.seconds = seconds

    def execute(self, context):
        return [{"seconds": float(self.seconds)} for _ in range(int(self.batches))]


class WaitOperator(BaseOperator):
    template_fields = ("seconds",)

    def __init__(self, seconds, **kwargs):
        super().__init__(**kwargs)
        self.seconds = seconds

    def execute(self, context):
        if self.seconds:
            end = datetime.now(timezone.utc) + timedelta(seconds=self.seconds)
            self.defer(trigger=DateTimeTrigger(moment=end), method_name="resume")

    def resume(self, context, event):
        return None


class NoWorkOperator(BaseOperator):
    def execute(self, context):
        return None


with DAG("empty_tasks", schedule=None, catchup=False, params={"batches": Param(1), "seconds": Param(0)}):
    prepared = BatchesOperator(
        task_id="prepare_batches", batches="{{ params.batches }}", seconds="{{ params.seconds }}"
    )

    @task_group(group_id="classify_batch")
    def classify_batch(seconds):
        job = WaitOperator(task_id="start_job", seconds=seconds, pool="comprehend_jobs")
        job >> NoWorkOperator(task_id="load_predictions")

    reconciled = NoWorkOperator(task_id="reconcile_run", trigger_rule=TriggerRule.ALL_DONE)
    classify_batch.expand_kwargs(prepared.output) >> reconciled
    prepared >> reconciled
"""


@contextmanager
def stack_with_classifier(folder: Path) -> Iterator[dict[str, str]]:
    """Run a local stack with a trained classifier and the DAG of empty tasks; give its environment."""
    labelled = [(f"label-{number % 3}", _text(number)) for number in range(300)]
    with trained_stack(folder, SPEC, labelled, empty_tasks=EMPTY_TASKS) as variables:
        yield variables


def make(folder: Path, size: int) -> None:
    """Have the jobs take the time that belongs to so many batches."""
    stack = running_stack()
    LocalAwsControl(stack.aws_url, stack.aws_key).set_behaviour(delays={"job_seconds": JOB_SECONDS[size]})


def ours(folder: Path, size: int) -> dict[str, float]:
    """`classify_<name>` on a day with so many batches, less what Comprehend needs for ten at a time."""
    stack = running_stack()
    day = unused_day()
    lines = [json.dumps({"text": _text(number)}) for number in range(size * DOCUMENTS_PER_BATCH)]
    write(f"incoming/{day}.jsonl", "\n".join(lines).encode())
    watch = _SlotsHeld(day, min(size, MAX_ACTIVE_CLASSIFICATION_JOBS))
    result = run_to_success(stack, "classify_night", {"day": str(day)}, watch)
    jobs = jobs_of(day)
    if len(jobs) != size:
        raise SystemExit(f"{len(jobs)} jobs: {result.states()}")
    longest = max((job["EndTime"] - job["SubmitTime"]).total_seconds() for job in jobs)
    figures = _figures(stack, result, math.ceil(size / MAX_ACTIVE_CLASSIFICATION_JOBS) * longest)
    return {**figures, "slots_held_while_waiting": watch.most()}


def empty_tasks(folder: Path, size: int) -> dict[str, float]:
    """The same tasks, mapping and waits in the triggerer, less these waits; nothing is done."""
    return _run_empty(size, JOB_SECONDS[size])


def empty_tasks_without_waits(folder: Path, size: int) -> dict[str, float]:
    """The same tasks and mapping, and nobody waits for anything."""
    return _run_empty(size, 0)


def _run_empty(size: int, seconds: int) -> dict[str, float]:
    stack = running_stack()
    result = run_to_success(stack, "empty_tasks", {"batches": size, "seconds": seconds})
    if len(result.tasks) != 2 + 2 * size:
        raise SystemExit(f"{len(result.tasks)} tasks: {result.states()}")
    waited = math.ceil(size / MAX_ACTIVE_CLASSIFICATION_JOBS) * seconds
    return _figures(stack, result, waited)


def _figures(stack: LocalStack, result: DagRunResult, waited: float) -> dict[str, float]:
    seconds = run_seconds(stack, result)
    return {"run_seconds": seconds, "waited_seconds": waited, "overhead_seconds": seconds - waited}


class _SlotsHeld(Silent):
    """Watches a run: how many of its tasks ran while as many jobs as there may be were waited for.

    :param day: the run's.
    :param jobs: so many are started at once; while there are fewer, tasks run to start the others.
    """

    def __init__(self, day: date, jobs: int) -> None:
        self._day = day
        self._jobs = jobs
        self._running: list[int] = []

    def most(self) -> int:
        """Return the greatest number; there must have been such a moment."""
        return max(self._running)

    def run_moved(self, run: DagRun, tasks: Sequence[TaskInstance]) -> None:
        """Count the running tasks, if this is such a moment."""
        jobs = jobs_of(self._day)
        settled = datetime.now(timezone.utc) - timedelta(seconds=AFTER_START_SECONDS)
        if len(jobs) == self._jobs and all(
            "EndTime" not in job and job["SubmitTime"] < settled for job in jobs
        ):
            self._running.append(sum(task.state == "running" for task in tasks))


def _text(number: int) -> str:
    subject = ("invoice amount due bank", "password login account locked", "parcel delivery street late")[
        number % 3
    ]
    return f"{subject} {number:x} {number * 7919:x}"


COMPARISONS = [
    Comparison(
        "orchestration",
        "Orchestration: a night with 1 batch and with 20, against empty tasks",
        make=make,
        service=stack_with_classifier,
        contenders=[Contender(ours), Contender(empty_tasks), Contender(empty_tasks_without_waits)],
        sizes={1: 3, 20: 1},
        targets=[
            Target("ours", "<=", 1.5, over="empty_tasks", size=1, measure="overhead_seconds"),
            Target("ours", "<=", 0, size=1, measure="slots_held_while_waiting"),
            Target("ours", "<=", 0, size=20, measure="slots_held_while_waiting"),
        ],
        unit="batches",
        quick_size=None,
    )
]
