"""A run that goes on is followed to its end, however badly Airflow answers."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from nightsort_local import airflow_api, dag_runs
from nightsort_local.airflow_api import AirflowApi, DagInfo
from nightsort_local.dag_runs import Silent, run_and_follow
from nightsort_local.errors import StackError, StillRunningError
from tests.unreliable_server import unreliable

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 1, tzinfo=timezone.utc).isoformat()
DAG = DagInfo("classify_x", is_paused=True, has_import_errors=False, last_parsed=None)
PATH = "/api/v2/dags/classify_x"
ENDLESS = 10**9


class SmallAirflow:
    """An Airflow of one DAG with one task, whose runs end after some looks at them."""

    def __init__(self, looks: int = 5) -> None:
        self.looks = looks
        self.runs: dict[str, dict[str, Any]] = {}
        self.asked: Counter[str] = Counter()
        self.is_stale = False

    def start(self, run_id: str, conf: dict[str, Any], run_type: str = "manual") -> dict[str, Any]:
        self.runs[run_id] = {
            "dag_id": "classify_x", "dag_run_id": run_id, "state": "running", "conf": conf,
            "run_type": run_type, "start_date": NOW, "end_date": None,
        }  # fmt: skip
        return self.runs[run_id]

    def answer(self, request: httpx.Request) -> httpx.Response:
        method, path = request.method, request.url.path
        body = json.loads(request.content or b"{}")
        self.asked[f"{method} {path.removeprefix(PATH)}"] += 1
        if path == "/auth/token":
            return httpx.Response(201, json={"access_token": "t"})
        if path == "/api/v2/importErrors":
            return httpx.Response(200, json={"import_errors": [], "total_entries": 0})
        if path == PATH:
            return httpx.Response(
                200, json={"dag_id": "classify_x", "is_paused": False, "is_stale": self.is_stale}
            )
        if path == f"{PATH}/tasks":
            return httpx.Response(200, json={"tasks": [{"task_id": "start_job", "downstream_task_ids": []}]})
        run_id = path.removeprefix(f"{PATH}/dagRuns").strip("/").split("/")[0]
        return self._runs(method, path, run_id, body)

    def _runs(self, method: str, path: str, run_id: str, body: dict[str, Any]) -> httpx.Response:
        if method == "POST":
            if body["dag_run_id"] in self.runs:
                return httpx.Response(409, json={"detail": "exists"})
            return httpx.Response(200, json=self.start(body["dag_run_id"], body["conf"]))
        if not run_id:
            active = [run for run in self.runs.values() if run["state"] == "running"]
            return httpx.Response(200, json={"dag_runs": active, "total_entries": len(active)})
        run = self.runs[run_id]
        if method == "PATCH":
            run["state"] = body["state"]
        elif path.endswith("/taskInstances"):
            state = "deferred" if run["state"] == "running" else run["state"]
            task = {"task_id": "start_job", "map_index": -1, "state": state, "try_number": 1,
                    "start_date": NOW, "end_date": None}  # fmt: skip
            return httpx.Response(200, json={"task_instances": [task], "total_entries": 1})
        elif "/logs/" in path:
            lines = [
                {"event": "s3://b/x/ holds no file", "level": "warning"},
                {"event": "Job j is SUBMITTED"},
                {"event": "Job j is IN_PROGRESS for 2 minutes"},
                {"event": "Pausing task as DEFERRED."},
            ]
            return httpx.Response(200, json={"content": lines})
        else:
            self.looks -= 1
            run["state"] = "running" if self.looks > 0 and run["state"] == "running" else "success"
        return httpx.Response(200, json=run)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(self.answer))


class Heard(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def run_says(self, what: str) -> None:
        self.said.append(what)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_api, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(dag_runs, "POLL_SECONDS", 0.01)


@pytest.fixture
def airflow() -> SmallAirflow:
    return SmallAirflow()


@pytest.fixture
def api(airflow: SmallAirflow) -> Iterator[AirflowApi]:
    with unreliable(airflow.client(), seconds=0, drop=lambda number: False) as url:
        yield AirflowApi(url, "password")


def test_a_server_that_is_slow_and_drops_every_third_request_costs_no_run(airflow: SmallAirflow) -> None:
    reported: list[str] = []
    with unreliable(airflow.client(), seconds=0.05, drop=lambda number: number % 3 == 0) as url:
        api = AirflowApi(url, "password", report=reported.append)
        result = run_and_follow(api, DAG, {"day": "2026-11-01"}, timeout=60, observer=Silent())
    assert result.succeeded
    assert len(airflow.runs) == 1, "a request that is sent twice starts one run"
    assert any("does not answer" in said for said in reported)
    assert "Airflow answers again" in reported


def test_a_trigger_whose_answer_is_lost_starts_one_run(airflow: SmallAirflow) -> None:
    # Request 4: after the login, a lost look at the active runs, and the second one.
    lost = [2, 4]
    with unreliable(airflow.client(), seconds=0, drop=lost.__contains__) as url:
        assert run_and_follow(AirflowApi(url, "p"), DAG, {}, timeout=60, observer=Silent()).succeeded
    assert airflow.asked["POST /dagRuns"] == 2
    assert len(airflow.runs) == 1


def test_errors_of_a_busy_server_are_no_answers() -> None:
    answers = iter([503, 500, 502])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return httpx.Response(201, json={"access_token": "t"})
        status = next(answers, 200)
        return httpx.Response(status, json={"dag_id": "d", "is_paused": False})

    api = AirflowApi("http://airflow", "p", transport=httpx.MockTransport(answer))
    dag = api.dag("d")
    assert dag is not None
    assert dag.dag_id == "d"


def test_a_server_that_stays_silent_is_given_up_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_api, "PATIENCE_SECONDS", 0.1)
    with pytest.raises(StackError, match=r"does not answer .* `nightsort-local status`"):
        AirflowApi("http://127.0.0.1:9", "p").dag("d")


def test_a_stack_that_was_stopped_is_not_waited_for() -> None:
    api = AirflowApi("http://127.0.0.1:9", "p", why_silent=lambda: "the stack was stopped")
    with pytest.raises(StackError, match="the stack was stopped"):
        api.dag("d")


def test_a_second_command_follows_the_run_of_the_first(airflow: SmallAirflow, api: AirflowApi) -> None:
    airflow.start("manual__1", {"day": "2026-11-01"})
    heard = Heard()
    result = run_and_follow(api, DAG, {"day": "2026-11-01"}, timeout=60, observer=heard)
    assert result.run_id == "manual__1"
    assert heard.said[0] == "manual__1 runs already, and is followed"
    assert not airflow.asked["POST /dagRuns"]


@pytest.mark.parametrize(
    ("conf", "run_type"),
    [({"day": "2026-11-02"}, "manual"), ({}, "manual"), ({"day": "2026-11-01"}, "scheduled")],
)
def test_other_work_is_not_taken_for_it(
    airflow: SmallAirflow, api: AirflowApi, conf: dict[str, Any], run_type: str
) -> None:
    airflow.start("other", conf, run_type)
    result = run_and_follow(api, DAG, {"day": "2026-11-01"}, timeout=60, observer=Silent())
    assert result.run_id != "other"


def test_a_run_that_outlasts_the_command_is_no_failure(airflow: SmallAirflow, api: AirflowApi) -> None:
    airflow.looks = ENDLESS
    with pytest.raises(StillRunningError, match=r"is still running .* goes on.* start_job \(deferred\)"):
        run_and_follow(api, DAG, {}, timeout=0.1, observer=Silent())


def test_a_long_wait_is_shown_with_the_last_line_of_its_log(
    airflow: SmallAirflow, api: AirflowApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dag_runs, "SAY_SECONDS", 0.0)
    heard = Heard()
    run_and_follow(api, DAG, {}, timeout=60, observer=heard)
    assert heard.said[0].startswith("start_job: deferred for ")
    assert heard.said[0].endswith(" minutes. Job j is IN_PROGRESS for 2 minutes")


def test_a_run_whose_dag_went_away_does_not_hang(
    airflow: SmallAirflow, api: AirflowApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dag_runs, "STALE_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(dag_runs, "STALE_SECONDS", 0.05)
    airflow.looks, airflow.is_stale = ENDLESS, True
    with pytest.raises(StackError, match=r"no longer has the DAG classify_x.*marked as failed"):
        run_and_follow(api, DAG, {}, timeout=60, observer=Silent())
    assert [run["state"] for run in airflow.runs.values()] == ["failed"]


def test_what_a_green_run_warns_of_is_in_its_result(api: AirflowApi) -> None:
    result = run_and_follow(api, DAG, {}, timeout=60, observer=Silent())
    assert result.succeeded
    assert result.warnings == ("s3://b/x/ holds no file",)
