"""Requests as they are, with nothing of an SDK in between, over one connection that stays open."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

REGION = "us-east-1"


@dataclass(frozen=True)
class Answer:
    """What came back: the HTTP status, the JSON body, and the headers in lower case."""

    status: int
    content: Any
    headers: dict[str, str]

    @property
    def error(self) -> str | None:
        """The error's code, as botocore finds it; None for a success."""
        return None if self.status == 200 else str(self.content["__type"])

    @property
    def message(self) -> str:
        """What the error says."""
        return str(self.content.get("message", self.content.get("Message", "")))


class Wire:
    """A connection to a server that speaks JSON 1.1.

    Args:
        url: the endpoint URL.
        service: the name that requests are signed for.
        target: the service model's targetPrefix.
        version: of its JSON protocol.
    """

    def __init__(
        self,
        url: str,
        service: str = "comprehend",
        target: str = "Comprehend_20171127",
        version: str = "1.1",
    ) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=240)
        self._service, self._target, self._version = service, target, version

    def __call__(self, operation: str, body: Any, region: str = REGION) -> Answer:
        """Send one request; a body that is bytes goes out as it is."""
        self._connection.request(
            "POST",
            "/",
            body if isinstance(body, bytes) else json.dumps(body).encode(),
            {
                "Content-Type": f"application/x-amz-json-{self._version}",
                "X-Amz-Target": f"{self._target}.{operation}",
                "Authorization": "AWS4-HMAC-SHA256 "
                f"Credential=t/20260101/{region}/{self._service}/aws4_request",
            },
        )
        answer = self._connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, json.loads(answer.read() or b"{}"), headers)

    def close(self) -> None:
        self._connection.close()
