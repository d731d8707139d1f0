from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from nightsort_airflow.triggers import endpoints
from nightsort_airflow.triggers.endpoints import (
    ComprehendEndpointDeletedTrigger,
    ComprehendEndpointReadyTrigger,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ARN = "arn:aws:comprehend:eu-west-1:123456789012:document-classifier-endpoint/nightsort-c"


class Comprehend:
    """An asynchronous client with prepared answers; a code stands for an error of AWS."""

    def __init__(self, *statuses: str) -> None:
        self.statuses, self.deleted = [*statuses], 0
        self.refusals: list[str] = []

    async def describe_endpoint(self, EndpointArn: str) -> dict[str, Any]:
        status = self.statuses.pop(0)
        if status.endswith("Exception"):
            raise ClientError({"Error": {"Code": status, "Message": ""}}, "DescribeEndpoint")
        return {"EndpointProperties": {"EndpointArn": EndpointArn, "Status": status}}

    async def delete_endpoint(self, EndpointArn: str) -> dict[str, Any]:
        if self.refusals:
            code = self.refusals.pop(0)
            raise ClientError({"Error": {"Code": code, "Message": ""}}, "DeleteEndpoint")
        self.deleted += 1
        return {}


def told(monkeypatch: pytest.MonkeyPatch, trigger: Any, comprehend: Comprehend) -> Any:
    """Give the trigger this client, and no time between two polls."""

    async def connect() -> Any:
        @asynccontextmanager
        async def connection() -> AsyncIterator[Comprehend]:
            yield comprehend

        return connection()

    class Hook:
        get_async_conn = staticmethod(connect)

    async def no_time(_: float) -> None:
        return None

    monkeypatch.setattr(trigger, "hook", Hook)
    monkeypatch.setattr(asyncio, "sleep", no_time)
    return trigger


def first_event(trigger: Any) -> dict[str, Any]:
    async def one() -> Any:
        async for event in trigger.run():
            return event.payload
        raise AssertionError("the trigger ended without an event")

    return asyncio.run(one())


@pytest.mark.parametrize(
    ("trigger", "statuses", "status"),
    [
        (ComprehendEndpointReadyTrigger, ["CREATING", "CREATING", "IN_SERVICE"], "success"),
        (ComprehendEndpointReadyTrigger, ["UPDATING", "ThrottlingException", "IN_SERVICE"], "success"),
        (ComprehendEndpointReadyTrigger, ["CREATING", "FAILED"], "error"),
        (ComprehendEndpointReadyTrigger, ["DELETING"], "error"),
        (ComprehendEndpointReadyTrigger, ["PONDERING"], "error"),
        (ComprehendEndpointReadyTrigger, ["ResourceNotFoundException"], "error"),
        (ComprehendEndpointDeletedTrigger, ["DELETING", "ResourceNotFoundException"], "success"),
        (ComprehendEndpointDeletedTrigger, ["DELETING", "CREATING"], "error"),
        (ComprehendEndpointDeletedTrigger, ["IN_SERVICE"], "error"),
        (ComprehendEndpointDeletedTrigger, ["PONDERING"], "error"),
        (ComprehendEndpointDeletedTrigger, ["AccessDeniedException"], "error"),
    ],
)
def test_each_state_ends_the_wait_or_does_not(
    monkeypatch: pytest.MonkeyPatch, trigger: Any, statuses: list[str], status: str
) -> None:
    comprehend = Comprehend(*statuses)
    event = first_event(told(monkeypatch, trigger(endpoint_arn=ARN, aws_conn_id=None), comprehend))
    assert (event["status"], event["endpoint_arn"]) == (status, ARN)
    assert not comprehend.statuses, "it asked as often as needed"


@pytest.mark.parametrize("trigger", [ComprehendEndpointReadyTrigger, ComprehendEndpointDeletedTrigger])
def test_a_connection_that_stays_lost_is_an_event_and_not_an_exception(
    trigger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {
        "region_name": "eu-west-1",
        "endpoint_url": "http://127.0.0.1:9",
        "config_kwargs": {"retries": {"total_max_attempts": 1}},
    }
    connection = {"conn_type": "aws", "login": "tester", "password": "secret-key", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_DEAD", json.dumps(connection))
    event = first_event(trigger(endpoint_arn=ARN, waiter_delay=1, waiter_max_attempts=1, aws_conn_id="dead"))
    assert event["status"] == "error"
    assert "No connection" in event["message"]


@pytest.mark.parametrize(
    ("refusals", "deleted", "said"),
    [
        ([], 1, "Asked Comprehend to delete the endpoint"),
        (["ResourceInUseException"] * 3, 1, "Asked Comprehend to delete the endpoint"),
        (["ResourceNotFoundException"], 0, "Asked Comprehend to delete the endpoint"),
        (["ResourceInUseException"] * endpoints.KILL_ATTEMPTS, 0, "is open and billed by the second"),
    ],
    ids=["at once", "soon created", "gone already", "still being created"],
)
def test_killed_while_it_waits_it_deletes_the_endpoint_or_says_that_it_is_open(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    refusals: list[str],
    deleted: int,
    said: str,
) -> None:
    comprehend = Comprehend()
    comprehend.refusals = [*refusals]
    trigger = ComprehendEndpointReadyTrigger(endpoint_arn=ARN, delete_on_kill=True, aws_conn_id=None)
    asyncio.run(told(monkeypatch, trigger, comprehend).on_kill())
    assert comprehend.deleted == deleted
    assert said in capsys.readouterr().out


def test_killed_it_deletes_nothing_unless_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    comprehend = Comprehend()
    trigger = ComprehendEndpointReadyTrigger(endpoint_arn=ARN, aws_conn_id=None)
    asyncio.run(told(monkeypatch, trigger, comprehend).on_kill())
    assert comprehend.deleted == 0
    assert "stays open and is billed" in capsys.readouterr().out


def test_the_attempts_of_a_kill_fit_into_the_time_that_airflow_gives() -> None:
    assert endpoints.KILL_ATTEMPTS * endpoints.KILL_DELAY < 30
