"""Our two functions give what SciPy's give."""

from __future__ import annotations

import pytest
from scipy.stats import chi2

from nightsort.statistics.chi_square import ninetieth_percentile, upper_tail

DEGREES = (1, 2, 3, 4, 7, 35, 36, 199, 1_000)


@pytest.mark.parametrize("degrees", DEGREES)
@pytest.mark.parametrize("times", [0.0, 0.01, 0.5, 1.0, 1.5, 2.0, 5.0])
def test_the_upper_tail_is_scipys(degrees: int, times: float) -> None:
    assert upper_tail(times * degrees, degrees) == pytest.approx(chi2.sf(times * degrees, degrees), rel=1e-9)


@pytest.mark.parametrize("degrees", DEGREES)
def test_the_ninetieth_percentile_is_near_scipys(degrees: int) -> None:
    assert ninetieth_percentile(degrees) == pytest.approx(
        chi2.ppf(0.9, degrees), rel=0.03 if degrees == 1 else 0.01
    )


def test_a_chi_square_that_no_chance_makes_has_no_tail() -> None:
    assert upper_tail(1e9, 35) == 0.0
