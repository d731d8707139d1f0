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


def test_documents_together_take_as_long_as_their_number_or_their_characters() -> None:
    assert (unit_seconds(300, 10), unit_seconds(5_000, 10)) == (5.0, 50.0)


def sent(pace: Pace, clock: Clock, seconds: float, refuses: Callable[[float], bool]) -> list[float]:
    """The moments at which documents are sent in some time, by one asker whose answers take no time."""
    moments: list[float] = []
    end = clock.now + seconds
    while True:
        turn = pace.turn(0)
        clock.now += pace.delay(turn)
        if clock.now >= end:
            return moments
        if refuses(clock.now):
            pace.was_refused(turn)
        else:
            moments.append(clock.now)
            pace.went_well(turn)


def test_the_speed_begins_with_what_is_documented_for_the_units() -> None:
    clock = Clock()
    pace = Pace(3, clock=clock)
    delays = [pace.delay(pace.turn(0)) for _ in range(7)]
    assert delays == pytest.approx([number / 6 for number in range(7)])


def test_it_rises_while_the_endpoint_answers_and_halves_at_a_refusal() -> None:
    clock = Clock()
    pace = Pace(1, clock=clock)
    assert len(sent(pace, clock, 5, lambda _: False)) > 100
    speed = pace.speed
    pace.was_refused(pace.turn(0))
    assert pace.speed == speed / 2


def test_refusals_of_requests_that_were_on_their_way_count_once() -> None:
    clock = Clock()
    pace = Pace(8, clock=clock)
    turns = [pace.turn(0) for _ in range(5)]
    for turn in turns:
        pace.was_refused(turn)
    assert (pace.speed, pace.refusals) == (4, 5)
    assert pace.delay(turns[0]) == PAUSE_SECONDS, "nobody asks for a moment"
    clock.now += PAUSE_SECONDS
    pace.was_refused(turns[0])
    assert pace.speed == 2


def test_refusals_while_the_units_are_busy_with_a_long_text_count_once_and_are_further_apart() -> None:
    clock = Clock()
    pace = Pace(1, clock=clock)
    turns = [pace.turn(1_000) for _ in range(4)]
    pace.was_refused(turns[0])
    assert pace.speed == 0.5
    clock.now += PAUSE_SECONDS
    pace.went_well(turns[0])
    speed, pauses = pace.speed, []
    for _ in range(5):
        pace.was_refused(turns[1])
        pauses.append(pace._quiet_until - clock.now)
        clock.now = pace._quiet_until
    assert pauses == [0.5, 1.0, 1.25, 1.25, 1.25]
    assert pace.speed == speed / 2


def test_above_the_documented_speed_a_refusal_halves_it_to_no_less() -> None:
    clock = Clock()
    pace = Pace(4, clock=clock)
    pace.went_well(pace.turn(50))
    assert pace.speed == 5
    pace.was_refused(pace.turn(50))
    assert pace.speed == 4


def test_when_the_speed_rises_who_waits_goes_sooner() -> None:
    clock = Clock()
    pace = Pace(1, clock=clock)
    first, second = pace.turn(10_000), pace.turn(10)
    assert (pace.delay(first), pace.delay(second)) == (0, 100)
    pace.went_well(first)
    assert pace.delay(second) < 1


@pytest.mark.parametrize("characters", [30, 1_000, 5_000])
def test_texts_of_any_length_take_about_what_is_documented(characters: int) -> None:
    """Beside a token bucket that takes a long text when it is full, and then refuses until it is paid off."""
    clock = Clock()
    pace, level, filled = Pace(1, clock=clock), 1.0, clock.now
    texts = 20_000 // characters
    needed = (texts - 1) * unit_seconds(characters)  # Nobody waits for what the last one takes.
    for _ in range(texts):
        while True:
            turn = pace.turn(characters)
            clock.now += pace.delay(turn) + 0.01
            level, filled = min(1.0, level + clock.now - filled), clock.now
            if level >= min(1.0, unit_seconds(characters)):
                break
            pace.was_refused(turn)
        level -= unit_seconds(characters)
        pace.went_well(turn)
    assert 0.8 * needed <= clock.now - 100 <= 1.25 * needed


def test_it_never_stops_asking() -> None:
    clock = Clock()
    pace = Pace(2, clock=clock)
    for _ in range(50):
        turn = pace.turn(0)
        pace.was_refused(turn)
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
