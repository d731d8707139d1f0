"""What endpoints did, minute by minute: the figures of their CloudWatch metrics.

The four metrics, their units and their values are in Comprehend's guide, "Monitoring Amazon Comprehend
endpoints": a request uses its characters, divided by what one inference unit processes in a minute.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nightsort.comprehend.limits import ENDPOINT_UNIT_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nightsort_local.local_aws.state_file import StateFile

MINUTE: Final = 60
"""Seconds: the period of the metrics."""

KEPT_SECONDS: Final = 15 * 24 * 3_600
"""How long CloudWatch keeps figures of a minute (CloudWatch User Guide, "Metrics retention")."""

REQUESTED, CONSUMED = "RequestedInferenceUnits", "ConsumedInferenceUnits"
PROVISIONED, UTILIZATION = "ProvisionedInferenceUnits", "InferenceUtilization"

_ROW = "endpoint_minute"


@dataclass
class Statistics:
    """What CloudWatch keeps of the values of a minute."""

    sum: float = 0.0
    minimum: float = 0.0
    maximum: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        """Add a value."""
        self.minimum = min(self.minimum, value) if self.count else value
        self.maximum = max(self.maximum, value) if self.count else value
        self.sum += value
        self.count += 1


Minute = dict[str, Statistics]
"""The statistics of a minute, by metric."""


class EndpointMetrics:
    """Count the requests of endpoints. Call it with the store's lock held.

    :param state: keeps the minutes across restarts.
    :param clock: epoch seconds.
    """

    def __init__(self, state: StateFile, clock: Callable[[], float] = time.time) -> None:
        self._state = state
        self._clock = clock
        self._minutes: dict[str, dict[int, Minute]] = {}
        self._characters: dict[str, int] = {}
        for arn, minute, content in state.read(_ROW):
            values = {name: Statistics(**value) for name, value in json.loads(content).items()}
            self._minutes.setdefault(arn, {})[int(minute)] = values
        for arn in self._minutes:
            self._forget_old(arn)

    def count(self, arn: str, units: int, characters: int, *, answered: bool) -> None:
        """Count a request.

        :param arn: the endpoint.
        :param units: its inference units at that time.
        :param characters: of the document.
        :param answered: whether it was classified; False: it was throttled. Then only what was requested
            counts.
        """
        minute = int(self._clock()) // MINUTE * MINUTE
        minutes = self._minutes.setdefault(arn, {})
        if minute not in minutes:
            minutes[minute] = {}
            self._forget_old(arn)
        used = characters / (ENDPOINT_UNIT_CHARACTERS * MINUTE)
        values = {REQUESTED: used}
        if answered:
            values |= {CONSUMED: used, PROVISIONED: float(units), UTILIZATION: used / units * 100}
            self._characters[arn] = self.answered_characters(arn) + characters
        for name, value in values.items():
            minutes[minute].setdefault(name, Statistics()).add(value)
        content = {name: vars(value) for name, value in minutes[minute].items()}
        self._state.write([(_ROW, arn, str(minute), json.dumps(content).encode())])

    def answered_characters(self, arn: str) -> int:
        """Return the characters that an endpoint has classified since the start of the server."""
        return self._characters.get(arn, 0)

    def minutes(self) -> Iterator[tuple[str, int, Minute]]:
        """Yield endpoint, start in epoch seconds and statistics of each minute with a request."""
        for arn, minutes in self._minutes.items():
            for minute, values in minutes.items():
                yield arn, minute, values

    def _forget_old(self, arn: str) -> None:
        oldest = self._clock() - KEPT_SECONDS
        old = [minute for minute in self._minutes[arn] if minute < oldest]
        for minute in old:
            del self._minutes[arn][minute]
        self._state.write([(_ROW, arn, str(minute), None) for minute in old])
