"""The end of a failed task's log tells what failed and where, without what only folds lines in the UI."""

from __future__ import annotations

import httpx
import pytest

from nightsort_local.airflow_api import AirflowApi, TaskInstance
from nightsort_local.errors import StackError


def test_a_log_holds_the_innermost_places_of_a_failure_and_no_folding_marks() -> None:
    frames = [{"filename": f"{name}.py", "lineno": 7, "name": name} for name in "abcde"]
    failure = {"exc_type": "ValueError", "exc_value": "no such label", "frames": frames}
    content = [
        {"event": "::group::Pre Execute"},
        {"event": "reading", "level": "info"},
        {"event": "::endgroup::"},
        {"event": "Task failed", "level": "error", "error_detail": [failure]},
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return httpx.Response(201, json={"access_token": "t"})
        assert request.url.params["map_index"] == "2"
        return httpx.Response(200, json={"content": content})

    api = AirflowApi("http://airflow", "password", transport=httpx.MockTransport(answer))
    lines = api.log_lines("d", "r", TaskInstance("load", 2, "load [2]", "failed", 3, None, None))
    assert "\n".join(lines).splitlines() == [
        "reading",
        "ERROR Task failed",
        "  c.py:7 in c",
        "  d.py:7 in d",
        "  e.py:7 in e",
        "ValueError: no such label",
    ]


def test_the_task_routes_are_asked_for_once_and_an_api_server_that_is_busy_is_no_failure() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        raise httpx.ReadTimeout("busy")

    AirflowApi("http://airflow", "password", transport=httpx.MockTransport(answer)).prepare_for_tasks()
    assert asked == ["/execution/health/ping"]


def test_a_param_that_airflow_refuses_is_named_without_its_schema() -> None:
    detail = (
        "Invalid input for param day: '20.11.2026' is not a 'date'\n\n"
        "Failed validating 'format' in schema:\n    {'type': ['null', 'string']}\n\n"
        "On instance:\n    '20.11.2026'"
    )

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return httpx.Response(201, json={"access_token": "t"})
        return httpx.Response(400, json={"detail": detail})

    api = AirflowApi("http://airflow", "password", transport=httpx.MockTransport(answer))
    with pytest.raises(StackError) as raised:
        api.trigger("classify_x", {"day": "20.11.2026"})
    assert str(raised.value) == (
        "Airflow refused to run classify_x (HTTP 400): "
        "Invalid input for param day: '20.11.2026' is not a 'date'"
    )
