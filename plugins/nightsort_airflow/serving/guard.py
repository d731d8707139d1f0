"""What stands before every request: the token, the limits, headers for browsers, and the count."""

from __future__ import annotations

import asyncio
import hmac
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nightsort.errors import NightsortError
from nightsort_airflow.serving.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from nightsort_airflow.serving.metrics import Metrics

TOKEN: Final = "NIGHTSORT_SERVE_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_FILE: Final = "NIGHTSORT_SERVE_TOKEN_FILE"  # noqa: S105
MIN_TOKEN: Final = 24
"""Characters of a token: nobody guesses it."""

MAX_BODY: Final = 1 << 20
"""Bytes of a request: 25 texts of 10,000 bytes, and what JSON adds to them."""
BODY_SECONDS: Final = 30
"""How long a body may take to arrive."""

MAX_REQUESTS: Final = 200
"""Requests at the same time: their bodies are in memory."""

OPEN_PATHS: Final = frozenset({"/health", "/openapi.json"})
"""Paths without a token: they say nothing of documents."""

COUNTED_PATH: Final = "/classify"

_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class TokenError(NightsortError):
    """The service has no token, or one that could be guessed: where it is looked for, what to do."""


def read_tokens(environment: Mapping[str, str] = os.environ) -> tuple[bytes, ...]:
    """
    Return the tokens that callers may have; several let them be changed one by one.

    :param environment: has the token, or names a file with one a line.
    :raises TokenError: there is none, one is too short, or the file cannot be read.
    """
    file = environment.get(TOKEN_FILE, "")
    try:
        text = Path(file).read_text(encoding="utf-8") if file else environment.get(TOKEN, "")
    except OSError as error:
        raise TokenError(f"{TOKEN_FILE} names {file}, which cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise TokenError(f"{TOKEN_FILE} names {file}, which is not UTF-8: write one token a line.") from None
    tokens = tuple(line.strip().encode() for line in text.splitlines() if line.strip())
    if not tokens or min(map(len, tokens)) < MIN_TOKEN:
        raise TokenError(
            f"Callers need a token of at least {MIN_TOKEN} characters: set {TOKEN}, or {TOKEN_FILE} to a "
            'file with one a line. Make one:  python -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    return tokens


class Guard:
    """
    ASGI middleware: nothing behind it sees a request without a token, too large a one, or too many at once.

    :param app: what answers.
    :param tokens: what callers may have.
    :param metrics: counts the requests to classify, also those that are refused here.
    """

    def __init__(self, app: ASGIApp, tokens: tuple[bytes, ...], metrics: Metrics) -> None:
        self._app = app
        self._tokens = tokens
        self._metrics = metrics
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
                if scope["path"] == COUNTED_PATH:
                    classifier = scope.get("state", {}).get("classifier", "")
                    self._metrics.count("requests_total", classifier, str(message["status"]))
            await send(message)

        try:
            if scope["path"] in OPEN_PATHS:
                # Whoever watches the service gets an answer also when it is busy. No body is read.
                await self._app(scope, receive, send_with_headers)
            else:
                self._check_token(scope)
                await self._answer(scope, receive, send_with_headers)
        except ProblemError as problem:
            await problem.response()(scope, receive, send_with_headers)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._requests >= MAX_REQUESTS:
            detail = f"The service has {MAX_REQUESTS} requests under way already."
            raise ProblemError(503, detail, retry_after=1)
        self._requests += 1
        try:
            await self._app(scope, _received_again(await _whole_body(scope, receive), receive), send)
        finally:
            self._requests -= 1

    def _check_token(self, scope: Scope) -> None:
        scheme, _, given = _header(scope, b"authorization").partition(b" ")
        # Every token is compared, and in a time that tells nothing of where they differ.
        known = [hmac.compare_digest(given.strip(), token) for token in self._tokens]
        if scheme.lower() != b"bearer" or not any(known):
            raise ProblemError(401, "Send the service's token: Authorization: Bearer …")


async def _whole_body(scope: Scope, receive: Receive) -> bytes:
    length = _header(scope, b"content-length")
    if length.isdigit() and len(length) < 20 and int(length) > MAX_BODY:
        raise _too_large()
    try:
        return await asyncio.wait_for(_received(receive), BODY_SECONDS)
    except asyncio.TimeoutError:
        raise ProblemError(408, f"The body did not arrive within {BODY_SECONDS} s.") from None


def _received_again(body: bytes, receive: Receive) -> Receive:
    unread = True

    async def receive_body() -> Message:
        nonlocal unread
        if unread:
            unread = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return receive_body


async def _received(receive: Receive) -> bytes:
    body, more = bytearray(), True
    while more:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise ProblemError(400, "The body ended early.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY:
            raise _too_large()
    return bytes(body)


def _too_large() -> ProblemError:
    return ProblemError(413, f"A request may have {MAX_BODY:,} bytes: send fewer texts at once.")


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")
