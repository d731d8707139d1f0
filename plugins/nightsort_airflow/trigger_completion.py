"""Decide whether a trigger may complete the task without resuming a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperator
from airflow.sdk.listener import get_listener_manager

if TYPE_CHECKING:
    from collections.abc import Callable


def needs_worker_to_finish(task: BaseOperator, resumed: Callable[..., object]) -> bool:
    """
    Return whether Airflow needs a worker for the task's success.

    When a trigger completes a task, Airflow 3.3 only sets its state: outlets get no event, listeners and
    ``post_execute`` are not called, tasks mapped over it are not expanded, and ``on_success_callback`` runs
    in the DAG processor.

    :param task: the task that is about to defer.
    :param resumed: the method that it resumes with, of the class that defers. A subclass that overrides it
        needs a worker.
    """
    own = type(task)
    return bool(
        getattr(own, resumed.__name__) is not resumed
        or own.post_execute is not BaseOperator.post_execute
        or task._post_execute_hook
        or task.outlets
        or task.on_success_callback
        or not task.do_xcom_push
        or task.multiple_outputs
        or (task.get_dag() and next(task.iter_mapped_dependants(), None))
        or get_listener_manager().has_listeners
    )
