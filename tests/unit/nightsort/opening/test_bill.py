"""What an endpoint costs: every second and unit once, whatever the span."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.comprehend.prices import endpoint_cost
from nightsort.opening.bill import Change, Opening, spent, unit_cost, usd_per_hour

START = datetime(2026, 11, 18, 8, tzinfo=timezone.utc)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def opening(*units: tuple[int, int], closed: int | None = None) -> Opening:
    changes = [Change(at(second), number, "arn:v1") for second, number in units]
    return Opening(changes, None if closed is None else at(closed))


def test_an_hour_of_one_unit_costs_1_80() -> None:
    assert spent([opening((0, 1), closed=3600)], at(-1), at(9999)) == 1.80
    assert usd_per_hour(1) == pytest.approx(1.80)


def test_units_count_from_their_change_on() -> None:
    found = opening((0, 1), (100, 4), (200, 2), closed=300)
    assert found.unit_seconds(at(0), at(300)) == 100 + 400 + 200
    assert found.unit_seconds(at(150), at(250)) == 50 * 4 + 50 * 2


def test_an_open_one_counts_up_to_the_end() -> None:
    assert opening((0, 2)).unit_seconds(at(0), at(500)) == 1000


@pytest.mark.parametrize("seconds", [0, 1, 59, 60, 61])
def test_the_first_minute_is_billed_whole(seconds: int) -> None:
    found = spent([opening((0, 1), closed=seconds)], at(0), at(1000))
    assert found == endpoint_cost(seconds, 1)


@given(
    st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 9)), min_size=1, unique_by=lambda unit: unit[0]),
    st.integers(0, 9000),
    st.lists(st.integers(-10, 10_000)),
)
def test_days_add_up(units: list[tuple[int, int]], closed: int, cuts: list[int]) -> None:
    """However a span is cut into parts, the parts add up to the whole, but for the first minute."""
    units = sorted(units)
    found = opening(*units, closed=max(closed, units[0][0] + 60))
    edges = sorted({-20, 20_000, *(cut for cut in cuts if not units[0][0] < cut < units[0][0] + 60)})
    parts = sum(found.unit_seconds(at(a), at(b)) for a, b in itertools.pairwise(edges))
    assert parts == found.unit_seconds(at(-20), at(20_000))


def test_a_started_second_counts_whole() -> None:
    assert unit_cost(60.2) == unit_cost(61) == 0.0305
