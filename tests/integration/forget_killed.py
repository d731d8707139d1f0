"""Run ``nightsort forget`` and die on the way: a process that kills its children, as often as it is told.

Each line of standard input is a number, and the arguments of the command as JSON. A child runs the command
and is killed, by SIGKILL, before that write of it. The answer is one line: ``killed`` or the exit code.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from itertools import count
from typing import Any

import psycopg
import pyarrow.parquet  # noqa: F401 - once, not in each child
from s3fs import S3FileSystem

import nightsort.forgetting.forget
import nightsort.forgetting.unreached  # noqa: F401 - once, not in each child
from nightsort.cli import app

WRITES = ("put_object", "delete_object", "upload_part", "complete_multipart_upload")


def die_before(write: int) -> None:
    """Kill this process before that write to S3 or that end of a transaction, counted from 0."""
    numbers = count()

    def strike() -> None:
        if next(numbers) == write:
            os.kill(os.getpid(), signal.SIGKILL)

    call_s3, leave = S3FileSystem._call_s3, psycopg.Transaction.__exit__

    async def calling(self: Any, method: str, *arguments: Any, **more: Any) -> Any:
        if method in WRITES:
            strike()
        return await call_s3(self, method, *arguments, **more)

    def leaving(self: Any, *arguments: Any) -> Any:
        strike()
        return leave(self, *arguments)

    S3FileSystem._call_s3 = calling
    psycopg.Transaction.__exit__ = leaving  # type: ignore[method-assign]


def main() -> None:
    """Answer each line."""
    for line in sys.stdin:
        write, arguments = json.loads(line)
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            die_before(write)
            try:
                app(arguments)
            except SystemExit as end:
                os._exit(int(end.code or 0))
            os._exit(99)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status)
        print("killed" if killed else os.WEXITSTATUS(status), flush=True)


if __name__ == "__main__":
    main()
