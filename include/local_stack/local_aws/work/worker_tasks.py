"""The two kinds of work that worker processes do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.local_stack.local_aws.work.classification import run_job
from include.local_stack.local_aws.work.tasks import TrainResult, TrainTask
from include.local_stack.local_aws.work.training import run_training

if TYPE_CHECKING:
    from include.local_stack.local_aws.work.tasks import Task


def run(task: Task) -> TrainResult | None:
    """Do a piece of work.

    Raises:
        TaskError: it cannot be done; the text is for the caller of the API.
    """
    if isinstance(task, TrainTask):
        return run_training(task)
    run_job(task)
    return None
