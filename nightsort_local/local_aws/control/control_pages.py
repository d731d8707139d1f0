"""The control API: JSON over HTTP on the server's own port, below ``/_nightsort/``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nightsort_local.local_aws.faults.fault_types import parse_fault
from nightsort_local.local_aws.settings import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIEnvironment

    from nightsort_local.local_aws.comprehend.behaviour import Behaviour
    from nightsort_local.local_aws.faults.fault_plan import FaultPlan

ROOT = "/_nightsort/"
"""No bucket can have this name."""

JSON = "application/json"
LARGEST_BODY = 1 << 20
"""Bytes."""


def addresses_server(environ: WSGIEnvironment) -> bool:
    """Return whether a request is for these pages."""
    path: str = environ["PATH_INFO"]
    return path.startswith(ROOT)


def asks_for_health(environ: WSGIEnvironment) -> bool:
    """Return whether a request asks if the server is ready, which anybody may know."""
    return (environ["REQUEST_METHOD"], environ["PATH_INFO"]) == ("GET", f"{ROOT}health")


class ControlPages:
    """Answer requests to the server itself.

    :param health: returns the content of the health page.
    :param behaviour: delays and rate limits.
    :param plan: the faults.
    :param on_clear: called after faults were removed.
    """

    def __init__(
        self,
        health: Callable[[], dict[str, Any]],
        behaviour: Behaviour,
        plan: FaultPlan,
        on_clear: Callable[[], None],
    ) -> None:
        self._behaviour = behaviour
        self._plan = plan
        self._on_clear = on_clear
        self._handlers: dict[tuple[str, str], Callable[[bytes], dict[str, Any]]] = {
            ("GET", "health"): lambda _: health(),
            ("GET", "behaviour"): lambda _: behaviour.to_dict(),
            ("PUT", "behaviour"): self._behave,
            ("GET", "faults"): lambda _: self._shown(),
            ("PUT", "faults"): self._replace,
            ("POST", "faults"): self._add,
            ("DELETE", "faults"): lambda _: self._clear(),
        }

    def answer(self, environ: WSGIEnvironment) -> tuple[int, dict[str, Any]]:
        """Return HTTP status and content of the answer."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        page, _, item = path.removeprefix(ROOT).partition("/")
        if (method, page) == ("DELETE", "faults") and item:
            return self._remove(item)
        handler = self._handlers.get((method, page))
        if handler is None or item:
            known_pages = ", ".join(f"{verb} {ROOT}{name}" for verb, name in self._handlers)
            return 404, {"message": f"There is no {method} {path}. There are {known_pages}."}
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > LARGEST_BODY:
            return 413, {"message": f"The body has {length:,} bytes; at most {LARGEST_BODY:,} are read."}
        # A web page cannot send this type to another site without asking first.
        if length and environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != JSON:
            return 415, {"message": f"The Content-Type of a body must be {JSON}."}
        try:
            return 200, handler(environ["wsgi.input"].read(length))
        except SettingError as error:
            return 400, {"message": str(error)}

    def _behave(self, body: bytes) -> dict[str, Any]:
        self._behaviour.update(_json(body))
        return self._behaviour.to_dict()

    # --- faults ---------------------------------------------------------------------------------------------

    def _shown(self) -> dict[str, Any]:
        return {"faults": self._plan.shown()}

    def _replace(self, body: bytes) -> dict[str, Any]:
        content = _json(body)
        faults = content.get("faults") if isinstance(content, dict) else None
        if not isinstance(faults, list):
            raise SettingError('The body must be {"faults": [...]}.')
        self._plan.replace([parse_fault(fault) for fault in faults])
        self._on_clear()
        return self._shown()

    def _add(self, body: bytes) -> dict[str, Any]:
        return {"id": self._plan.add(parse_fault(_json(body)))}

    def _clear(self) -> dict[str, Any]:
        self._plan.replace(())
        self._on_clear()
        return self._shown()

    def _remove(self, fault_id: str) -> tuple[int, dict[str, Any]]:
        if not self._plan.remove(fault_id):
            return 404, {"message": f"There is no fault {fault_id}."}
        self._on_clear()
        return 200, self._shown()


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    # RecursionError: the content is nested thousands of levels deep.
    except (ValueError, RecursionError) as error:
        raise SettingError(f"The body is not JSON: {error}.") from error
