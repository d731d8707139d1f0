"""HTTP responses."""

from __future__ import annotations

import json
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse

_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def respond(
    start_response: StartResponse, status: int, body: bytes, *headers: tuple[str, str]
) -> Iterable[bytes]:
    """Send a body; add its length and a request id to the headers."""
    added = [("Content-Length", str(len(body))), ("x-amzn-RequestId", str(uuid.uuid4()))]
    start_response(f"{status} {_PHRASES.get(status, 'Error')}", [*headers, *added])
    return [body]


def respond_json(start_response: StartResponse, status: int, content: dict[str, Any]) -> Iterable[bytes]:
    """Send JSON."""
    return respond(start_response, status, json.dumps(content).encode(), ("Content-Type", "application/json"))


def respond_s3_error(
    start_response: StartResponse, status: int, code: str, message: str, *headers: tuple[str, str]
) -> Iterable[bytes]:
    """Send an error of S3."""
    error = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'.encode()
    return respond(start_response, status, body, ("Content-Type", "application/xml"), *headers)
