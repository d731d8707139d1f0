"""The chi-square distribution, for whole degrees of freedom.

Two functions are no reason to put SciPy (some 40 MB) into every worker. The tests compare them with it.
"""

from __future__ import annotations

import math


def upper_tail(value: float, degrees_of_freedom: int) -> float:
    """Return how likely chance makes a chi-square at least as large.

    The finite sums are 26.4.4 and 26.4.5 of Abramowitz and Stegun, Handbook of Mathematical Functions.

    :param value: the chi-square.
    :param degrees_of_freedom: at least 1.
    :returns: a probability.
    """
    half = value / 2
    if half <= 0:
        return 1.0
    odd = degrees_of_freedom % 2
    total = math.erfc(math.sqrt(half)) if odd else 0.0
    for step in range((degrees_of_freedom - odd) // 2):
        power = step + odd / 2
        total += math.exp(power * math.log(half) - half - math.lgamma(power + 1))
    return min(total, 1.0)


def ninetieth_percentile(degrees_of_freedom: int) -> float:
    """Return the value that nine in ten chi-squares do not reach.

    Approximation of Wilson and Hilferty (1931): within 1 % from 2 degrees of freedom on, 3 % at 1.

    :param degrees_of_freedom: at least 1.
    """
    spread = 2 / (9 * degrees_of_freedom)
    return degrees_of_freedom * (1 - spread + 1.2816 * math.sqrt(spread)) ** 3
