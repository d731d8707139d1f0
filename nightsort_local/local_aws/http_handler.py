"""HTTP/1.1 with persistent connections in front of a WSGI application.

werkzeug's own handler closes the connection after every request. Persistent connections double the number of
small S3 calls per second (measured: 490 PUTs instead of 240).
"""

from __future__ import annotations

import io
import logging
import os
import re
import socket
import struct
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import MotoRequestHandler

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger(__name__)

IDLE_SECONDS = 300
"""An idle connection is closed after this time."""

_MAX_DRAIN = 1 << 20
"""Bytes of an unread request body that are read away; a longer one closes the connection."""


_LENGTH = re.compile("[0-9]{1,18}")


class ConnectionReset(ConnectionError):
    """The application asks to reset the client's connection."""


class PersistentConnectionHandler(MotoRequestHandler):
    """Handle the requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    # Head and body of a response are two writes. With Nagle's algorithm the second waits for an ACK.
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """Answer one request of any HTTP method."""
        length = _content_length(self.headers.get_all("Content-Length", []))
        if length is None:
            # Where the next request begins is not known: this closes the connection.
            self.send_error(400, explain="Content-Length must be one whole number of bytes.")
            return
        self.environ = self.make_environ()
        body: _RequestBody | None = None
        stream = self.environ["wsgi.input"]
        if not self.environ.get("wsgi.input_terminated"):
            body = _RequestBody(self.rfile, length)
            self.environ["wsgi.input"] = io.BufferedReader(body, 1 << 16)
        response: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
            response[:] = [status, headers]
            return lambda _data: None

        try:
            chunks = self.server.app(self.environ, start_response)
            try:
                self._answer(response, chunks)
            finally:
                if hasattr(chunks, "close"):
                    chunks.close()
        except ConnectionReset:
            self._reset()
            return
        except (TimeoutError, ConnectionError):
            self.close_connection = True
            return
        if body is None:
            self._drain_chunks(stream)
        elif body.left:
            self._drain(body)

    def _answer(self, response: list[Any], chunks: Iterable[bytes]) -> None:
        pieces = iter(chunks)
        # An application may call start_response only when its first piece is read.
        first = next(pieces, b"")
        status, headers = response
        code, _, phrase = status.partition(" ")
        self.send_response_only(int(code), phrase)
        names = {name.lower() for name, _ in headers}
        for name, value in headers:
            self.send_header(name, value)
        if "date" not in names:
            self.send_header("Date", self.date_time_string())
        has_body = self.command != "HEAD" and code not in ("204", "304")
        if "content-length" not in names and has_body:
            # Without a length, the end of the connection marks the end of the body.
            self.send_header("Connection", "close")
        self.end_headers()
        if has_body:
            self.wfile.write(first)
            for piece in pieces:
                self.wfile.write(piece)

    def _reset(self) -> None:
        """Send a TCP RST, as a broken connection does, instead of the FIN of an orderly end."""
        self.close_connection = True
        no_linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        # Detached, so that the server cannot shut the socket down first, which sends a FIN.
        os.close(self.connection.detach())

    def _drain(self, body: _RequestBody) -> None:
        """Read the rest of the request body: the next request follows it."""
        if body.left > _MAX_DRAIN:
            self.close_connection = True
            return
        while body.left and body.read(body.left):
            pass

    def _drain_chunks(self, stream: Any) -> None:
        """Read the rest of a body with the Transfer-Encoding "chunked"."""
        try:
            unread = len(stream.read(_MAX_DRAIN))
        except OSError:
            unread = _MAX_DRAIN
        if unread == _MAX_DRAIN:
            self.close_connection = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log requests at debug level only: a night of polling would fill the log."""
        log.debug("%s %s %s", self.command, self.path, code)


def _content_length(values: list[str]) -> int | None:
    """Return the length of a request's body, 0 without a header; None for an invalid header."""
    if not values:
        return 0
    found = _LENGTH.fullmatch(values[0]) if len(set(values)) == 1 else None
    return int(found[0]) if found else None


class _RequestBody(io.RawIOBase):
    """The request's body as a stream that ends where the body ends."""

    def __init__(self, connection: Any, length: int) -> None:
        self._connection = connection
        self.left = length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._connection.read(min(len(buffer), self.left)) if self.left else b""
        if self.left and not data:
            raise ConnectionResetError("the client closed the connection in the middle of its request")
        self.left -= len(data)
        buffer[: len(data)] = data
        return len(data)
