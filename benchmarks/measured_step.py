"""Call one function of a benchmark and write its figures: the process in which a run is measured.

python -m benchmarks.measured_step MODULE FUNCTION FOLDER SIZE RESULT [IMPORT ...]
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from importlib import import_module
from pathlib import Path

import psutil


def main(module: str, function: str, folder: str, size: str, result: str, *imports: str) -> None:
    """Import everything, call the function, write what it took."""
    step = getattr(import_module(module), function)
    for name in imports:
        import_module(name)
    if "pyarrow" in sys.modules:
        # It imports pandas, where that is installed, when it makes its first array.
        import_module("pyarrow").array([])
    cpu = _cpu_seconds()
    began = time.perf_counter()
    returned = step(Path(folder), int(size))
    seconds = time.perf_counter() - began
    figures = {"wall_seconds": seconds, "cpu_seconds": _cpu_seconds() - cpu, "peak_mb": _peak_mb()}
    Path(result).write_text(json.dumps(figures | (returned if isinstance(returned, dict) else {})))


def _cpu_seconds() -> float:
    ended = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    alive = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return sum(item.ru_utime + item.ru_stime for item in ended) + sum(
        item.user + item.system for item in alive
    )


def linux_peak_mb(pid: int) -> float:
    """Return the most resident memory that a process had up to now, in 10^6 bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    # A process that has just ended has no memory any more.
    found = next((line for line in lines if line.startswith("VmHWM")), "VmHWM 0 kB")
    return int(found.split()[1]) * 1024 / 1e6


def _peak_mb() -> float:
    # Better than getrusage's on Linux, which begins with the memory of whoever started this process.
    if sys.platform == "linux":
        return linux_peak_mb(os.getpid())
    return (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
