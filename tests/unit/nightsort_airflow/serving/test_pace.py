"""What the pace lets through, an endpoint with these units takes; what it refuses comes later."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort_airflow.serving.pace import BusyError, Pace

CHARACTERS = st.lists(st.integers(1, 10_000), min_size=1, max_size=5)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Bucket:
    """The endpoint's own limit: it fills at a constant rate and holds one second of it."""

    def __init__(self, rate: float) -> None:
        self.rate, self.level, self.filled = rate, rate, 0.0

    def take(self, amount: float, moment: float) -> bool:
        self.level = min(self.rate, self.level + (moment - self.filled) * self.rate)
        self.filled = moment
        allowed = self.level >= min(amount, self.rate) - 1e-6
        self.level -= amount
        return allowed


@given(st.integers(1, 10), st.lists(st.tuples(CHARACTERS, st.floats(0, 5), st.floats(0, 3)), max_size=10))
def test_an_endpoint_takes_what_is_let_through(
    units: int, requests: list[tuple[list[int], float, float]]
) -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.units = units
    documents, volume = Bucket(2 * units), Bucket(100 * units)
    last = 0.0
    for characters, pause, patience in requests:
        clock.now += pause
        try:
            starts = pace.reserve(characters, patience)
        except BusyError as busy:
            clock.now += busy.retry_after + 1e-6
            starts = pace.reserve(characters, patience)
        assert clock.now <= starts[0] <= clock.now + patience + 1e-6
        assert starts == sorted(starts)
        assert starts[0] >= last, "first come, first served"
        for number, start in zip(characters, starts, strict=True):
            assert documents.take(1, start)
            assert volume.take(number, start)
        last = starts[-1]


def test_one_unit_takes_two_documents_a_second() -> None:
    clock = Clock()
    pace = Pace(clock)
    starts = pace.reserve([10] * 6, 0)
    assert [start - clock.now for start in starts] == [0, 0.5, 1, 1.5, 2, 2.5]
    with pytest.raises(BusyError) as caught:
        pace.reserve([10], 1)
    assert caught.value.retry_after == pytest.approx(2)
    pace.units = 4
    assert pace.seconds([1_000, 1_000]) == 5
    clock.now += 100
    pace.hold(3)
    (start,) = pace.reserve([10], 9)
    assert start - clock.now == pytest.approx(3 + 0.125)
