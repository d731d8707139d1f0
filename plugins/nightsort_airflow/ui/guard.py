"""
Nothing without a login: a wall before every route, static files and mounts too.

Airflow mounts a plugin's app without any check, and a dependency of FastAPI does not cover mounted apps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.core_api.security import resolve_user_from_token
from fastapi import HTTPException
from fastapi.security.utils import get_authorization_scheme_param
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Callable

USER: Final = "nightsort_user"
"""Key of the request's scope under which the routes find who is asking."""

HEADERS: Final = {
    # Plotly sets styles on its own elements; nothing needs inline scripts or eval.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; connect-src 'self'; frame-ancestors 'self'; "
        "base-uri 'none'; form-action 'self'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}
"""Headers of every answer. The pages lie in a frame of Airflow's own UI, and nowhere else."""

_READING: Final = ("GET", "HEAD")


class Guard:
    """
    ASGI middleware: ask who is there before anything else, and refuse what could change something.

    :param app: what is behind it.
    :param resolve: returns the user of a token, or raises ``HTTPException``.
    """

    def __init__(
        self, app: Callable[..., Any], resolve: Callable[..., Any] = resolve_user_from_token
    ) -> None:
        self.app = app
        self.resolve = resolve

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, or let it pass."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "private, no-store")
            await send(message)

        request = Request(scope)
        scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
        if scheme.lower() != "bearer":
            token = request.cookies.get(COOKIE_NAME_JWT_TOKEN, "")
        try:
            scope[USER] = await self.resolve(token or None)
        except HTTPException as error:
            # A page in a frame: whoever reads it can only load Airflow anew.
            text = "Your session has ended. Load Airflow again to log in."
            answer = PlainTextResponse(text, error.status_code)
            await answer(scope, receive, send_with_headers)
            return
        if request.method not in _READING:
            answer = PlainTextResponse("These pages change nothing.", 405, {"Allow": ", ".join(_READING)})
            await answer(scope, receive, send_with_headers)
            return
        await self.app(scope, receive, send_with_headers)
