"""Protect the server from web pages: any page in a browser can send requests to loopback."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

from nightsort_local.local_aws.responses import respond_json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    Headers = list[tuple[str, str]]

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^:\[\]]+)(:\d+)?", re.IGNORECASE)

_OWN_SITES = ("same-origin", "none")
"""Values of Sec-Fetch-Site for requests of our own pages, and of addresses that a person typed."""

_SAFE_HEADERS = (
    # A stored HTML page gets no scripts and no origin.
    ("Content-Security-Policy", "sandbox"),
    ("X-Content-Type-Options", "nosniff"),
)
_REPLACED = re.compile("access-control-.*|" + "|".join(name.lower() for name, _ in _SAFE_HEADERS))


class BrowserGuard:
    """WSGI middleware: refuse the requests of foreign web pages, and let no page read or run an answer.

    Programs send none of the headers that are judged, except ``Host``.

    :param application: answers the requests.
    :param hosts: names of this server besides loopback, in lower case; names below them count, too.
    """

    def __init__(self, application: WSGIApplication, hosts: Collection[str]) -> None:
        self._application = application
        self._hosts = ("localhost", *hosts)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        start = _with_safe_headers(start_response)
        reason = self._refusal(environ)
        if reason is None:
            return self._application(environ, start)
        return respond_json(start, 403, {"__type": "AccessDeniedException", "message": reason})

    def _refusal(self, environ: WSGIEnvironment) -> str | None:
        host = environ.get("HTTP_HOST", "")
        if not self._is_own(host):
            return (
                "The local AWS refuses requests for a Host that is neither loopback nor in "
                "NIGHTSORT_LOCAL_AWS_HOSTS."
            )
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and origin.lower() != f"http://{host.lower()}":
            return "The local AWS refuses requests of web pages: Origin is another site."
        if environ.get("HTTP_SEC_FETCH_SITE", "none") not in _OWN_SITES:
            return "The local AWS refuses requests of web pages: Sec-Fetch-Site is another site."
        return None

    def _is_own(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found["name"].strip("[]").lower()
        if any(name == own or name.endswith(f".{own}") for own in self._hosts):
            return True
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


def _with_safe_headers(start_response: StartResponse) -> StartResponse:
    """Return a function that starts a response without CORS and with :data:`_SAFE_HEADERS`."""

    def start(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
        kept = [(name, value) for name, value in headers if not _REPLACED.fullmatch(name.lower())]
        return start_response(status, [*kept, *_SAFE_HEADERS], exc_info)

    return start
