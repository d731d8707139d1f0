"""When an endpoint is open: hours of the day on days of the week, in the spec's time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from nightsort.classifier_spec.problems import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

ALWAYS: Final = "always"
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_OF_DAY: Final = 24 * 60

_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))")
# A period may lie in the hour that a clock change leaves out; with one day a week, the next is 14 days away.
_DAYS_TO_LOOK: Final = 16


@dataclass(frozen=True)
class Period:
    """A time in which an endpoint is open.

    :param begin: with a time zone.
    :param end: the first moment after it; ``None``: it never ends.
    """

    begin: datetime
    end: datetime | None


@dataclass(frozen=True)
class OpeningHours:
    """The hours of a spec's ``real_time``.

    :param hours: ``HH:MM-HH:MM``, over midnight where the end is not after the beginning, or ``always``.
    :param days: days of the week on which a period begins, as ``mon-fri`` or ``mon,wed``.
    :param zone: the time zone.
    """

    hours: str
    days: str
    zone: str

    @property
    def always(self) -> bool:
        """Whether the endpoint never closes by the clock."""
        return self.hours == ALWAYS

    def period_at(self, moment: datetime) -> Period | None:
        """Return the period that a moment lies in; ``None`` outside of the hours.

        :param moment: with a time zone.
        """
        if self.always:
            return Period(day_of(moment, self.zone)[0], None)
        for period in self._periods(moment):
            if period.begin <= moment and (period.end is None or moment < period.end):
                return period
        return None

    def next_change(self, moment: datetime) -> datetime:
        """Return the first opening or closing after a moment; of hours that never close, the next midnight.

        :param moment: with a time zone.
        """
        if self.always:
            return day_of(moment, self.zone)[1]
        changes = (change for period in self._periods(moment) for change in (period.begin, period.end))
        return min(change for change in changes if change is not None and change > moment)

    def last_change(self, moment: datetime) -> datetime:
        """Return the last opening or closing up to a moment; of hours that never close, the last midnight.

        :param moment: with a time zone.
        """
        if self.always:
            return day_of(moment, self.zone)[0]
        changes = (change for period in self._periods(moment) for change in (period.begin, period.end))
        return max(change for change in changes if change is not None and change <= moment)

    def minutes_open(self) -> list[int]:
        """Return how many minutes of each day of the week are open, from Monday; clock changes left out."""
        if self.always:
            return [MINUTES_OF_DAY] * 7
        begin, end = _minutes(self.hours)
        minutes = [0] * 7
        for weekday in weekdays(self.days):
            minutes[weekday] += min(end, MINUTES_OF_DAY) - begin
            minutes[(weekday + 1) % 7] += max(0, end - MINUTES_OF_DAY)
        return minutes

    def __str__(self) -> str:
        days = "" if len(weekdays(self.days)) == 7 else f" {self.days}"
        return self.hours if self.always else f"{self.hours}{days} ({self.zone})"

    def _periods(self, moment: datetime) -> Iterator[Period]:
        """Yield the periods around a moment, in order; those that touch each other are one."""
        begin, end = _minutes(self.hours)
        open_on = weekdays(self.days)
        first = moment.astimezone(ZoneInfo(self.zone)).date() - timedelta(days=_DAYS_TO_LOOK)
        opened: datetime | None = None
        closed = datetime.min.replace(tzinfo=timezone.utc)
        for number in range(2 * _DAYS_TO_LOOK):
            day = first + timedelta(days=number)
            if day.weekday() not in open_on:
                continue
            opens, closes = self._moment(day, begin), self._moment(day, end)
            # A clock change may leave out all of it.
            if closes <= opens:
                continue
            if opened is None:
                opened = opens
            elif opens > closed:
                yield Period(opened, closed)
                opened = opens
            closed = closes
        if opened is not None:
            yield Period(opened, closed)

    def _moment(self, day: date, minutes: int) -> datetime:
        return _moment(day + timedelta(days=minutes // MINUTES_OF_DAY), minutes % MINUTES_OF_DAY, self.zone)


def day_of(moment: datetime, zone: str) -> tuple[datetime, datetime]:
    """Return the beginning and the end of the day that a moment lies in.

    :param moment: with a time zone.
    :param zone: the time zone of the day.
    """
    day = moment.astimezone(ZoneInfo(zone)).date()
    return _moment(day, 0, zone), _moment(day + timedelta(days=1), 0, zone)


def weekdays(days: str) -> frozenset[int]:
    """Return the days of the week that a text names, Monday as 0.

    :param days: ``mon-fri``, ``mon,wed,fri`` or ``sat-mon``; checked by :func:`days_problem`.
    """
    found: set[int] = set()
    for part in days.split(","):
        first, dash, last = part.partition("-")
        begin, end = DAYS.index(first), DAYS.index(last if dash else first)
        found.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return frozenset(found)


def hours_problem(hours: str) -> str | None:
    """Return what is wrong with hours, and the remedy; ``None`` if nothing is."""
    example = 'write for instance "08:00-18:00", or always'
    if hours == ALWAYS:
        return None
    if not _HOURS.fullmatch(hours):
        return f"{shown(hours)} are no hours; {example}"
    begin, end = _minutes(hours)
    if end - begin == MINUTES_OF_DAY and begin != 0:
        return f"{shown(hours)} begin where they end; {example}"
    return None


def days_problem(days: str) -> str | None:
    """Return what is wrong with days of the week, and the remedy; ``None`` if nothing is."""
    try:
        weekdays(days)
    except ValueError:
        return f'{shown(days)} are no days of the week; write for instance "mon-fri" or "mon,wed,sat"'
    return None


def _minutes(hours: str) -> tuple[int, int]:
    """Return begin and end in minutes from midnight; the end is after the begin, if need be tomorrow."""
    begin, end = (int(part[:2]) * 60 + int(part[3:]) for part in hours.split("-"))
    return begin, end if end > begin else end + MINUTES_OF_DAY


def _moment(day: date, minutes: int, zone: str) -> datetime:
    # A time that a clock change leaves out is that much later; of one that it repeats, the first counts.
    local = datetime.combine(day, time(minutes // 60, minutes % 60), ZoneInfo(zone))
    return local.astimezone(timezone.utc)
