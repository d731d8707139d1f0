"""A StatsD server as far as its wire goes: it keeps the lines that come over UDP."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class UdpListener:
    """Keeps what is sent to :attr:`port`."""

    def __init__(self, opened: socket.socket) -> None:
        self.lines: list[str] = []
        self.port: int = opened.getsockname()[1]
        self._socket = opened
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while (datagram := self._socket.recv(65_536)) != b"end":
            self.lines += datagram.decode().splitlines()

    def close(self) -> None:
        """Read what has come, and end."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"end", ("127.0.0.1", self.port))
        self._thread.join()


@contextmanager
def udp_listener() -> Iterator[UdpListener]:
    """Listen on a free port; after the block all that was sent to it has been read."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
        opened.bind(("127.0.0.1", 0))
        listener = UdpListener(opened)
        try:
            yield listener
        finally:
            listener.close()
