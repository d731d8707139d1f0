"""A run uses the files as they are now, and a DAG that is not there is explained."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import httpx
import pytest

from nightsort_local.airflow_api import AirflowApi
from nightsort_local.dag_runs import newest_change, wait_until_parsed
from nightsort_local.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 1, tzinfo=timezone.utc)


def airflow(routes: dict[str, object]) -> AirflowApi:
    """An Airflow that gives fixed answers, for what the real one is only in by chance or for a moment."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return httpx.Response(201, json={"access_token": "t"})
        body = routes.get(request.url.path.removeprefix("/api/v2"))
        return (
            httpx.Response(404, json={"detail": "no such"})
            if body is None
            else httpx.Response(200, json=body)
        )

    return AirflowApi("http://airflow", "password", transport=httpx.MockTransport(answer))


def dag(parsed: datetime, *, import_errors: bool = False) -> dict[str, object]:
    return {
        "dag_id": "d",
        "is_paused": True,
        "has_import_errors": import_errors,
        "last_parsed_time": parsed.isoformat(),
    }


def test_the_newest_dag_file_or_spec_counts_and_nothing_else(tmp_path: Path) -> None:
    for number, name in enumerate(["a.py", "deep/b.yaml", "c.pyc"]):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
        os.utime(path, (1000 + number, 1000 + number))
    assert newest_change([str(tmp_path), str(tmp_path / "missing")]).timestamp() == 1001


def test_a_dag_that_was_parsed_after_the_last_change_is_taken() -> None:
    api = airflow({"/dags/d": dag(NOW)})
    assert wait_until_parsed(api, "d", changed=NOW - timedelta(seconds=1), timeout=0).dag_id == "d"


def test_a_broken_spec_is_reported_only_with_the_dags_that_it_should_make() -> None:
    problem = {"filename": "check_specs.py", "stack_trace": "/s/tickets.yaml: notifiers.0: not installed"}
    api = airflow(
        {
            "/importErrors": {"import_errors": [problem], "total_entries": 1},
            "/dags": {"dags": [], "total_entries": 0},
        }
    )
    with pytest.raises(StackError, match=r"tickets\.yaml: notifiers\.0: not installed"):
        wait_until_parsed(api, "train_tickets", changed=NOW, timeout=0)
    with pytest.raises(StackError, match=r"^Airflow has no DAG train_reviews\."):
        wait_until_parsed(api, "train_reviews", changed=NOW, timeout=0)


def test_a_dag_that_vanished_behind_an_import_error_is_reported_with_the_error() -> None:
    problems = {
        "import_errors": [{"filename": "train.py", "stack_trace": "SpecError: mode: unknown\n"}],
        "total_entries": 1,
    }
    api = airflow({"/dags/d": dag(NOW, import_errors=True), "/importErrors": problems})
    with pytest.raises(StackError, match=r"train\.py:\nSpecError: mode: unknown"):
        wait_until_parsed(api, "d", changed=NOW + timedelta(hours=1), timeout=0)


def test_a_dag_that_does_not_exist_is_reported_with_those_that_do() -> None:
    api = airflow(
        {
            "/importErrors": {"import_errors": [], "total_entries": 0},
            "/dags": {"dags": [dag(NOW)], "total_entries": 1},
        }
    )
    with pytest.raises(StackError, match=r"Airflow has no DAG classify_x\. Its DAGs: d\."):
        wait_until_parsed(api, "classify_x", changed=NOW, timeout=0)


def test_tasks_are_ordered_as_they_depend_on_one_another() -> None:
    tasks = {"reconcile": [], "load": ["reconcile"], "prepare": ["start", "reconcile"], "start": ["load"]}
    listed = [{"task_id": name, "downstream_task_ids": after} for name, after in tasks.items()]
    assert airflow({"/dags/d/tasks": {"tasks": listed}}).task_order("d") == [
        "prepare",
        "start",
        "load",
        "reconcile",
    ]


def test_a_heartbeat_from_before_a_crash_is_no_sign_of_life() -> None:
    def health(beat: datetime) -> dict[str, object]:
        return {
            part: {"status": "healthy", f"latest_{part}_heartbeat": beat.isoformat()}
            for part in ("scheduler", "triggerer", "dag_processor")
        }

    started = dict.fromkeys(["api-server", "scheduler", "dag-processor"], NOW)
    old, new = (
        airflow({"/monitor/health": health(NOW + timedelta(seconds=shift))}).unhealthy(started)
        for shift in (-5, 5)
    )
    assert old == ["scheduler", "dag-processor"]
    assert new == []
