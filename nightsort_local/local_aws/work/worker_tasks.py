"""Run a task in a worker process."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from nightsort_local.local_aws.faults.fault_types import Fail, Warn
from nightsort_local.local_aws.task_errors import INTERNAL_ERROR, TaskError, TransientError
from nightsort_local.local_aws.work.classification import run_job
from nightsort_local.local_aws.work.tasks import TrainResult, TrainTask
from nightsort_local.local_aws.work.training import run_training

if TYPE_CHECKING:
    from nightsort_local.local_aws.work.tasks import Task

log = logging.getLogger(__name__)

ATTEMPTS = 3
"""How often a task is run when it fails with a transient error."""


def run(task: Task) -> TrainResult | None:
    """Run a training or a job.

    :raises TaskError: it failed; the caller of the API reads the text.
    """
    for fault in task.faults:
        if isinstance(fault, Fail):
            raise TaskError(fault.message)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _run_once(task)
        except TransientError as error:  # noqa: PERF203 - the loop runs a few times, each round takes seconds
            log.warning(
                "Attempt %d of %d at the %s %s: %s", attempt, ATTEMPTS, task.resource, task.name, error
            )
    raise TaskError(INTERNAL_ERROR)


def _run_once(task: Task) -> TrainResult | None:
    if not isinstance(task, TrainTask):
        run_job(task)
        return None
    warnings = [fault.message for fault in task.faults if isinstance(fault, Warn)]
    result = run_training(task)
    return replace(result, warning=" ".join(warnings)) if warnings else result
