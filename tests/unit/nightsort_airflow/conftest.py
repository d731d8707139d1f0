from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.stub import Stubber

ROLE = "arn:aws:iam::123456789012:role/ComprehendAccess"


class TaskInstance:
    """As much of a task instance as an operator under test uses."""

    def __init__(self) -> None:
        self.stats_tags: dict[str, str] = {}
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


class TaskStateStore(dict[str, Any]):
    """Airflow's task state store: what is in it outlives a try."""

    def get(self, key: str, default: Any = None) -> Any:
        return dict.get(self, key, default)

    def set(self, key: str, value: Any) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


@pytest.fixture
def context() -> dict[str, Any]:
    return {"ti": TaskInstance(), "task_state_store": TaskStateStore()}


@pytest.fixture(autouse=True)
def no_real_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NIGHTSORT_POLL_SECONDS", raising=False)


@pytest.fixture
def real_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client of AWS itself, for tests whose answers are scripted. Links lead to the console of AWS only."""
    monkeypatch.delenv("AWS_ENDPOINT_URL")


@pytest.fixture
def answers() -> Iterator[Any]:
    """Script Comprehend's answers to a hook, call by call; botocore checks both sides against its model."""
    from botocore.stub import Stubber

    stubbers: list[Stubber] = []

    def script(hook: Any) -> Stubber:
        stubber = Stubber(hook.client)
        stubber.activate()
        stubbers.append(stubber)
        return stubber

    yield script
    for stubber in stubbers:
        stubber.assert_no_pending_responses()
