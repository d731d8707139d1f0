"""Wait as long as there is progress: a start on a busy machine is slow, but not broken."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

STILL_SECONDS = 180
"""The longest time without progress."""
LONGEST_SECONDS = 3600
"""The longest time with progress: a component that only repeats itself does not become ready."""
PROCESSOR_SECONDS = 1.0
"""The least processor time that counts as progress. At rest, a process needs less in three minutes."""
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Signs:
    """What grows while a process works.

    :param log_bytes: the size of its logs.
    :param processor_seconds: the processor time of the process and its children.
    """

    log_bytes: int
    processor_seconds: float


def signs_of(pids: Iterable[int], logs: Iterable[Path]) -> Signs:
    """Return the signs of these processes. A process that has ended and a log that is missing count as 0."""
    size, seconds = 0, 0.0
    for log in logs:
        with suppress(OSError):
            size += log.stat().st_size
    for pid in pids:
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            for each in (process, *process.children(recursive=True)):
                with suppress(psutil.Error):
                    used = each.cpu_times()
                    seconds += used.user + used.system
    return Signs(size, seconds)


class Patience:
    """Decide when a wait has failed.

    :param look: returns the current signs of what is waited for.
    """

    def __init__(self, look: Callable[[], Signs]) -> None:
        self._look = look
        self._seen = look()
        self._began = self._looked = self._moved = time.monotonic()

    def is_over(self) -> bool:
        """Return whether there was no progress for too long."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            signs = self._look()
            # A process that was started again has used less than the one before.
            worked = abs(signs.processor_seconds - self._seen.processor_seconds) >= PROCESSOR_SECONDS
            if worked or signs.log_bytes != self._seen.log_bytes:
                self._seen, self._moved = signs, now
        return now - self._moved > STILL_SECONDS or now - self._began > LONGEST_SECONDS
