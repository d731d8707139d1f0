"""A client of the control API, for tests: ``LocalAwsControl(url).inject("error", operation="*", code=…)``."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 30


class ControlError(Exception):
    """The local AWS refused what it was told; the message says what it may be told."""


class LocalAwsControl:
    """Tells a local AWS how to behave.

    :param endpoint_url: the server's URL.
    """

    def __init__(self, endpoint_url: str) -> None:
        self._root = f"{endpoint_url.rstrip('/')}/nightsort/"
        # The server is on this machine: no proxy leads there.
        self._opener = build_opener(ProxyHandler({}))

    def inject(self, kind: str, **members: Any) -> str:
        """Add a fault; return its id.

        :param kind: ``error``, ``latency``, ``reset_after``, ``fail`` …, see docs/local-comprehend.md.
        :param members: what the kind takes.
        :raises ControlError: there is no such fault.
        """
        return str(self._call("POST", "faults", {"kind": kind, **members})["id"])

    @contextmanager
    def injected(self, kind: str, **members: Any) -> Iterator[str]:
        """Have a fault inside the block alone; give its id."""
        fault_id = self.inject(kind, **members)
        try:
            yield fault_id
        finally:
            self._call("DELETE", f"faults/{fault_id}")

    def faults(self) -> list[dict[str, Any]]:
        """Return all faults, the spent ones too, each with its ``id`` and how often it ``struck``."""
        return cast("list[dict[str, Any]]", self._call("GET", "faults")["faults"])

    def struck(self, fault_id: str) -> int:
        """Return how often a fault struck.

        :raises KeyError: it is not in force.
        """
        return {fault["id"]: int(fault["struck"]) for fault in self.faults()}[fault_id]

    def clear(self) -> None:
        """Take all faults out; work that is stuck goes on."""
        self._call("DELETE", "faults")

    def behaviour(self) -> dict[str, Any]:
        """Return delays and rate limits."""
        return self._call("GET", "behaviour")

    def set_behaviour(self, **members: Any) -> dict[str, Any]:
        """Change delays or rate limits; return all of them.

        :param members: ``delays={"profile": "realistic"}``, ``rate_limits=True``.
        :raises ControlError: there is no such behaviour.
        """
        return self._call("PUT", "behaviour", members)

    def _call(self, method: str, page: str, content: Any = None) -> dict[str, Any]:
        body = None if content is None else json.dumps(content).encode()
        request = Request(  # noqa: S310 - the caller's own server
            self._root + page, data=body, method=method, headers={"Content-Type": "application/json"}
        )
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                return cast("dict[str, Any]", json.load(answer))
        except HTTPError as error:
            with error:
                message = json.load(error)["message"]
            raise ControlError(message) from error
