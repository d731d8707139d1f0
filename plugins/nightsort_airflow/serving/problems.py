"""Errors of the service as problem details (RFC 9457). None of them has a text, or a part of one."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any, Final

from fastapi.responses import JSONResponse

CONTENT_TYPE: Final = "application/problem+json"


class ProblemError(Exception):
    """
    A request that is not answered.

    :param status: the HTTP status.
    :param detail: what is wrong, and what to do.
    :param retry_after: seconds after which it may succeed.
    :param members: further members of the answer.
    """

    def __init__(self, status: int, detail: str, *, retry_after: float | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after = None if retry_after is None else max(1, math.ceil(retry_after))
        self.members = members

    def response(self) -> JSONResponse:
        """Return the answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        content = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }
        return JSONResponse(content, self.status, headers, media_type=CONTENT_TYPE)
