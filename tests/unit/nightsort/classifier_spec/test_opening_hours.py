"""Opening hours: every moment is inside or outside, over clock changes and midnight."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.classifier_spec.opening_hours import (
    DAYS,
    MINUTES_OF_DAY,
    OpeningHours,
    day_of,
    days_problem,
    hours_problem,
    weekdays,
)

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Casablanca",
)
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(timezone.utc))


@st.composite
def hours(draw: st.DrawFn) -> OpeningHours:
    begin = draw(st.integers(0, MINUTES_OF_DAY - 1))
    end = draw(st.integers(1, MINUTES_OF_DAY).filter(lambda end: end != begin))
    days = draw(st.sets(st.sampled_from(DAYS), min_size=1))
    text = f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
    return OpeningHours(text, ",".join(days), draw(st.sampled_from(ZONES)))


@given(hours(), MOMENTS)
def test_nothing_changes_before_the_next_change(hours: OpeningHours, moment: datetime) -> None:
    change = hours.next_change(moment)
    assert change > moment
    before = change - timedelta(microseconds=1)
    is_open = hours.period_at(moment) is not None
    assert (hours.period_at(before) is not None) == is_open
    assert (hours.period_at(change) is not None) != is_open
    assert hours.next_change(before) == change
    assert hours.last_change(change) == change


@given(hours(), MOMENTS)
def test_a_moment_is_open_exactly_in_its_period(hours: OpeningHours, moment: datetime) -> None:
    period = hours.period_at(moment)
    if period is None:
        return
    assert period.end is not None
    assert period.begin <= moment < period.end
    assert hours.period_at(period.begin) == period
    assert hours.next_change(moment) == period.end
    assert hours.period_at(period.end) is None


@given(hours(), MOMENTS)
def test_the_clock_on_the_wall_decides(hours: OpeningHours, moment: datetime) -> None:
    """Away from clock changes, a moment is open where the wall's clock and day say so."""
    zone = ZoneInfo(hours.zone)
    local = moment.astimezone(zone)
    offsets = {(local + timedelta(days=step)).utcoffset() for step in (-3, -2, -1, 0, 1, 2, 3)}
    if len(offsets) > 1:
        return
    begin, end = (int(part[:2]) * 60 + int(part[3:]) for part in hours.hours.split("-"))
    minute = local.hour * 60 + local.minute
    today, yesterday = local.weekday(), (local.weekday() - 1) % 7
    days = weekdays(hours.days)
    if begin < end:
        expected = today in days and begin <= minute < end
    else:
        expected = (today in days and minute >= begin) or (yesterday in days and minute < end)
    assert (hours.period_at(moment) is not None) == expected


@pytest.mark.parametrize(
    ("hours", "day", "begin", "end"),
    [
        ("01:00-04:00", "2026-03-29", "00:00", "02:00"),  # Berlin leaves out 02:00 to 03:00
        ("02:30-04:00", "2026-03-29", "01:30", "02:00"),  # it begins in what is left out
        ("01:00-04:00", "2026-10-25", "23:00", "03:00"),  # Berlin repeats 02:00 to 03:00
        ("22:00-06:00", "2026-03-28", "21:00", "04:00"),
        ("22:00-06:00", "2026-10-24", "20:00", "05:00"),
    ],
)
def test_a_clock_change_makes_a_period_shorter_or_longer(hours: str, day: str, begin: str, end: str) -> None:
    opening = OpeningHours(hours, "mon-sun", "Europe/Berlin")
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    period = opening.period_at(opening.next_change(noon if "22" in hours else noon - timedelta(hours=12)))
    assert period is not None
    assert period.end is not None
    assert (f"{period.begin:%H:%M}", f"{period.end:%H:%M}") == (begin, end)


def test_a_period_that_a_clock_change_leaves_out_is_left_out() -> None:
    opening = OpeningHours("02:10-02:50", "sun", "Europe/Berlin")
    before = datetime(2026, 3, 28, tzinfo=timezone.utc)
    # 02:10 becomes 03:10 and 02:50 becomes 03:50: it is later, not lost.
    assert f"{opening.next_change(before):%d %H:%M}" == "29 01:10"
    shrunk = OpeningHours("02:30-03:15", "sun", "Europe/Berlin")
    assert f"{shrunk.next_change(before):%m-%d}" == "04-05"


def test_days_that_touch_are_one_period() -> None:
    opening = OpeningHours("00:00-24:00", "mon-fri", "UTC")
    period = opening.period_at(datetime(2026, 11, 18, 5, tzinfo=timezone.utc))
    assert period is not None
    assert period.end is not None
    assert (f"{period.begin:%a %d}", f"{period.end:%a %d}") == ("Mon 16", "Sat 21")


@given(MOMENTS, st.sampled_from(ZONES))
def test_always_has_a_change_at_each_midnight_and_no_end(moment: datetime, zone: str) -> None:
    opening = OpeningHours("always", "mon-sun", zone)
    period = opening.period_at(moment)
    assert period is not None
    assert period.end is None
    begin, end = day_of(moment, zone)
    assert (opening.last_change(moment), opening.next_change(moment)) == (begin, end)
    assert begin <= moment < end
    assert timedelta(hours=22) < end - begin < timedelta(hours=26)


@given(hours())
def test_the_minutes_of_a_week_are_those_of_its_periods(hours: OpeningHours) -> None:
    """Counted minute by minute, in a zone without clock changes."""
    utc = OpeningHours(hours.hours, hours.days, "UTC")
    monday = datetime(2026, 6, 1, tzinfo=timezone.utc)
    for weekday, minutes in enumerate(utc.minutes_open()):
        begin = moment = monday + timedelta(days=weekday)
        end, found = begin + timedelta(days=1), timedelta()
        while moment < end:
            change = min(utc.next_change(moment), end)
            found += change - moment if utc.period_at(moment) else timedelta()
            moment = change
        assert found == timedelta(minutes=minutes)


@pytest.mark.parametrize("days", ["mon-fri", "sat-mon", "mon,wed", "sun"])
def test_days_are_read(days: str) -> None:
    expected = {"mon-fri": {0, 1, 2, 3, 4}, "sat-mon": {5, 6, 0}, "mon,wed": {0, 2}, "sun": {6}}
    assert weekdays(days) == expected[days]
    assert days_problem(days) is None


@pytest.mark.parametrize("days", ["", "monday", "mon-", "mon..fri", "Mon-Fri", "mon;wed"])
def test_other_days_are_refused(days: str) -> None:
    assert "are no days of the week" in (days_problem(days) or "")


@pytest.mark.parametrize(
    "text", ["8-18", "08:00", "08:00-25:00", "08:60-09:00", "08:00-08:00", "", "24:00-08:00"]
)
def test_other_hours_are_refused(text: str) -> None:
    assert 'write for instance "08:00-18:00", or always' in (hours_problem(text) or "")
