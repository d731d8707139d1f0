from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nightsort.real_time.pace import LEAST_SHARE, PAUSE_SECONDS, Pace, unit_seconds

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("characters", "seconds"), [(0, 0.5), (50, 0.5), (51, 0.51), (550, 5.5)])
def test_a_unit_does_2_documents_or_100_characters_a_second(characters: int, seconds: float) -> None:
    assert unit_seconds(characters) == seconds


def sent(pace: Pace, clock: Clock, seconds: float, refuses: Callable[[float], bool]) -> list[float]:
    """The moments at which documents are sent in some time, by one asker whose answers take no time."""
    moments: list[float] = []
    end = clock.now + seconds
    while True:
        clock.now += pace.delay(0.5)
        if clock.now >= end:
            return moments
        if refuses(clock.now):
            pace.was_refused()
        else:
            moments.append(clock.now)
            pace.went_well(0.5)


def test_the_speed_begins_with_what_is_documented_for_the_units() -> None:
    clock = Clock()
    pace = Pace(3, clock=clock)
    delays = [pace.delay(0.5) for _ in range(7)]
    assert delays == pytest.approx([number / 6 for number in range(7)])


def test_it_rises_while_the_endpoint_answers_and_halves_at_a_refusal() -> None:
    clock = Clock()
    pace = Pace(1, clock=clock)
    assert len(sent(pace, clock, 5, lambda _: False)) > 100
    speed = pace.speed
    pace.was_refused()
    assert pace.speed == speed / 2


def test_refusals_of_requests_that_were_on_their_way_count_once() -> None:
    clock = Clock()
    pace = Pace(8, clock=clock)
    for _ in range(5):
        pace.was_refused()
    assert (pace.speed, pace.refusals) == (4, 5)
    assert pace.delay(0.5) == PAUSE_SECONDS, "nobody asks for a moment"
    clock.now += PAUSE_SECONDS
    pace.was_refused()
    assert pace.speed == 2


def test_it_never_stops_asking() -> None:
    clock = Clock()
    pace = Pace(2, clock=clock)
    for _ in range(50):
        pace.was_refused()
        clock.now += PAUSE_SECONDS
    assert pace.speed == 2 * LEAST_SHARE


@pytest.mark.parametrize("units", [1, 4])
def test_beside_a_limit_it_settles_near_it(units: int) -> None:
    """A token bucket as the local AWS has it: 2 documents a second and unit, a second's worth of burst."""
    clock = Clock()
    pace, level, filled = Pace(units, clock=clock), [2.0 * units], [clock.now]

    def refuses(now: float) -> bool:
        level[0] = min(2.0 * units, level[0] + (now - filled[0]) * 2 * units)
        filled[0] = now
        if level[0] < 1:
            return True
        level[0] -= 1
        return False

    sent(pace, clock, 60, refuses)
    moments = sent(pace, clock, 300, refuses)
    assert 0.6 * 2 * units <= len(moments) / 300 <= 2 * units * 1.01
    assert pace.refusals < 0.2 * len(moments)
