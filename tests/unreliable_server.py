"""A small HTTP server in front of another one: it answers slowly, and drops every third request."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

NOT_PASSED_ON = ("host", "connection", "content-length", "accept-encoding")


@contextmanager
def unreliable(upstream: httpx.Client, *, seconds: float, drop: Callable[[int], bool]) -> Iterator[str]:
    """Yield the address of the server.

    :param upstream: what really answers.
    :param seconds: how much later than that.
    :param drop: which requests, counted from 1, lose their connection. Half of these have had their effect.
    """
    numbers = itertools.count(1)
    dropped = itertools.count(1)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            lost = drop(next(numbers))
            if lost and next(dropped) % 2:
                self.close_connection = True
                return
            headers = {
                name: value for name, value in self.headers.items() if name.lower() not in NOT_PASSED_ON
            }
            answer = upstream.request(self.command, self.path, content=body, headers=headers)
            time.sleep(seconds)
            if lost:
                self.close_connection = True
                return
            self.send_response(answer.status_code)
            self.send_header("content-type", answer.headers.get("content-type", "application/json"))
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PATCH = _answer

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
