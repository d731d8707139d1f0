from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from nightsort_airflow.run_xcoms import airflow_run, pulled


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


def test_a_task_knows_its_dag_run() -> None:
    context: Any = {"dag_run": SimpleNamespace(dag_id="classify_tickets", run_id="manual__1")}
    run = airflow_run(context)
    assert (run.dag_id, run.run_id) == ("classify_tickets", "manual__1")
