"""Progress output: a live view in a terminal, otherwise one line per event."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from nightsort.terminal import Terminal
from nightsort.wording import number_of
from nightsort_local.errors import StillRunningError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import RenderableType

    from nightsort_local.airflow_api import DagRun, TaskInstance

STYLES = {
    "success": "green",
    "failed": "bold red",
    "upstream_failed": "red",
    "up_for_retry": "yellow",
    "running": "cyan",
    "deferred": "magenta",
    "skipped": "dim",
    "waiting": "dim",
    "scheduled": "dim",
    "queued": "dim",
}
FAILED = ("✘", "bold red")
SUCCEEDED = ("✔", "green")
UNFINISHED = ("…", "yellow")
UNEVENTFUL = ("waiting", "scheduled", "queued")
MAX_ROWS_PER_TASK = 4
PLAIN_WIDTH = 118
QUIET_SECONDS = 60
"""A step that says nothing for so long is shown again."""
BUSY_LOAD = 1.5
"""A machine with more load than this per processor is busy."""


@dataclass(frozen=True)
class TaskRow:
    """One line for a task, or for all instances of a mapped task with many instances."""

    key: tuple[str, int]
    label: str
    """The label of a mapped task changes when Airflow has rendered its name."""
    state: str
    style: str
    seconds: float | None


def busy_machine() -> str:
    """Return a sentence on how busy this machine is; empty if it is not."""
    load, processors = os.getloadavg()[0], os.cpu_count() or 1
    if load < BUSY_LOAD * processors:
        return ""
    return f"This machine is busy: load {load:.0f} on {number_of(processors, 'processor')}."


def make_console(*, stderr: bool = False) -> Terminal:
    """Return a console. Without a terminal, its lines are long enough for the tables."""
    console = Terminal(stderr=stderr, highlight=False)
    return console if console.is_terminal else Terminal(stderr=stderr, highlight=False, width=PLAIN_WIDTH)


def task_rows(tasks: Iterable[TaskInstance]) -> list[TaskRow]:
    """Return one line per task instance, or one line in total for a task with many instances."""
    rows = []
    for task_id, group in groupby(tasks, key=lambda task: task.task_id):
        instances = list(group)
        if len(instances) <= MAX_ROWS_PER_TASK:
            rows += [
                TaskRow(
                    key=(task_id, task.map_index),
                    label=task.label,
                    state=task.state,
                    style=STYLES.get(task.state, ""),
                    seconds=task.seconds,
                )
                for task in instances
            ]
            continue
        states = Counter(task.state for task in instances)
        worst = next((state for state in ("failed", "running", "deferred") if states[state]), "")
        style = STYLES["success"] if states["success"] == len(instances) else STYLES.get(worst, "")
        starts = [task.start for task in instances if task.start]
        longest = max((task.seconds or 0 for task in instances), default=0) if starts else None
        counts = ", ".join(f"{number} {state}" for state, number in states.most_common())
        rows.append(TaskRow((task_id, -1), f"{task_id} ({len(instances)})", counts, style, longest))
    return rows


class Progress:
    """Show steps, the current detail of a step, and the tasks of a run.

    It is the observer of a DAG run, and receives the reports of a stack.
    """

    def __init__(self, console: Terminal) -> None:
        self.console = console
        self._began = time.monotonic()
        self._step_began = self._said = self._began
        self._title = ""
        self._detail = ""
        self._rows: list[TaskRow] = []
        self._spinner = Spinner("dots")
        self._reported: set[tuple[tuple[str, int], str]] = set()
        self._failed = False

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show `title` while the block runs, and its duration afterwards."""
        self._title, self._detail, self._rows = title, "", []
        self._reported, self._failed = set(), False
        self._step_began = time.monotonic()
        mark, style = FAILED
        ended = threading.Event()
        threading.Thread(target=self._repeat, args=(ended,), daemon=True).start()
        try:
            if self.console.is_terminal:
                with Live(
                    console=self.console, get_renderable=self._render, refresh_per_second=8, transient=True
                ):
                    yield
            else:
                self._say(title)
                yield
            if not self._failed:
                mark, style = SUCCEEDED
        except StillRunningError:
            mark, style = UNFINISHED
            raise
        finally:
            ended.set()
            seconds = time.monotonic() - self._step_began
            if self.console.is_terminal:
                line = Text.assemble((mark, style), f" {self._title}", (f"  {seconds:.1f} s", "dim"))
                self.console.print(line)
                if self._rows:
                    self.console.print(self._table())
            else:
                self._say(f"{mark} {self._title} ({seconds:.1f} s)")

    def retitle(self, title: str) -> None:
        """Change the title of the step."""
        self._title = title

    def fail(self) -> None:
        """Show the step as failed, although its block raises no error."""
        self._failed = True

    def detail(self, what: str) -> None:
        """Show the current detail of the step."""
        if what == self._detail:
            return
        self._detail = what
        if not self.console.is_terminal:
            self._say(f"  {what}")

    def run_started(self, dag_id: str, run_id: str) -> None:
        """Show the run's id; the step's title has the DAG."""
        self.detail(run_id)

    def run_moved(self, run: DagRun, tasks: Sequence[TaskInstance]) -> None:
        """Show the current states of the tasks."""
        self._rows = task_rows(tasks)
        if self.console.is_terminal:
            return
        for row in self._rows:
            event = (row.key, row.state)
            if row.state not in UNEVENTFUL and event not in self._reported:
                self._reported.add(event)
                took = f" ({row.seconds:.1f} s)" if row.seconds is not None and row.state != "running" else ""
                self._say(f"  {row.label}: {row.state}{took}")

    def run_says(self, what: str) -> None:
        """Show what the run waits for."""
        if self.console.is_terminal:
            self._detail = what
        else:
            self._say(f"  {what}")

    def _repeat(self, ended: threading.Event) -> None:
        """Say again what the step does, whenever nothing was said for a while."""
        while not self.console.is_terminal and not ended.wait(QUIET_SECONDS / 10):
            if time.monotonic() - self._said >= QUIET_SECONDS:
                minutes = number_of(int(time.monotonic() - self._step_began) // 60, "minute")
                self._say(f"  still {self._detail or self._title}: {minutes}. {busy_machine()}".rstrip())

    def _say(self, line: str) -> None:
        self._said = time.monotonic()
        self.console.print(f"{time.monotonic() - self._began:6.1f} s  {line}", soft_wrap=True)

    def _render(self) -> RenderableType:
        seconds = time.monotonic() - self._step_began
        busy = f"  {busy_machine()}" if seconds > QUIET_SECONDS else ""
        self._spinner.update(
            text=Text.assemble(
                (self._title, "bold"), f"  {self._detail}", (f"  {seconds:.0f} s", "dim"), (busy, "yellow")
            )
        )
        return Group(self._spinner, self._table()) if self._rows else self._spinner

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(width=1)
        table.add_column()
        table.add_column()
        table.add_column(justify="right")
        for row in self._rows:
            took = "" if row.seconds is None else f"{row.seconds:.1f} s"
            table.add_row("", row.label, Text(row.state, style=row.style), Text(took, style="dim"))
        return table
