"""The endpoint of a classifier on its page: whether it is open, what it did, and what that cost."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from nightsort.classifier_spec.opening_hours import day_of
from nightsort.naming import version_of
from nightsort.opening.bill import spent, unit_cost
from nightsort.reports import figures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.opening.record import Record

DAYS_SHOWN: Final = 14
"""Days whose openings are on the page."""


@dataclass(frozen=True)
class OpeningRow:
    """
    One opening.

    :param record: as its row has it.
    :param seconds: how long it was open; of an open one up to now.
    :param cost_usd: its price up to then.
    :param version: the last version that answered.
    """

    record: Record
    seconds: float
    cost_usd: float
    version: str

    @property
    def units(self) -> str:
        """Its fewest and its most inference units."""
        units = [change.units for change in self.record.changes]
        return f"{min(units)}" if min(units) == max(units) else f"{min(units)} to {max(units)}"

    @property
    def used(self) -> float:
        """The share of its units that was used while it was open."""
        paid = self.record.opening.unit_seconds(
            self.record.opened_at, self.record.closed_at or self.record.seen_at
        )
        return 60 * sum(self.record.usage.values()) / paid if paid else 0.0


@dataclass(frozen=True)
class EndpointView:
    """
    What the page shows of an endpoint.

    :param rows: its openings, the latest first.
    :param today_usd: what this day cost up to now.
    :param chart: units and use on the last day with an opening.
    :param day: that day.
    """

    rows: Sequence[OpeningRow]
    today_usd: float
    chart: figures.Figure
    day: str

    @property
    def open(self) -> OpeningRow | None:
        """The opening that goes on; None: it is closed."""
        return self.rows[0] if self.rows[0].record.closed_at is None else None


def endpoint(records: Sequence[Record], zone: str, now: datetime) -> EndpointView | None:
    """
    Return what is shown of an endpoint; None if it was not open of late.

    :param records: its openings, in order of time.
    :param zone: the spec's time zone, in which days are counted.
    :param now: the moment.
    """
    if not records:
        return None
    rows = []
    for record in reversed(records):
        until = record.closed_at or now
        rows.append(
            OpeningRow(
                record,
                record.opening.seconds(now),
                unit_cost(record.opening.unit_seconds(record.opened_at, until)),
                version_of(record.changes[-1].model_arn),
            )
        )
    begin, end = day_of(records[-1].closed_at or now, zone)
    today, _ = day_of(now, zone)
    parts = [
        (max(since, begin), min(until, end), change.units)
        for record in records
        for since, until, change in record.opening.parts(now)
        if until > begin and since < end
    ]
    used = {at: units for record in records for at, units in record.usage.items() if begin <= at < end}
    moves = [
        (change.at, change.units, version_of(change.model_arn))
        for record in records
        for before, change in pairwise(record.changes)
        if change.model_arn != before.model_arn and begin <= change.at < end
    ]
    return EndpointView(
        rows=rows,
        today_usd=spent((record.opening for record in records), today, now),
        chart=figures.endpoint_day(parts, used, begin, end, moves),
        day=f"{begin.astimezone(ZoneInfo(zone)):%Y-%m-%d}",
    )


@dataclass(frozen=True)
class EndpointNow:
    """
    What the first page shows of an endpoint.

    :param state: ``open``, ``opening`` or ``closed``.
    :param units: its inference units; 0 while it is closed.
    :param today_usd: what this day cost up to now.
    :param budget_usd: what a day may cost; None: no limit, or not known.
    """

    state: str
    units: int
    today_usd: float
    budget_usd: float | None


def endpoint_now(spec: ClassifierSpec | None, records: Sequence[Record], now: datetime) -> EndpointNow | None:
    """
    Return what the first page shows of an endpoint; None if its classifier has none.

    :param spec: of the classifier; None if no valid spec has its name.
    :param records: its openings of this day, in order of time.
    :param now: the moment.
    """
    real_time = spec.real_time if spec else None
    if real_time is None and not records:
        return None
    last = records[-1] if records and records[-1].closed_at is None else None
    today, _ = day_of(now, spec.timezone if spec else "UTC")
    return EndpointNow(
        state="closed" if last is None else "opening" if last.ready_at is None else "open",
        units=last.changes[-1].units if last else 0,
        today_usd=spent((record.opening for record in records), today, now),
        budget_usd=real_time.budget_usd_day if real_time else None,
    )
