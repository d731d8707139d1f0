"""What any user of the machine sees of other processes, while something runs."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

SECONDS = 0.1
"""Between two looks; Airflow's commands take seconds."""


class WatchedProcesses:
    """The command lines of all processes of the machine, those in containers too, collected in a thread."""

    def __init__(self) -> None:
        self.command_lines: set[bytes] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(SECONDS):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                # It may have ended since.
                with suppress(OSError):
                    self.command_lines.add(file.read_bytes())
