"""What is to come comes after its delay, in order, and a delay that changes counts for what waits."""

from __future__ import annotations

import threading
import time

import pytest

from nightsort_local.local_aws.comprehend.behaviour import Behaviour
from nightsort_local.local_aws.comprehend.timers import Timers

HOUR = 3_600.0


class Recorder:
    """Timers, and what happened in which order."""

    def __init__(self, **delays: float) -> None:
        self.behaviour = Behaviour({"delays": {"job_seconds": HOUR, "training_seconds": HOUR, **delays}})
        self.lock = threading.RLock()
        self.timers = Timers(self.lock, self.behaviour)
        self.happened: list[str] = []
        self._more = threading.Condition(self.lock)

    def after(self, delay: str, key: str, since: float | None = None) -> None:
        def action() -> None:
            self.happened.append(key)
            self._more.notify_all()

        with self.lock:
            self.timers.after(delay, time.time() if since is None else since, key, action)

    def wait_for(self, number: int) -> list[str]:
        with self._more:
            assert self._more.wait_for(lambda: len(self.happened) >= number, timeout=240)
            return self.happened


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_without_a_delay_it_happens_but_not_before_the_lock_is_free(recorder: Recorder) -> None:
    with recorder.lock:
        recorder.after("submitted_seconds", "now")
        assert recorder.happened == []
    assert recorder.wait_for(1) == ["now"]


def test_what_is_due_first_happens_first(recorder: Recorder) -> None:
    with recorder.lock:
        recorder.after("job_seconds", "second", since=time.time() - HOUR - 1)
        recorder.after("job_seconds", "first", since=time.time() - HOUR - 2)
        recorder.after("job_seconds", "in an hour")
    assert recorder.wait_for(2) == ["first", "second"]


def test_a_delay_that_changes_counts_for_what_waits(recorder: Recorder) -> None:
    recorder.after("job_seconds", "job")
    recorder.after("training_seconds", "training")
    recorder.behaviour.update({"delays": {"job_seconds": 0}})
    assert recorder.wait_for(1) == ["job"]
    recorder.behaviour.update({"delays": {"profile": "fast"}})
    assert recorder.wait_for(2) == ["job", "training"]


def test_what_is_cancelled_does_not_happen(recorder: Recorder) -> None:
    with recorder.lock:
        recorder.after("submitted_seconds", "cancelled")
        assert recorder.timers.cancel("cancelled")
        assert not recorder.timers.cancel("cancelled"), "it is cancelled only once"
        recorder.after("submitted_seconds", "other")
    assert recorder.wait_for(1) == ["other"]


def test_an_action_may_have_another_one_follow(recorder: Recorder) -> None:
    with recorder.lock:
        recorder.timers.after(
            "submitted_seconds", 0.0, "a", lambda: recorder.after("submitted_seconds", "a, again")
        )
    assert recorder.wait_for(1) == ["a, again"]
