"""End the processes of a benchmark and remove its folder, however the benchmark ended.

    python -m benchmarks.clean_end FOLDER

It waits for the end of its standard input, which its parent holds open: that comes even if it is killed.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress

import psutil

_SECONDS_TO_END = 15


def clean(folder: str) -> None:
    """End every process that has `folder` in its arguments or its environment, and remove the folder."""
    while found := [process for process in psutil.process_iter() if _belongs(process, folder)]:
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        _, alive = psutil.wait_procs(found, _SECONDS_TO_END)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, _SECONDS_TO_END)
    shutil.rmtree(folder, ignore_errors=True)


def _belongs(process: psutil.Process, folder: str) -> bool:
    try:
        if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        return any(folder in value for value in (*process.cmdline(), *process.environ().values()))
    except (psutil.Error, OSError):
        return False


if __name__ == "__main__":
    sys.stdin.buffer.read()
    clean(sys.argv[1])
