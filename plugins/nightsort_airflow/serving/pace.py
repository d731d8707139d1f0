"""When an endpoint may be asked: at the throughput of its inference units, first come, first served."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from nightsort.comprehend.limits import ENDPOINT_UNIT_CHARACTERS, ENDPOINT_UNIT_DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BURST_SECONDS: Final = 0.5
"""An endpoint that was idle takes at once what it can do in this time (choice: AWS states no burst).

Calls do not arrive in the intervals in which they were sent. With a whole second, which the local Comprehend
allows, one in two seconds was throttled on a busy machine.
"""


THROTTLED_SECONDS: Final = 1.0
"""How long nobody asks an endpoint that has throttled."""


class BusyError(Exception):
    """
    More was asked than the endpoint can do.

    :param retry_after: seconds after which the request would be taken.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"try again in {math.ceil(retry_after)} s")
        self.retry_after = retry_after


class Pace:
    """
    Give each text the moment at which it may be sent. Not thread-safe.

    It is a token bucket for documents and one for characters. Both are kept as the moment at which they are
    full again, so nothing has to be refilled.

    :param clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._units = 1
        self._full_again = (-math.inf, -math.inf)

    @property
    def units(self) -> int:
        """The inference units of the endpoint; what was promised before stays as it is."""
        return self._units

    @units.setter
    def units(self, units: int) -> None:
        self._units = max(1, units)

    def seconds(self, characters: Sequence[int]) -> float:
        """
        Return how long an endpoint is busy with texts.

        :param characters: of each text.
        """
        documents, volume = self._costs(len(characters), sum(characters))
        return max(documents, volume)

    def reserve(self, characters: Sequence[int], patience: float) -> list[float]:
        """
        Take the throughput for the texts of one request.

        :param characters: of each text.
        :param patience: the most seconds that its first text may wait.
        :returns: for each text the moment at which it may be sent, by the clock.
        :raises BusyError: its first text would wait longer. Nothing is taken.
        """
        now = self._clock()
        full_again = self._full_again
        starts: list[float] = []
        for number in characters:
            costs = self._costs(1, number)
            start = max(
                now,
                *(
                    full + min(cost, BURST_SECONDS) - BURST_SECONDS
                    for full, cost in zip(full_again, costs, strict=True)
                ),
                *starts[-1:],
            )
            if not starts and start - now > patience:
                raise BusyError(start - now - patience)
            full_again = (max(full_again[0], start) + costs[0], max(full_again[1], start) + costs[1])
            starts.append(start)
        self._full_again = full_again
        return starts

    def hold(self, seconds: float) -> None:
        """
        Send nothing new for some seconds: the endpoint throttles, because others ask it too.

        :param seconds: how long, from now.
        """
        later = self._clock() + seconds + BURST_SECONDS
        self._full_again = (max(self._full_again[0], later), max(self._full_again[1], later))

    def _costs(self, documents: int, characters: int) -> tuple[float, float]:
        return (
            documents / (ENDPOINT_UNIT_DOCUMENTS * self._units),
            characters / (ENDPOINT_UNIT_CHARACTERS * self._units),
        )
