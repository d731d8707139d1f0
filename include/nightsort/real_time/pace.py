"""How fast an endpoint is asked: as its units allow, faster while it answers, slower when it refuses.

The unit of work is the *unit-second*: what one inference unit does in a second by the Developer Guide, which
is 100 characters or 2 documents, whichever is reached first. The speed begins with the documented one, rises
fast while nothing is refused (an endpoint may do more than is promised), and a refusal halves it, at first to
no less than the documented one; from then on it rises slowly. This is how TCP finds the capacity of a line:
additive increase, multiplicative decrease (Chiu and Jain, 1989).

An endpoint may take a long text at once and refuse for as long as its units need for it. So refusals in that
time slow down once, and are further and further apart.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from nightsort.comprehend.limits import ENDPOINT_UNIT_CHARACTERS, ENDPOINT_UNIT_DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Callable

GROWTH_AT_FIRST: Final = 2.0
"""Unit-seconds a second that the speed gains by each unit-second of work, until the first refusal."""

GROWTH_LATER: Final = 0.1
"""Share of the units that the speed gains after a refusal: in a second, or by an answer if it is higher."""

LEAST_SHARE: Final = 1 / 16
"""The share of the documented speed below which it does not fall."""

PAUSE_SECONDS: Final = 0.5
"""How long nobody asks after a refusal; those of requests that were on their way count as one."""

LOOK_SECONDS: Final = 1.0
"""How long a document waits before it asks again for its turn, which comes sooner when the speed rises."""

LONGEST_PAUSE_SECONDS: Final = 4.0
"""A pause doubles up to this, until an answer comes."""


def unit_seconds(characters: int, documents: int = 1) -> float:
    """Return the work that documents are, by what AWS documents.

    :param characters: of their texts; 0 where they are not known.
    :param documents: how many.
    :returns: unit-seconds.
    """
    return max(documents / ENDPOINT_UNIT_DOCUMENTS, characters / ENDPOINT_UNIT_CHARACTERS)


class Turn(NamedTuple):
    """When a document may be sent.

    :param work: the unit-seconds that have to pass before it.
    :param characters: of its text.
    """

    work: float
    characters: int


class Pace:
    """Spread requests over time; many threads may share one.

    A turn is a place in the work, not a moment: when the speed rises, who waits already goes sooner.

    ``busy_until`` is the moment until which the units may be busy with the last text that was answered.

    :param units: inference units of the endpoint.
    :param clock: monotonic seconds.
    """

    def __init__(self, units: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.speed = float(units)
        self.refusals = 0
        self._units = units
        self._clock = clock
        self._work, self._at = 0.0, clock()
        self._taken = 0.0
        self._answered, self._pause, self._quiet_until = True, PAUSE_SECONDS, self._at
        self.busy_until = self._at
        self._lock = threading.Lock()

    def turn(self, characters: int) -> Turn:
        """Take the next turn.

        :param characters: of the document's text; 0 where they are not known.
        """
        with self._lock:
            work = max(self._passed(), self._taken)
            self._taken = work + unit_seconds(characters)
            return Turn(work, characters)

    def delay(self, turn: Turn) -> float:
        """Return the seconds until a turn at the present speed; ask again before, because the speed changes.

        :param turn: of the document.
        """
        with self._lock:
            left = (turn.work - self._passed()) / self.speed
            return max(0.0, left, self._quiet_until - self._at)

    def seconds(self, characters: int) -> float:
        """Return how long the units are busy with a document, by what AWS documents.

        :param characters: of its text.
        """
        return unit_seconds(characters) / self._units

    def went_well(self, turn: Turn) -> None:
        """Note that a document was answered; the speed rises.

        :param turn: of the document.
        """
        with self._lock:
            self._passed()
            self._answered, self._pause = True, PAUSE_SECONDS
            self.busy_until = self._at + self.seconds(turn.characters)
            work = unit_seconds(turn.characters)
            if self.refusals:
                gain = GROWTH_LATER * self._units
                self.speed = min(self.speed + gain * work / self.speed, max(self._units, self.speed + gain))
            else:
                self.speed += GROWTH_AT_FIRST * work

    def was_refused(self, turn: Turn) -> None:
        """Note that the endpoint had no room; the speed is halved, once for all requests on their way.

        :param turn: of the document, which needs another. Its characters were not used.
        """
        with self._lock:
            now = self._clock()
            self._passed()
            self._taken -= unit_seconds(turn.characters) - unit_seconds(0)
            self.refusals += 1
            if now < self._quiet_until:
                return
            if self._answered or now >= self.busy_until:
                least = self._units if self.speed > self._units else self._units * LEAST_SHARE
                self.speed = max(self.speed / 2, least)
            self._answered = False
            self._quiet_until = now + self._pause
            # A pause beyond the moment at which the units are free again costs time.
            longest = min(LONGEST_PAUSE_SECONDS, self.seconds(turn.characters) / 8)
            self._pause = max(self._pause, min(2 * self._pause, longest))

    def _passed(self) -> float:
        """Return the unit-seconds that have passed."""
        now = self._clock()
        self._work += (now - self._at) * self.speed
        self._at = now
        return self._work
