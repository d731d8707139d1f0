"""A slow start is waited for; one that shows no sign of life is not."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nightsort_local.patience import LONGEST_SECONDS, STILL_SECONDS, Patience, Signs, signs_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def over_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[float], Signs]], float]:
    """After how many seconds of a clock of the test's own the patience is over."""

    def wait(signs: Callable[[float], Signs]) -> float:
        now = 0.0
        monkeypatch.setattr("nightsort_local.patience.time.monotonic", lambda: now)
        waits = Patience(lambda: signs(now))
        while not waits.is_over():
            now += 5
        return now

    return wait


def test_without_progress_it_is_over_after_three_minutes(
    over_after: Callable[[Callable[[float], Signs]], float],
) -> None:
    assert STILL_SECONDS <= over_after(lambda _: Signs(7, 1.0)) <= STILL_SECONDS + 10


@pytest.mark.parametrize(
    "grows",
    [
        lambda now: Signs(int(now) // 170, 0.0),
        # A twentieth of a processor: load 40 on two of them.
        lambda now: Signs(0, now / 20),
        # A component that is started again and again has the processor time of its newest process.
        lambda now: Signs(0, now % 100),
    ],
    ids=["log", "processor time", "new process"],
)
def test_with_progress_of_either_kind_it_goes_on_for_an_hour(
    grows: Callable[[float], Signs], over_after: Callable[[Callable[[float], Signs]], float]
) -> None:
    assert LONGEST_SECONDS <= over_after(grows) <= LONGEST_SECONDS + 10


def test_a_few_hundredths_of_a_second_are_no_progress(
    over_after: Callable[[Callable[[float], Signs]], float],
) -> None:
    assert over_after(lambda now: Signs(0, now / 1000)) <= STILL_SECONDS + 10


def test_the_signs_are_those_of_the_processes_and_their_children(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"12345")
    busy = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    parent = subprocess.Popen([sys.executable, "-c", busy], start_new_session=True)
    try:
        while signs_of([parent.pid], []).processor_seconds < 0.3:
            assert parent.poll() is None
        assert signs_of([parent.pid], [log, tmp_path / "missing.log"]).log_bytes == 5
    finally:
        os.killpg(parent.pid, 9)
        parent.wait()
    assert signs_of([parent.pid], []) == Signs(0, 0.0)
