"""A person sees what happens: in a log one line per event, for a task mapped many times one line in all."""

from __future__ import annotations

import io
import re
import time
from datetime import datetime, timedelta, timezone

import pytest

from nightsort.terminal import Terminal
from nightsort_local import progress as progress_module
from nightsort_local.airflow_api import DagRun, TaskInstance
from nightsort_local.errors import StillRunningError
from nightsort_local.progress import Progress, task_rows

BEGAN = datetime(2026, 11, 1, 2, 0, tzinfo=timezone.utc)
RUN = DagRun("classify_x", "manual__1", "running", BEGAN, None)


def task(task_id: str, state: str, index: int = -1, seconds: float = 3.0) -> TaskInstance:
    end = BEGAN + timedelta(seconds=seconds) if state in ("success", "failed") else None
    label = task_id if index < 0 else f"{task_id} [{index}]"
    started = None if state in ("waiting", "scheduled", "queued") else BEGAN
    return TaskInstance(task_id, index, label, state, 1, started, end)


def test_each_event_is_told_once() -> None:
    out = io.StringIO()
    progress = Progress(Terminal(file=out, width=100))
    with progress.step("classify_x"):
        progress.run_moved(RUN, [task("prepare", "queued"), task("load", "waiting")])
        progress.run_moved(RUN, [task("prepare", "running"), task("load", "waiting")])
        progress.run_moved(RUN, [task("prepare", "running"), task("load", "waiting")])
        progress.run_moved(RUN, [task("prepare", "success"), task("load", "running")])
    lines = [line.split("s  ", 1)[1] for line in out.getvalue().splitlines()]
    assert lines[:-1] == ["classify_x", "  prepare: running", "  prepare: success (3.0 s)", "  load: running"]
    assert lines[-1].startswith("✔ classify_x (")


def test_a_step_that_raises_and_a_step_that_gives_up_end_with_a_cross() -> None:
    out = io.StringIO()
    progress = Progress(Terminal(file=out, width=100))
    with pytest.raises(ValueError, match="x"), progress.step("raises"):
        raise ValueError("x")
    with progress.step("gives up"):
        progress.fail()
    with progress.step("works"):
        pass
    assert [word in out.getvalue() for word in ("✘ raises", "✘ gives up", "✔ works")] == [True] * 3


def test_a_terminal_keeps_the_tasks_and_their_times_in_view() -> None:
    out = io.StringIO()
    progress = Progress(Terminal(file=out, width=100, force_terminal=True, color_system=None))
    with progress.step("classify_x"):
        progress.run_moved(RUN, [task("prepare", "success", seconds=2.5)])
    kept = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).splitlines()[-2:]
    assert kept[0].startswith("✔ classify_x")
    assert kept[1].split() == ["prepare", "success", "2.5", "s"]


def test_markup_in_what_airflow_says_is_shown_as_it_is() -> None:
    out = io.StringIO()
    progress = Progress(Terminal(file=out, width=100))
    with progress.step("x"):
        progress.detail("start_job [bold] [20261101-00000]")
    assert "start_job [bold] [20261101-00000]" in out.getvalue()


def test_few_mapped_tasks_have_a_line_each() -> None:
    rows = task_rows([task("start_job", "success", index) for index in range(3)])
    assert [row.label for row in rows] == ["start_job [0]", "start_job [1]", "start_job [2]"]


def test_many_mapped_tasks_have_one_line_that_counts_them() -> None:
    states = ["success"] * 7 + ["deferred"] * 2 + ["failed"]
    (row,) = task_rows([task("start_job", state, index) for index, state in enumerate(states)])
    assert row.label == "start_job (10)"
    assert row.state == "7 success, 2 deferred, 1 failed"
    assert row.style == "bold red"


def test_a_step_that_is_quiet_for_long_is_said_again_and_why_it_is_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress_module, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr("nightsort_local.progress.os.getloadavg", lambda: (20.3, 9.0, 5.0))
    monkeypatch.setattr("nightsort_local.progress.os.cpu_count", lambda: 2)
    out = io.StringIO()
    progress = Progress(Terminal(file=out, width=200))
    with progress.step("Starting the local stack"):
        progress.detail("waiting for api-server")
        while "still" not in out.getvalue():
            time.sleep(0.01)
    assert (
        "still waiting for api-server: 0 minutes. This machine is busy: load 20 on 2 processors."
        in out.getvalue()
    )


def test_a_machine_that_is_not_busy_is_not_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nightsort_local.progress.os.getloadavg", lambda: (1.0, 1.0, 1.0))
    assert progress_module.busy_machine() == ""


def test_a_run_that_goes_on_has_no_cross() -> None:
    out = io.StringIO()
    with pytest.raises(StillRunningError), Progress(Terminal(file=out, width=100)).step("train_x"):
        raise StillRunningError("still running")
    assert "… train_x (" in out.getvalue()
    assert "✘" not in out.getvalue()
