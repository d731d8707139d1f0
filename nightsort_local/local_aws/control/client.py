"""A client of the control API, for tests: ``LocalAwsControl(url).inject("error", operation="*", code=…)``."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from nightsort_local.local_aws.account import DEFAULT_REGION
from nightsort_local.local_aws.services import CONTROL

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 240


class ControlError(Exception):
    """The local AWS refused a request of the control API; the message has the allowed values."""


class LocalAwsControl:
    """A client of the control API.

    :param endpoint_url: the server's URL.
    :param key: access key and secret, for a server that checks signatures.
    """

    def __init__(self, endpoint_url: str, key: tuple[str, str] | None = None) -> None:
        self._key = key
        self._root = f"{endpoint_url.rstrip('/')}/_nightsort/"
        # The server is local, so no proxy is used.
        self._opener = build_opener(ProxyHandler({}))

    def inject(self, kind: str, **members: Any) -> str:
        """Add a fault; return its id.

        :param kind: ``error``, ``latency``, ``reset_after``, ``fail`` …, see docs/local-comprehend.md.
        :param members: the members of that kind.
        :raises ControlError: the fault is invalid.
        """
        return str(self._call("POST", "faults", {"kind": kind, **members})["id"])

    @contextmanager
    def injected(self, kind: str, **members: Any) -> Iterator[str]:
        """Add a fault for the duration of the block; yield its id."""
        fault_id = self.inject(kind, **members)
        try:
            yield fault_id
        finally:
            self._call("DELETE", f"faults/{fault_id}")

    def faults(self) -> list[dict[str, Any]]:
        """Return all faults, including used ones, each with its ``id`` and how often it ``struck``."""
        return cast("list[dict[str, Any]]", self._call("GET", "faults")["faults"])

    def struck(self, fault_id: str) -> int:
        """Return how often a fault struck.

        :raises KeyError: no fault has this id.
        """
        return {fault["id"]: int(fault["struck"]) for fault in self.faults()}[fault_id]

    def clear(self) -> None:
        """Remove all faults; stuck work continues."""
        self._call("DELETE", "faults")

    def behaviour(self) -> dict[str, Any]:
        """Return delays and rate limits."""
        return self._call("GET", "behaviour")

    def set_behaviour(self, **members: Any) -> dict[str, Any]:
        """Change delays or rate limits; return all of them.

        :param members: ``delays={"profile": "realistic"}``, ``rate_limits=True``.
        :raises ControlError: a value is invalid.
        """
        return self._call("PUT", "behaviour", members)

    def _call(self, method: str, page: str, content: Any = None) -> dict[str, Any]:
        body = None if content is None else json.dumps(content).encode()
        headers = {"Content-Type": "application/json", **self._signature(method, page, body)}
        request = Request(  # noqa: S310 - the caller's own server
            self._root + page, data=body, method=method, headers=headers
        )
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                return cast("dict[str, Any]", json.load(answer))
        except HTTPError as error:
            with error:
                message = json.load(error)["message"]
            raise ControlError(message) from error

    def _signature(self, method: str, page: str, body: bytes | None) -> dict[str, str]:
        if self._key is None:
            return {}
        # Imported late: every run of pytest with the plugin imports this module.
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        request = AWSRequest(method, self._root + page, data=body or b"")
        SigV4Auth(Credentials(*self._key), CONTROL, DEFAULT_REGION).add_auth(request)
        return dict(request.headers.items())
