from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from nightsort_airflow.run_xcoms import airflow_run, approval, approved, pulled


def test_what_a_task_did_not_push_is_left_out() -> None:
    pushed: dict[str, Any] = {"first": {"documents": 1}, "last": {"documents": 0}}

    def xcom_pull(task_ids: list[str], key: str) -> list[Any]:
        return [pushed.get(task) if key == "run" else None for task in task_ids]

    context: Any = {"ti": SimpleNamespace(xcom_pull=xcom_pull)}
    assert pulled(context, ("first", "skipped", "last"), "run") == [{"documents": 1}, {"documents": 0}]
    assert pulled(context, ("first",)) == []


def test_nothing_is_pulled_where_airflow_has_nothing() -> None:
    context: Any = {"ti": SimpleNamespace(xcom_pull=lambda **_: None)}
    assert pulled(context, ("first",)) == []


@pytest.mark.parametrize(
    ("returned", "by", "at"),
    [
        (None, None, None),
        ({"asked": False, "approved_by": None}, None, None),
        # Of a run that began with an earlier version of this code.
        ({"asked": True, "approved_by": "ada"}, "ada", None),
        (
            {"asked": True, "approved_by": "ada", "approved_at": "2026-11-30T02:15:00+00:00"},
            "ada",
            datetime(2026, 11, 30, 2, 15, tzinfo=timezone.utc),
        ),
    ],
)
def test_who_approved_the_cost_is_what_the_rows_say(
    returned: dict[str, Any] | None, by: str | None, at: datetime | None
) -> None:
    context: Any = {"ti": SimpleNamespace(xcom_pull=lambda task_ids, key: [returned])}
    assert approval(context, "approve_cost") == (returned or {})
    assert approved(context, "approve_cost") == {"approved_by": by, "approved_at": at}
    assert approved(context, None) == {"approved_by": None, "approved_at": None}


def test_a_task_knows_its_dag_run() -> None:
    context: Any = {"dag_run": SimpleNamespace(dag_id="classify_tickets", run_id="manual__1")}
    run = airflow_run(context)
    assert (run.dag_id, run.run_id) == ("classify_tickets", "manual__1")
