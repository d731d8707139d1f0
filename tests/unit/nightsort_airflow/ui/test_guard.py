from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import HTTPException

from nightsort_airflow.ui.guard import USER, Guard


def ask(
    method: str = "GET", headers: list[tuple[bytes, bytes]] | None = None
) -> tuple[int, dict[str, str], list[str]]:
    """Return status and headers of an answer, and the users that reached what is behind the guard."""
    reached: list[str] = []
    sent: list[dict[str, Any]] = []

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope[USER])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def resolve(given: str | None) -> str:
        if given != "good":
            raise HTTPException(403 if given else 401, "no")
        return "ann"

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    scope = {"type": "http", "method": method, "path": "/", "query_string": b"", "headers": headers or []}
    asyncio.run(Guard(behind, resolve)(scope, receive, send))
    start = sent[0]
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, reached


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 401),
        ([(b"cookie", b"_token=bad")], 403),
        ([(b"authorization", b"Bearer bad"), (b"cookie", b"_token=good")], 403),
        ([(b"authorization", b"Basic good")], 401),
        ([(b"cookie", b"_token=good")], 200),
        ([(b"authorization", b"Bearer good")], 200),
    ],
)
def test_only_whoever_is_logged_in_comes_through(headers: list[tuple[bytes, bytes]], status: int) -> None:
    answered, sent, reached = ask(headers=headers)
    assert answered == status
    assert reached == (["ann"] if status == 200 else [])
    assert sent["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_that_could_change_something_comes_through(method: str) -> None:
    answered, sent, reached = ask(method, [(b"cookie", b"_token=good")])
    assert (answered, sent["allow"], reached) == (405, "GET, HEAD", [])
