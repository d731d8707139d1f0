"""
The settings of the plugin that are not part of a classifier spec.

``NIGHTSORT_POLL_SECONDS``: seconds between two looks at a training or a job, at least 1. Unset, each operator
has its own default, which suits AWS: jobs take minutes, trainings take tens of minutes, and DescribeX is
limited to 10 calls a second per account. The local stack sets it to 1, because its Comprehend is done in
seconds.
"""

from __future__ import annotations

import math
import os
from typing import Final

JOB_POLL_SECONDS: Final = 30
TRAINING_POLL_SECONDS: Final = 60
# Trainings of 1M documents have taken 20 hours; one wait lasts at most this long, and a retry goes on
# waiting.
LONGEST_WAIT_SECONDS: Final = 24 * 3600


def poll_seconds(default: int) -> int:
    """
    Return the seconds between two looks.

    :param default: seconds where ``NIGHTSORT_POLL_SECONDS`` is not set.
    :raises ValueError: when the variable is not a number of at least 1.
    """
    raw = os.environ.get("NIGHTSORT_POLL_SECONDS", "").strip()
    if not raw:
        return default
    try:
        seconds = math.ceil(float(raw))
    except ValueError:
        seconds = 0
    if seconds < 1:
        raise ValueError(
            f"NIGHTSORT_POLL_SECONDS is {raw!r}: set it to a number of seconds, 1 or more, or unset it."
        )
    return seconds


def attempts(delay: int) -> int:
    """
    Return the number of looks after which one wait ends.

    :param delay: seconds between two looks.
    """
    return max(1, math.ceil(LONGEST_WAIT_SECONDS / delay))
