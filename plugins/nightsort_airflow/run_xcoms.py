"""What the tasks of a nightly run tell each other."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from nightsort.tables.run_rows import AirflowRun

RUN_KEY: Final = "run"
PREPARED_KEY: Final = "prepared"

JOB_KEYS: Final = ("job_id", "job_name", "submitted_at", "ended_at", "output_uri")
"""What the run's row keeps of a job."""

RETRY_KEYS: Final = ("name", "documents", "units")
"""What it keeps of documents that were sent again, besides their job."""


def pulled(context: Context, task_ids: Sequence[str], key: str = "return_value") -> list[Any]:
    """
    Return the XComs of some tasks, of each mapped one; what a task did not push is left out.

    :param context: the task's context.
    :param task_ids: the tasks.
    :param key: the XCom's key.
    """
    # A list of ids: Airflow logs an error for a single XCom that is not there.
    values = context["ti"].xcom_pull(task_ids=list(task_ids), key=key) or []
    return [value for value in values if value is not None]


def approval(context: Context, task_id: str | None) -> dict[str, Any]:
    """
    Return what a person decided about the cost.

    :param context: the task's context.
    :param task_id: the task that asked; None: there is none.
    :returns: its return value; empty if there is none.
    """
    (found,) = (pulled(context, [task_id]) if task_id else []) or [{}]
    return dict(found)


def approved(context: Context, task_id: str | None) -> dict[str, Any]:
    """
    Return the columns of a row that say who approved a cost, and when; None in both if nobody was asked.

    :param context: the task's context.
    :param task_id: as of :func:`approval`.
    """
    found = approval(context, task_id)
    at = found.get("approved_at")
    return {
        "approved_by": found.get("approved_by"),
        "approved_at": datetime.fromisoformat(at) if at else None,
    }


def airflow_run(context: Context) -> AirflowRun:
    """
    Return which DAG run a task belongs to.

    :param context: the task's context.
    """
    from nightsort.tables.run_rows import AirflowRun

    run = context["dag_run"]
    return AirflowRun(run.dag_id, run.run_id)
