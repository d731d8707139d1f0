"""A client of the part of Airflow's REST API that the local stack needs."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import httpx

from nightsort_local.errors import StackError
from nightsort_local.stack_settings import ADMIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FINAL_RUN_STATES = ("success", "failed")
ACTIVE_RUN_STATES = ("queued", "running")
INNERMOST_FRAMES = 3
BUSY = (500, 502, 503, 504)
"""Answers of a server that may have another one a moment later."""
ANSWER_SECONDS = 30
PATIENCE_SECONDS = 120
"""How long a request is sent again."""
AGAIN_SECONDS = 1.0
HEARTBEAT_COMPONENTS = ("scheduler", "triggerer", "dag-processor")
ALL_DAGS = "~"
CONFLICT = 409
PAGE = 100
"""Airflow's `maximum_page_limit`."""


@dataclass(frozen=True)
class TaskInstance:
    """One task of one run; a mapped task has one instance per index."""

    task_id: str
    map_index: int
    """-1 for a task that is not mapped."""
    label: str
    """The task's id; for a mapped task with Airflow's text for the index."""
    state: str
    """``waiting`` while Airflow has no state for it."""
    try_number: int
    start: datetime | None
    end: datetime | None

    @property
    def seconds(self) -> float | None:
        """The duration, up to now for a running task."""
        if self.start is None:
            return None
        return ((self.end or datetime.now(timezone.utc)) - self.start).total_seconds()


@dataclass(frozen=True)
class DagRun:
    """One run of one DAG."""

    dag_id: str
    run_id: str
    state: str
    start: datetime | None
    end: datetime | None
    conf: Mapping[str, Any] = field(default_factory=dict)
    is_manual: bool = True

    @property
    def is_over(self) -> bool:
        """Whether its state is final."""
        return self.state in FINAL_RUN_STATES


@dataclass(frozen=True)
class DagInfo:
    """A DAG as Airflow has parsed it."""

    dag_id: str
    is_paused: bool
    has_import_errors: bool
    last_parsed: datetime | None
    is_stale: bool = False
    """Whether its file no longer has it. Its runs then stay as they are."""
    file: str = ""
    """The name of its file."""


@dataclass(frozen=True)
class ImportProblem:
    """A DAG file that Airflow could not import."""

    file: str
    stack_trace: str
    found: datetime | None = None


class AirflowApi:
    """Airflow's REST API, as its administrator.

    :param url: the address of the API server, such as ``http://127.0.0.1:8080``.
    :param password: the administrator's password.
    :param transport: sends the requests, for tests.
    :param why_silent: says why no answer can be expected any more, such as a stack that was stopped.
    :param report: receives a text whenever a request is sent again.
    """

    def __init__(
        self,
        url: str,
        password: str,
        transport: httpx.BaseTransport | None = None,
        *,
        why_silent: Callable[[], str | None] = lambda: None,
        report: Callable[[str], None] = lambda what: None,
    ) -> None:
        self.url = url
        self._password = password
        # The user's proxies and .netrc must not apply to loopback.
        self._client = httpx.Client(
            base_url=url, timeout=ANSWER_SECONDS, trust_env=False, transport=transport
        )
        self._has_token = False
        self._why_silent = why_silent
        self._report = report
        self._patient_until = 0.0

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @contextmanager
    def patient_until(self, moment: float) -> Iterator[None]:
        """Ask again until this moment of :func:`time.monotonic`, while the block runs."""
        self._patient_until = moment
        try:
            yield
        finally:
            self._patient_until = 0.0

    def _log_in(self) -> None:
        answer = self._client.post("/auth/token", json={"username": ADMIN, "password": self._password})
        if answer.status_code in BUSY:
            raise httpx.RemoteProtocolError(f"HTTP {answer.status_code}")
        if answer.status_code not in (200, 201):
            raise StackError(
                f"{self.url} refuses this home's password (HTTP {answer.status_code}): another Airflow?"
            )
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        self._has_token = True

    def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Ask until there is an answer. Each request of this client has the same effect when sent twice."""
        until = max(self._patient_until, time.monotonic() + PATIENCE_SECONDS)
        problem = ""
        while True:
            try:
                answer = self._send(method, path, **arguments)
                if answer.status_code not in BUSY:
                    if problem:
                        self._report("Airflow answers again")
                    return answer
                problem = f"HTTP {answer.status_code}"
            except httpx.TransportError as error:
                problem = str(error) or type(error).__name__
            if reason := self._why_silent():
                raise StackError(f"Airflow at {self.url} does not answer: {reason}")
            if time.monotonic() > until:
                raise StackError(
                    f"Airflow at {self.url} does not answer ({problem}). "
                    "See what runs with `nightsort-local status`, then try again."
                )
            self._report(f"Airflow does not answer ({problem}), asking again")
            time.sleep(AGAIN_SECONDS)

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        for _ in range(2):
            if not self._has_token:
                self._log_in()
            answer = self._client.request(method, f"/api/v2{path}", **arguments)
            if answer.status_code != 401:
                break
            # The token expires after a day.
            self._has_token = False
        return answer

    def _json(self, method: str, path: str, **arguments: Any) -> Any:
        answer = self._request(method, path, **arguments)
        if answer.is_error:
            raise _refusal(f"{method} {path}", answer)
        return answer.json()

    def _pages(self, path: str, key: str, **query: Any) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self._json("GET", path, params={"limit": PAGE, "offset": offset, **query})
            yield from page[key]
            offset += PAGE
            if offset >= page["total_entries"]:
                return

    def unhealthy(self, started: Mapping[str, datetime]) -> list[str]:
        """Return the components without a heartbeat since their start; all of them if there is no answer.

        :param started: when each component was started. The API server needs no heartbeat: it answers.
        """
        try:
            answer = self._client.get("/api/v2/monitor/health")
        except httpx.TransportError:
            return list(started)
        if answer.status_code != 200:
            return list(started)
        health = answer.json()
        found = []
        for component in HEARTBEAT_COMPONENTS:
            part = component.replace("-", "_")
            report = health.get(part) or {}
            beat = _moment(report.get(f"latest_{part}_heartbeat"))
            # Right after a crash, the last heartbeat of the old process still counts as healthy.
            if component in started and (
                report.get("status") != "healthy" or beat is None or beat < started[component]
            ):
                found.append(component)
        return found

    def prepare_for_tasks(self) -> None:
        """Have the API server make the routes that tasks use; it does so at the first request, in seconds."""
        with suppress(httpx.TransportError):
            self._client.get("/execution/health/ping")

    def ensure_pool(self, name: str, *, slots: int, description: str) -> None:
        """Create the pool, unless it exists: a user may have changed it. Deferred tasks count."""
        pool = {"name": name, "slots": slots, "description": description, "include_deferred": True}
        answer = self._request("POST", "/pools", json=pool)
        if answer.is_error and answer.status_code != CONFLICT:
            raise _refusal(f"the pool {name}", answer)

    def import_problems(self) -> list[ImportProblem]:
        """Return the DAG files that could not be imported."""
        return [
            ImportProblem(error["filename"], error["stack_trace"].strip(), _moment(error.get("timestamp")))
            for error in self._pages("/importErrors", "import_errors")
        ]

    def dags(self) -> list[DagInfo]:
        """Return all DAGs that Airflow has parsed."""
        return [_dag(raw) for raw in self._pages("/dags", "dags")]

    def dag(self, dag_id: str) -> DagInfo | None:
        """Return the DAG, or None if Airflow has not parsed it yet."""
        answer = self._request("GET", f"/dags/{dag_id}")
        if answer.status_code == 404:
            return None
        if answer.is_error:
            raise _refusal(f"the DAG {dag_id}", answer)
        return _dag(answer.json())

    def unpause(self, dag_id: str) -> None:
        """Unpause the DAG: a run of a paused DAG stays queued."""
        self._json("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def params(self, dag_id: str) -> list[str]:
        """Return the names of a DAG's Params."""
        return list(self._json("GET", f"/dags/{dag_id}/details")["params"] or {})

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> DagRun:
        """Trigger a run with these params."""
        # The id is ours, so that a request that is sent twice starts one run.
        run_id = f"manual__{datetime.now(timezone.utc).isoformat()}"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        answer = self._request("POST", f"/dags/{dag_id}/dagRuns", json=body)
        if answer.status_code == CONFLICT:
            return self.run(dag_id, run_id)
        if answer.is_error:
            raise _refusal(f"to run {dag_id}", answer)
        return _run(answer.json())

    def active_runs(self, dag_id: str = ALL_DAGS) -> list[DagRun]:
        """Return the runs that have not ended, of one DAG or of all DAGs."""
        pages = self._pages(f"/dags/{dag_id}/dagRuns", "dag_runs", state=ACTIVE_RUN_STATES)
        return [_run(raw) for raw in pages]

    def fail_run(self, run: DagRun) -> None:
        """Mark a run as failed, which also ends its tasks."""
        self._json("PATCH", f"/dags/{run.dag_id}/dagRuns/{run.run_id}", json={"state": "failed"})

    def run(self, dag_id: str, run_id: str) -> DagRun:
        """Return the current state of the run."""
        return _run(self._json("GET", f"/dags/{dag_id}/dagRuns/{run_id}"))

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        """Return the task instances of a run, in any order."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        return [_task(raw) for raw in self._pages(path, "task_instances")]

    def task_order(self, dag_id: str) -> list[str]:
        """Return the ids of a DAG's tasks in topological order."""
        raw = self._json("GET", f"/dags/{dag_id}/tasks")["tasks"]
        downstream = {task["task_id"]: task["downstream_task_ids"] for task in raw}
        waits_for: dict[str, int] = dict.fromkeys(downstream, 0)
        for names in downstream.values():
            for name in names:
                waits_for[name] += 1
        order = [name for name, number in waits_for.items() if not number]
        for name in order:
            for following in downstream[name]:
                waits_for[following] -= 1
                if not waits_for[following]:
                    order.append(following)
        return order

    def log_lines(self, dag_id: str, run_id: str, task: TaskInstance) -> list[str]:
        """Return the log of a task's last try, one line per event."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}/logs/{task.try_number}"
        raw = self._json(
            "GET", path, params={"map_index": task.map_index, "full_content": True},
            headers={"Accept": "application/json"},
        )["content"]  # fmt: skip
        lines = [_log_line(event) for event in raw] if isinstance(raw, list) else str(raw).splitlines()
        # "::group::" and "::endgroup::" are markers for folding in the UI.
        return [line for line in lines if not line.startswith("::")]


def _dag(raw: Mapping[str, Any]) -> DagInfo:
    return DagInfo(
        raw["dag_id"],
        raw["is_paused"],
        bool(raw.get("has_import_errors")),
        _moment(raw.get("last_parsed_time")),
        bool(raw.get("is_stale")),
        PurePath(raw.get("fileloc") or "").name,
    )


def _run(raw: Mapping[str, Any]) -> DagRun:
    return DagRun(
        raw["dag_id"],
        raw["dag_run_id"],
        raw["state"],
        _moment(raw["start_date"]),
        _moment(raw["end_date"]),
        raw.get("conf") or {},
        raw.get("run_type") == "manual",
    )


def _task(raw: Mapping[str, Any]) -> TaskInstance:
    index = raw["map_index"]
    label = raw["task_id"]
    if index >= 0:
        label += f" [{raw.get('rendered_map_index') or index}]"
    return TaskInstance(
        task_id=raw["task_id"],
        map_index=index,
        label=label,
        state=raw["state"] or "waiting",
        try_number=raw["try_number"],
        start=_moment(raw["start_date"]),
        end=_moment(raw["end_date"]),
    )


def _moment(raw: str | None) -> datetime | None:
    # Python 3.10 does not parse the "Z".
    return datetime.fromisoformat(raw.replace("Z", "+00:00")) if raw else None


def _refusal(what: str, answer: httpx.Response) -> StackError:
    try:
        detail = str(answer.json().get("detail", answer.text))
    except ValueError:
        detail = answer.text
    # The rest of a message on a Param is the JSON schema that it does not fit.
    detail = detail.partition("\n\nFailed validating ")[0]
    return StackError(f"Airflow refused {what} (HTTP {answer.status_code}): {detail[:1000]}")


def _log_line(event: Any) -> str:
    if not isinstance(event, dict):
        return str(event)
    line = str(event.get("event", ""))
    if event.get("level") in ("error", "critical", "warning"):
        line = f"{event['level'].upper()} {line}"
    for failure in event.get("error_detail") or ():
        # Only the innermost frames: the outer ones belong to Airflow.
        for frame in failure.get("frames", [])[-INNERMOST_FRAMES:]:
            line += f"\n  {frame['filename']}:{frame['lineno']} in {frame['name']}"
        line += f"\n{failure.get('exc_type')}: {failure.get('exc_value')}"
    return line
