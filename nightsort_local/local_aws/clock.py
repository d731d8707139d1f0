"""The time as Comprehend writes it."""

from __future__ import annotations

import time


def now() -> float:
    """Return the time as the service writes it: epoch seconds, to the millisecond."""
    return round(time.time(), 3)
