"""How fast an endpoint is asked: as its units allow, faster while it answers, slower when it refuses.

The unit of work is the *unit-second*: what one inference unit does in a second by the Developer Guide, which
is 100 characters or 2 documents, whichever is reached first. The speed begins with the documented one, rises
fast while nothing is refused (an endpoint may do more than is promised), and is halved by a refusal; from
then on it rises slowly. This is how TCP finds the capacity of a line: additive increase, multiplicative
decrease (Chiu and Jain, 1989).
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from nightsort.comprehend.limits import ENDPOINT_UNIT_CHARACTERS, ENDPOINT_UNIT_DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Callable

GROWTH_AT_FIRST: Final = 2.0
"""Unit-seconds a second that the speed gains by each unit-second of work, until the first refusal."""

GROWTH_LATER: Final = 0.1
"""Share of the units that the speed gains in a second after a refusal."""

LEAST_SHARE: Final = 1 / 16
"""The share of the documented speed below which it does not fall."""

PAUSE_SECONDS: Final = 0.5
"""How long nobody asks after a refusal; refusals within it count as one."""


def unit_seconds(characters: int) -> float:
    """Return the work that a document is.

    :param characters: of its text; 0 where they are not known.
    :returns: unit-seconds.
    """
    return max(1 / ENDPOINT_UNIT_DOCUMENTS, characters / ENDPOINT_UNIT_CHARACTERS)


class Pace:
    """Spread requests over time; many threads may share one.

    :param units: inference units of the endpoint.
    :param clock: monotonic seconds.
    """

    def __init__(self, units: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.speed = float(units)
        self.refusals = 0
        self._units = units
        self._clock = clock
        self._free = clock()
        self._slowed = float("-inf")
        self._lock = threading.Lock()

    def delay(self, work: float) -> float:
        """Reserve the time for a document.

        :param work: its unit-seconds.
        :returns: seconds to wait before it is sent.
        """
        with self._lock:
            now = self._clock()
            begin = max(now, self._free)
            self._free = begin + work / self.speed
            return begin - now

    def went_well(self, work: float) -> None:
        """Note that a document was answered; the speed rises.

        :param work: its unit-seconds.
        """
        with self._lock:
            if self.refusals:
                self.speed += GROWTH_LATER * self._units * work / self.speed
            else:
                self.speed += GROWTH_AT_FIRST * work

    def was_refused(self) -> None:
        """Note that the endpoint had no room; the speed is halved, once for all requests on their way."""
        with self._lock:
            self.refusals += 1
            now = self._clock()
            if now - self._slowed < PAUSE_SECONDS:
                return
            self._slowed = now
            self.speed = max(self.speed / 2, self._units * LEAST_SHARE)
            self._free = max(self._free, now + PAUSE_SECONDS)
