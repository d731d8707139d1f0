"""
The settings of the plugin that are not part of a classifier spec.

``NIGHTSORT_POLL_SECONDS``: seconds between two polls of a training, a job or an endpoint, at least 1.
Without it, each operator has its own default for AWS: jobs and endpoints take minutes, trainings take tens of
minutes, and DescribeX is limited to 10 calls a second per account. The local stack sets it to 1, because its
Comprehend takes seconds.
"""

from __future__ import annotations

import math
import os
from typing import Final

JOB_POLL_SECONDS: Final = 30
ENDPOINT_POLL_SECONDS: Final = 30
TRAINING_POLL_SECONDS: Final = 60
# Trainings of 1M documents have taken 20 hours. One wait lasts at most this long; a retry waits again.
LONGEST_WAIT_SECONDS: Final = 24 * 3600


def poll_seconds(default: int) -> int:
    """
    Return the seconds between two polls.

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
    Return the number of polls after which one wait ends.

    :param delay: seconds between two polls.
    """
    return max(1, math.ceil(LONGEST_WAIT_SECONDS / delay))
