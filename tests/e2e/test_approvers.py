"""Who may approve a cost, asked of Airflow itself: users log in with passwords of their own, and answer."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from nightsort_local.home import REPOSITORY
from tests.e2e.sample_stack import FIRST, TOPICS, command, query, question, spec_like, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nightsort_local.stack import LocalStack

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1_800)]

USERS = ("ada", "grace", "eve")
# Grace has a wrong name here, so that Airflow, which compares ids, asks her about a run of her own.
BUDGET = "{run_usd: 0.001, training_usd: 0.001, when_over: ask, approvers: [ada, {name: hopper, id: grace}]}"


@dataclass(frozen=True)
class Users:
    """A second API server of the stack's Airflow, which knows these users."""

    url: str
    passwords: dict[str, str]

    def ask(self, user: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """Log in as a user and send a request."""
        credentials = {"username": user, "password": self.passwords[user]}
        with httpx.Client(base_url=self.url, trust_env=False, timeout=240) as client:
            token = client.post("/auth/token", json=credentials).raise_for_status().json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            return client.request(method, f"/api/v2{path}", json=body, headers=headers)

    def trigger(self, user: str, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run as a user; give its id."""
        answer = self.ask(user, "POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})
        run: str = answer.raise_for_status().json()["dag_run_id"]
        return run

    def answer(self, user: str, dag_id: str, run_id: str, option: str = "Approve") -> httpx.Response:
        """Answer the question of a run as a user."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/approve_cost/-1/hitlDetails"
        return self.ask(user, "PATCH", path, {"chosen_options": [option], "params_input": {}})


@pytest.fixture(scope="module")
def stack(whole_stack: LocalStack) -> LocalStack:
    """The stack with the sample uploaded."""
    done = command(whole_stack, "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    return whole_stack


@pytest.fixture(scope="module")
def users(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Users]:
    folder = tmp_path_factory.mktemp("users")
    passwords = {user: secrets.token_urlsafe(12) for user in USERS}
    (folder / "passwords.json").write_text(json.dumps(passwords))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **stack.environment(),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:op" for user in USERS),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__API__PORT": str(port),
    }
    program = [sys.executable, "-m", "airflow", "api-server"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(program, env=environment, cwd=REPOSITORY, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(url), "the API server does not answer")
        yield Users(url, passwords)
    finally:
        server.terminate()
        server.wait(240)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/v2/version", trust_env=False, timeout=10).is_success
    except httpx.TransportError:
        return False


def ended(stack: LocalStack, dag_id: str, run_id: str) -> str:
    def over() -> Any:
        run = stack.api.run(dag_id, run_id)
        return run if run.is_over else None

    state: str = until(over, f"{run_id} of {dag_id} does not end").state
    return state


def approval_log(stack: LocalStack, dag_id: str, run_id: str) -> str:
    (task,) = (task for task in stack.api.task_instances(dag_id, run_id) if task.task_id == "approve_cost")
    return "\n".join(stack.api.log_lines(dag_id, run_id, task))


def test_only_an_approver_who_did_not_trigger_the_run_approves(
    stack: LocalStack, users: Users, specs: Path
) -> None:
    spec = spec_like(stack, specs, TOPICS, "approved", budget=BUDGET)
    try:
        train = "train_approved"
        run_id = users.trigger("ada", train, {})
        asked = until(lambda: question(stack, train, run_id), "nobody is asked")
        assert [user["id"] for user in asked["assigned_users"]] == ["grace"]
        for user in ("ada", "eve"):
            refused = users.answer(user, train, run_id)
            assert refused.status_code == 403, refused.text
            assert f"User={user} (id={user}) is not a respondent" in refused.text
        assert users.answer("grace", train, run_id).status_code == 200
        assert ended(stack, train, run_id) == "success"
        ((by, version),) = query(
            stack,
            "SELECT approved_by, approved_at IS NOT NULL FROM nightsort.classifier_versions"
            " WHERE classifier = 'approved'",
        )
        assert (by, version) == ("grace", True)

        classify = "classify_approved"
        run_id = users.trigger("grace", classify, {"day": FIRST.isoformat()})
        until(lambda: question(stack, classify, run_id), "nobody is asked")
        assert users.answer("grace", classify, run_id).status_code == 200
        told = "The answer does not count: grace triggered the run"
        until(lambda: told in approval_log(stack, classify, run_id), "the answer counted")
        until(lambda: question(stack, classify, run_id), "nobody is asked again")
        assert users.answer("ada", classify, run_id).status_code == 200
        assert ended(stack, classify, run_id) == "success"
        ((by, state, run),) = query(
            stack,
            "SELECT approved_by, state, run_id FROM nightsort.classification_runs"
            " WHERE classifier = 'approved' AND approved_at > started_at",
        )
        assert (by, state, run) == ("ada", "complete", run_id)
    finally:
        spec.unlink()


def test_a_success_that_somebody_sets_by_hand_starts_nothing(
    stack: LocalStack, users: Users, specs: Path
) -> None:
    spec = spec_like(stack, specs, TOPICS, "byhand", budget=BUDGET)
    try:
        train = "train_byhand"
        run_id = users.trigger("eve", train, {})
        until(lambda: question(stack, train, run_id), "nobody is asked")
        path = f"/dags/{train}/dagRuns/{run_id}/taskInstances/approve_cost"
        marked = users.ask("eve", "PATCH", path, {"new_state": "success"})
        assert marked.status_code == 200, marked.text
        assert ended(stack, train, run_id) == "failed"
        states = {task.task_id: task.state for task in stack.api.task_instances(train, run_id)}
        assert (states["approve_cost"], states["create_classifier"]) == ("success", "failed")
        assert not query(stack, "SELECT FROM nightsort.classifier_versions WHERE classifier = 'byhand'")
    finally:
        spec.unlink()
