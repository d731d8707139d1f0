"""Target tracking asks for the units that bring the use to its target, and for nothing without a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort_local.local_aws.autoscaling.target_tracking import IN_PERIODS, wanted_units

PERCENT = st.floats(0.1, 1_000)
PERIODS = st.lists(st.none() | PERCENT, max_size=IN_PERIODS)


@pytest.mark.parametrize(
    ("utilization", "units"),
    [
        ([100, 100], 2),
        ([100, 100, 100], 3),
        ([100, None, 100, 100], 2),
        ([71] * 3, 3),
        ([70] * 15, 2),
        ([64] * 15, 2),
        ([10] * 14, 2),
        ([10] * 15, 1),
        ([None] * 14 + [10], 1),
        ([None] * 15, 2),
        ([65] + [10] * 14, 2),
    ],
)
def test_two_units_with_a_target_of_seventy_percent(utilization: list[float | None], units: int) -> None:
    assert wanted_units(2, utilization, 70) == units


@given(st.integers(1, 10), PERIODS, st.floats(1, 100))
def test_more_units_are_enough_and_fewer_are_too(
    units: int, utilization: list[float | None], target: float
) -> None:
    wanted = wanted_units(units, utilization, target)
    assert wanted >= 1
    known = [value for value in utilization if value is not None]
    if wanted > units:
        assert min(known[-3:]) > target
        assert sum(known[-3:]) / 3 * units / wanted <= target * 1.000001
    if wanted < units:
        assert len(utilization) == IN_PERIODS
        assert max(known) * units / wanted <= target * 1.000001
