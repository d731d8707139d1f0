"""``nightsort classify`` and ``nightsort serve``: what they do, and what they print."""

from __future__ import annotations

import errno
import json
import os
import socket
import time
from typing import TYPE_CHECKING, Any, Final

from nightsort.errors import NightsortError
from nightsort_airflow.serving.endpoint import EndpointError, LocalEndpoint, ServedEndpoint, ThrottledError
from nightsort_airflow.serving.pace import THROTTLED_SECONDS, Pace
from nightsort_airflow.serving.texts import checked_texts
from nightsort_airflow.settings import poll_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort_airflow.serving.endpoint import Answer

WATCH_SECONDS: Final = 5
"""Between two looks at an endpoint. AWS takes minutes to change its version or units."""

SHUTDOWN_SECONDS: Final = 150
"""How long requests that were taken may take until the process ends."""

KEEP_ALIVE_SECONDS: Final = 120
"""
How long a connection may be idle. It is longer than usual clients keep one (httpx 5 s, proxies 60 s,
Go 90 s), so they close it. If the server does, a request that is sent at that moment has no answer.
"""

_THROTTLED_ATTEMPTS: Final = 60

SERVER_SETTINGS: Final[dict[str, Any]] = {
    "log_level": "warning",
    "access_log": False,
    "server_header": False,
    "timeout_keep_alive": KEEP_ALIVE_SECONDS,
    "timeout_graceful_shutdown": SHUTDOWN_SECONDS,
}
"""Of uvicorn. The guard limits the requests: uvicorn's own limit counts idle connections, too."""


class ListenError(NightsortError):
    """The address or the port of the service cannot be used."""


def classify(
    spec: ClassifierSpec, texts: Iterable[str | bytes], write: Callable[[str], None], *, as_json: bool
) -> int:
    """
    Classify texts one after the other, and write a line for each.

    :param spec: the classifier.
    :param texts: the texts.
    :param write: prints a line.
    :param as_json: whether a line is JSON.
    :returns: how many texts could not be classified.
    :raises NightsortError: no endpoint is open, or AWS failed.
    """
    served = ServedEndpoint(spec)
    local = LocalEndpoint(served)
    try:
        local.open()
        if not served.is_open:
            raise served.closed()
        pace, refused = Pace(), 0
        pace.units = served.state.units if served.state else 1
        for text in texts:
            ((cleaned, reason),) = checked_texts([text])
            if reason is not None:
                refused += 1
                write(json.dumps({"reason": reason}) if as_json else f"-  the text {reason}")
                continue
            answer = _answered(served, pace, cleaned)
            write(json.dumps(answer.to_dict(), ensure_ascii=False) if as_json else _line(answer))
        return refused
    finally:
        local.close()


def serve(specs: Sequence[ClassifierSpec], host: str, port: int, say: Callable[[str], None]) -> None:
    """
    Run the HTTP service until SIGTERM or SIGINT; then answer what was taken.

    :param specs: the classifiers.
    :param host: the address to listen on.
    :param port: the port.
    :param say: told where it answers, before it begins.
    :raises NightsortError: there is no token, or the address or the port cannot be used.
    """
    import uvicorn

    from nightsort_airflow.serving.app import create_app
    from nightsort_airflow.serving.guard import read_tokens
    from nightsort_airflow.serving.service import Service

    tokens = read_tokens(os.environ)
    listener = _listener(host, port)
    names = ", ".join(spec.name for spec in specs)
    say(f"POST http://{host}:{port}/classify asks the endpoints of {names}. Ctrl-C ends it.")
    service = Service([ServedEndpoint(spec) for spec in specs], poll_seconds(WATCH_SECONDS))
    try:
        uvicorn.Server(uvicorn.Config(create_app(service, tokens), **SERVER_SETTINGS)).run([listener])
    except KeyboardInterrupt:
        pass  # Uvicorn has answered what was taken, and raises Ctrl-C again.
    finally:
        service.close()
        listener.close()


def _listener(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            what = f"{host}:{port} is in use by another process: choose another port with --port"
        else:
            # Python adds the address once more, in brackets.
            why = str(error.strerror).partition(" (")[0]
            what = f"Cannot listen on {host}:{port}: {why}; choose other ones with --host and --port"
        raise ListenError(what) from None


def _answered(served: ServedEndpoint, pace: Pace, text: str) -> Answer:
    (start,) = pace.reserve([len(text)], float("inf"))
    time.sleep(max(0.0, start - time.monotonic()))
    for _ in range(_THROTTLED_ATTEMPTS):
        try:
            return served.classify(text)
        except ThrottledError:  # noqa: PERF203 - one call at a time
            time.sleep(THROTTLED_SECONDS)
    raise EndpointError(f"{served.arn} throttles all the time: others ask it too; try again later")


def _line(answer: Answer) -> str:
    if answer.label is None:
        return f"-  no label  {answer.version}"
    return f"{answer.label}  {answer.score:.4f}  {answer.version}"
