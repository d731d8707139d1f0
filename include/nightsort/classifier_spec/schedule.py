"""The schedule of a classifier spec: a cron expression, and the days that its runs read."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, CroniterError, croniter  # type: ignore[import-untyped]  # has no types

from nightsort.classifier_spec.day_template import has_day, render, tells_days_apart
from nightsort.classifier_spec.problems import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXAMPLE: Final = 'write for instance "0 2 * * *"'
_FIRST: Final = date(2026, 1, 1)
_LAST: Final = date(2029, 1, 1)
_DAYS_SHOWN: Final = 5


def schedule_problem(cron: str) -> str | None:
    """Return what is wrong with a schedule, and the remedy; ``None`` if nothing is."""
    if not cron.startswith("@") and len(cron.split()) != 5:
        return f"{shown(cron)} is not a cron expression of five fields; {_EXAMPLE}"
    try:
        minutes, hours, *_ = croniter.expand(cron)[0]
        croniter(cron, datetime(2026, 1, 1, tzinfo=timezone.utc)).get_next()
    except CroniterBadDateError:
        return f"{shown(cron)} names a day that does not exist; correct its day or month"
    except (CroniterError, ValueError) as error:
        return f"{shown(cron)} is not a cron expression ({error}); {_EXAMPLE}"
    if any(len(field) > 1 or "*" in field for field in (minutes, hours)):
        return (
            f"{shown(cron)} starts more than one run a day, but a run classifies a whole day; "
            'name one minute and one hour, for instance "0 2 * * *"'
        )
    return None


def last_complete_day(zone: str, now: datetime) -> date:
    """Return the day that is classified where nobody names one: the day before today.

    :param zone: the time zone of the spec.
    :param now: a moment, with its time zone.
    """
    return now.astimezone(ZoneInfo(zone)).date() - timedelta(days=1)


def last_start(cron: str, zone: str, now: datetime) -> tuple[datetime, date]:
    """Return when a schedule last started a run, and the day that this run is about.

    :param cron: the schedule.
    :param zone: the time zone of the spec.
    :param now: a moment, with its time zone.
    :returns: the start, and the day on which its data interval begins: that of the start before.
    """
    starts = croniter(cron, now.astimezone(ZoneInfo(zone)))
    start, before = starts.get_prev(datetime), starts.get_prev(datetime)
    return start, before.date()


def next_starts(cron: str, zone: str, now: datetime) -> Iterator[datetime]:
    """Yield when a schedule starts runs, without end.

    :param cron: the schedule.
    :param zone: the time zone of the spec.
    :param now: a moment, with its time zone.
    """
    starts: Iterator[datetime] = croniter(cron, now.astimezone(ZoneInfo(zone))).all_next(datetime)
    return starts


def leaves_days_out(cron: str) -> bool:
    """Return whether there are days on which a schedule starts no run."""
    return any(field != ["*"] for field in croniter.expand(cron)[0][2:])


def one_run_per_day(cron: str, template: str) -> bool:
    """Return whether a start of the schedule makes one run for each day since the start before.

    It does where the schedule leaves days out and each day has documents of its own.

    :param cron: the schedule.
    :param template: the URI or the query of the incoming documents.
    """
    return leaves_days_out(cron) and tells_days_apart(template)


def unread_days(cron: str, template: str) -> str | None:
    """Return which documents no run of the schedule would read; ``None`` if it reads all.

    This can only happen where several days share a text, for instance with ``{day:%Y-%m}``: then each start
    makes one run, about the day of the start before.

    :param cron: the schedule.
    :param template: the URI or the query of the incoming documents.
    """
    if not has_day(template) or not leaves_days_out(cron) or tells_days_apart(template):
        return None
    starts = croniter(cron, datetime(_FIRST.year, _FIRST.month, _FIRST.day) - timedelta(days=1))
    read = set()
    first = day = starts.get_next(datetime).date()
    while day < _LAST:
        read.add(render(template, day))
        day = starts.get_next(datetime).date()
    # The last start may be in the middle of what it reads.
    texts = dict.fromkeys(
        render(template, first + timedelta(days=number)) for number in range((_LAST - first).days - 366)
    )
    unread = [text for text in texts if text not in read]
    if not unread:
        return None
    more = f" and {len(unread) - _DAYS_SHOWN} more" if len(unread) > _DAYS_SHOWN else ""
    return f"{', '.join(unread[:_DAYS_SHOWN])}{more}"
