"""Nothing behind the guard sees a request without a token, or one that is too large."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from nightsort_airflow.serving.guard import (
    MAX_BODY,
    MAX_REQUESTS,
    TOKEN,
    TOKEN_FILE,
    Guard,
    TokenError,
    read_tokens,
)
from nightsort_airflow.serving.metrics import Metrics

if TYPE_CHECKING:
    from pathlib import Path

TOKENS = (b"a" * 30, b"b" * 30)


class TestTokens:
    def test_from_the_environment_or_a_file_with_several(self, tmp_path: Path) -> None:
        assert read_tokens({TOKEN: "a" * 30}) == (b"a" * 30,)
        file = tmp_path / "tokens"
        file.write_text(f"{'a' * 30}\n\n{'b' * 30}\n")
        assert read_tokens({TOKEN: "ignored", TOKEN_FILE: str(file)}) == TOKENS

    def test_a_file_that_is_no_text_is_named(self, tmp_path: Path) -> None:
        file = tmp_path / "tokens"
        file.write_bytes(b"\xfd" * 30)
        with pytest.raises(TokenError, match=f"{TOKEN_FILE} names {file}, which is not UTF-8"):
            read_tokens({TOKEN_FILE: str(file)})

    @pytest.mark.parametrize(
        "environment",
        [{}, {TOKEN: ""}, {TOKEN: "a" * 23}, {TOKEN: f"{'a' * 30}\nshort"}, {TOKEN_FILE: "/no"}],
    )
    def test_none_or_one_that_can_be_guessed(self, environment: dict[str, str]) -> None:
        with pytest.raises(TokenError) as caught:
            read_tokens(environment)
        assert TOKEN in str(caught.value)
        assert "short" not in str(caught.value)


def asked(
    chunks: list[bytes], path: str = "/classify", token: bytes | None = TOKENS[0], **headers: bytes
) -> tuple[int, list[bytes]]:
    """Ask the guard; the status, and the bodies that what is behind it saw."""
    seen: list[bytes] = []
    sent: list[Any] = []
    messages = [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks) - 1}
        for number, chunk in enumerate(chunks)
    ]

    async def behind(_: Any, receive: Any, send: Any) -> None:
        seen.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    given = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    if token is not None:
        given.append((b"authorization", b"Bearer " + token))
    scope: Any = {"type": "http", "path": path, "headers": given, "method": "POST"}
    metrics = Metrics()
    asyncio.run(Guard(behind, TOKENS, metrics)(scope, receive, send))
    assert (b"x-content-type-options", b"nosniff") in sent[0]["headers"]
    counted = f'requests_total{{classifier="",status="{sent[0]["status"]}"}} 1'
    assert (counted in metrics.text({})) == (path == "/classify")
    return sent[0]["status"], seen


@pytest.mark.parametrize("token", TOKENS)
def test_each_token_opens_and_the_body_arrives_whole(token: bytes) -> None:
    assert asked([b"a", b"", b"bc"], token=token) == (200, [b"abc"])


@pytest.mark.parametrize("token", [None, b"", b"a" * 29, b"a" * 31, b"c" * 30, b"\xff"])
def test_any_other_does_not(token: bytes | None) -> None:
    assert asked([b"abc"], token=token) == (401, [])
    assert asked([b"abc"], path="/metrics", token=token) == (401, [])
    assert asked([b""], path="/health", token=token) == (200, [b""])


def test_a_body_that_is_too_large_is_not_read() -> None:
    assert asked([b"x"], content_length=str(MAX_BODY + 1).encode()) == (413, [])
    assert asked([b"x" * MAX_BODY]) == (200, [b"x" * MAX_BODY])
    assert asked([b"x" * MAX_BODY, b"x"], content_length=b"-5") == (413, [])


def test_a_body_that_ends_early_is_no_request() -> None:
    assert asked([]) == (400, [])


def test_of_too_many_requests_at_once_the_last_is_told_to_come_again() -> None:
    """As problem details; whoever watches the service is answered also then, and room is made again."""

    async def statuses() -> list[int]:
        enough, sent = asyncio.Event(), []

        async def behind(scope: Any, _: Any, send: Any) -> None:
            if scope["path"] == "/classify":
                await enough.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                sent.append(message)

        def ask(path: str) -> asyncio.Task[None]:
            headers = [(b"authorization", b"Bearer " + TOKENS[0])]
            scope: Any = {"type": "http", "path": path, "headers": headers, "method": "POST"}
            return asyncio.ensure_future(guard(scope, receive, send))

        guard = Guard(behind, TOKENS, Metrics())
        under_way = [ask("/classify") for _ in range(MAX_REQUESTS)]
        await asyncio.sleep(0)
        await ask("/classify")
        headers = dict(sent[-1]["headers"])
        assert (headers[b"retry-after"], headers[b"content-type"]) == (b"1", b"application/problem+json")
        await ask("/health")
        enough.set()
        await asyncio.gather(*under_way)
        await ask("/classify")
        return [message["status"] for message in sent]

    assert asyncio.run(statuses()) == [503, 200, *[200] * MAX_REQUESTS, 200]
