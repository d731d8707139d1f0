"""A local AWS that is killed again and again: each start is a fork of a process that has imported everything.

An ordinary start imports moto for a second; a fork is ready in a fraction of it. What is forked is the real
server, except that it has no workers: nothing here trains or classifies.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nightsort_local.local_aws import server
from tests.integration.local_aws_server import PROJECT, LocalAwsServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class KilledServer:
    """The process that forks servers.

    :param process: it reads a line on its standard input, and answers with the pid of a new server.
    :param url: the URL of every server.
    :param pid: the running server.
    """

    process: subprocess.Popen[str]
    url: str = ""
    pid: int = 0

    def start(self) -> None:
        """Start a server, and wait until it is ready."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("start\n")
        self.process.stdin.flush()
        self.pid = int(self.process.stdout.readline())
        ready = self.process.stdout.readline()
        assert ready.startswith(server.READY), f"The server did not start again: {ready!r}"
        self.url = ready.removeprefix(server.READY).split()[0]

    def kill(self) -> None:
        """Kill the server as the kernel does when memory is short."""
        os.kill(self.pid, signal.SIGKILL)

    def restart(self) -> None:
        """Kill the server and start the next one."""
        self.kill()
        self.start()

    def client(self, service: str) -> Any:
        """Return a boto3 client of the running server."""
        return LocalAwsServer(self.url, self.process).client(service)


@contextmanager
def killed_server(data: Path) -> Iterator[KilledServer]:
    """Start a server that can be killed; end it and its parent at the end of the block."""
    command = [sys.executable, "-m", "tests.integration.killed_server", str(data)]
    with subprocess.Popen(
        command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        killed = KilledServer(process)
        try:
            killed.start()
            yield killed
        finally:
            process.kill()
            if killed.pid:
                killed.kill()


class _NoWorkers:
    """Accepts work and never does it."""

    size = 0

    def __init__(self, *_: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def main(data: Path) -> None:
    """Fork a server for each line of the standard input; the first one chooses the port."""
    port, child = 0, 0
    for _ in sys.stdin:
        if child:
            os.waitpid(child, 0)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            vars(server)["WorkerPool"] = _NoWorkers
            started = server.LocalAws("127.0.0.1", port, data)
            os.write(writing, started.url.rpartition(":")[2].encode())
            print(os.getpid(), flush=True)
            started.run()
            os._exit(0)
        os.close(writing)
        port = int(os.read(reading, 16) or 0)
        os.close(reading)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
