"""What an endpoint costs: its seconds and units, from the changes that were seen.

An endpoint is billed by the second and unit from its start until it is deleted, whether it is used or not,
and for at least 60 seconds (pricing, 2026).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nightsort.comprehend.limits import ENDPOINT_UNIT_USD, MIN_ENDPOINT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


@dataclass(frozen=True)
class Change:
    """From when on an endpoint had some units and a model.

    :param at: with a time zone.
    :param units: its inference units from then on.
    :param model_arn: the model that answers from then on.
    """

    at: datetime
    units: int
    model_arn: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-safe values."""
        return {"at": self.at.isoformat(), "units": self.units, "model_arn": self.model_arn}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Change:
        """Read what :meth:`to_dict` wrote."""
        return cls(datetime.fromisoformat(values["at"]), values["units"], values["model_arn"])


@dataclass(frozen=True)
class Opening:
    """One opening of an endpoint.

    :param changes: in order of time; the first one is its start.
    :param closed_at: when its deletion began; ``None``: it is open.
    """

    changes: Sequence[Change]
    closed_at: datetime | None

    def parts(self, until: datetime) -> Iterator[tuple[datetime, datetime, Change]]:
        """Yield begin, end and change of each part with the same units and model.

        :param until: the end of a part that has none.
        """
        last = until if self.closed_at is None else self.closed_at
        ends = [change.at for change in self.changes[1:]] + [last]
        for change, end in zip(self.changes, ends, strict=True):
            if change.at < end:
                yield change.at, end, change

    def unit_seconds(self, since: datetime, until: datetime) -> float:
        """Return its seconds times units in a span of time.

        The minimum of 60 seconds counts at the start.

        :param since: begin of the span.
        :param until: end of the span, and of a part that has none.
        """
        found = sum(
            max(0.0, (min(end, until) - max(begin, since)).total_seconds()) * change.units
            for begin, end, change in self.parts(until)
        )
        began = self.changes[0]
        if not since <= began.at < until:
            return found
        end = until if self.closed_at is None else min(until, self.closed_at)
        short = MIN_ENDPOINT_SECONDS - (end - began.at).total_seconds()
        return found + max(0.0, short) * began.units

    def seconds(self, until: datetime) -> float:
        """Return how long it is or was open.

        :param until: the end if it is open.
        """
        end = until if self.closed_at is None else self.closed_at
        return max(0.0, (end - self.changes[0].at).total_seconds())


def unit_cost(unit_seconds: float) -> float:
    """Return the price of an endpoint's seconds times units, in USD, to a hundredth of a cent.

    :param unit_seconds: started seconds count whole.
    """
    return round(math.ceil(round(unit_seconds, 3)) * ENDPOINT_UNIT_USD, 4)


def spent(openings: Iterable[Opening], since: datetime, until: datetime) -> float:
    """Return what openings cost in a span of time, in USD.

    :param openings: of one classifier.
    :param since: begin of the span.
    :param until: end of the span; open ones count up to it.
    """
    return unit_cost(sum(opening.unit_seconds(since, until) for opening in openings))


def usd_per_hour(units: int) -> float:
    """Return the price of an hour of an open endpoint, in USD.

    :param units: its inference units.
    """
    return units * ENDPOINT_UNIT_USD * 3600
