"""A schedule that leaves days out starts one run for each day, and loses none."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.utils.types import DagRunType

from nightsort_airflow.timetables import EveryDayTimetable, OpeningHoursTimetable

if TYPE_CHECKING:
    from collections.abc import Iterator

WEEKDAYS = "0 2 * * 1-5"
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]


def moment(text: str, zone: str = "UTC") -> pendulum.DateTime:
    return pendulum.instance(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


def runs(timetable: EveryDayTimetable, first: str, last: str, zone: str) -> list[DagRunInfo]:
    """The runs of a backfill, or of a scheduler that is always up."""
    restriction = TimeRestriction(moment(first, zone), moment(last, zone), catchup=True)
    return list(_each(timetable, restriction))


def _each(timetable: EveryDayTimetable, restriction: TimeRestriction) -> Iterator[DagRunInfo]:
    last: DataInterval | None = None
    while info := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction):
        yield info
        last = info.data_interval


def days(infos: list[DagRunInfo], zone: str) -> list[date]:
    return [interval(info).start.astimezone(ZoneInfo(zone)).date() for info in infos]


def interval(info: DagRunInfo) -> DataInterval:
    assert info.data_interval is not None
    return info.data_interval


def test_monday_starts_the_runs_of_friday_saturday_and_sunday() -> None:
    found = runs(EveryDayTimetable(WEEKDAYS, "UTC"), "2026-11-19T00:00", "2026-11-24T02:00", "UTC")

    assert [(f"{interval(info).start:%a}", f"{info.run_after:%a %H:%M}") for info in found] == [
        ("Thu", "Fri 02:00"),
        ("Fri", "Mon 02:00"),
        ("Sat", "Mon 02:00"),
        ("Sun", "Mon 02:00"),
        ("Mon", "Tue 02:00"),
        ("Tue", "Wed 02:00"),
    ]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "cron", [WEEKDAYS, "30 2 * * 0", "@weekly", "@monthly", "15 23 1,15 * *", "0 3 * 3,10 *", "0 2 1 * 1"]
)
def test_each_day_of_a_year_has_one_run_also_where_clocks_change(cron: str, zone: str) -> None:
    timetable = EveryDayTimetable(cron, zone)

    found = runs(timetable, "2026-01-01T00:00", "2026-12-31T23:59", zone)

    assert days(found, zone) == [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
    assert all(info.run_after >= interval(info).end for info in found)
    starts = {info.run_after for info in found}
    assert starts == {timetable._align_to_prev(start) for start in starts}
    names = {name_of(timetable, info) for info in found}
    assert len(names) == 365


def name_of(timetable: EveryDayTimetable, info: DagRunInfo) -> str:
    return timetable.generate_run_id(
        run_type=DagRunType.SCHEDULED, run_after=info.run_after, data_interval=info.data_interval
    )


def scheduled(timetable: EveryDayTimetable, last: DataInterval | None) -> DagRunInfo:
    info = timetable.next_dagrun_info(
        last_automated_data_interval=last, restriction=TimeRestriction(None, None, catchup=False)
    )
    assert info is not None
    return info


def test_a_scheduler_without_catchup_begins_with_the_days_since_the_last_but_one_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("airflow.timetables.interval.utcnow", lambda: moment("2026-11-23T02:00:05"))
    timetable, last, found = EveryDayTimetable(WEEKDAYS, "UTC"), None, []
    for _ in range(4):
        info = scheduled(timetable, last)
        found.append(info)
        last = info.data_interval

    assert days(found, "UTC") == [date(2026, 11, day) for day in (20, 21, 22, 23)]
    assert [info.run_after.day for info in found] == [23, 23, 23, 24]


def test_a_schedule_that_was_daily_goes_on_without_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow.timetables.interval.utcnow", lambda: moment("2026-11-20T12:00"))
    daily = DataInterval(moment("2026-11-19T02:00"), moment("2026-11-20T02:00"))

    assert days([scheduled(EveryDayTimetable(WEEKDAYS, "UTC"), daily)], "UTC") == [date(2026, 11, 20)]


def test_a_run_by_hand_is_about_the_last_complete_day_and_has_a_name_of_its_own() -> None:
    timetable = EveryDayTimetable("@monthly", "UTC")
    now = moment("2026-11-20T12:00")
    inferred = timetable.infer_manual_data_interval(run_after=now)

    assert inferred == DataInterval(moment("2026-11-19T00:00"), moment("2026-11-20T00:00"))
    name = timetable.generate_run_id(run_type=DagRunType.MANUAL, run_after=now, data_interval=inferred)
    assert name == f"manual__{now.isoformat()}"


def test_the_scheduler_rebuilds_it_from_the_database() -> None:
    """Airflow looks it up among the plugin's timetables; not found, the DAG could not be read."""
    timetable = EveryDayTimetable(WEEKDAYS, "Europe/Berlin")

    back = decode_timetable(encode_timetable(timetable))

    assert isinstance(back, EveryDayTimetable)
    assert (back.serialize(), back.description) == (timetable.serialize(), timetable.description)
    assert "one run for each day" in back.description


OFFICE = OpeningHoursTimetable("08:00-18:00", "mon-fri", "Europe/Berlin")


def starts(
    monkeypatch: pytest.MonkeyPatch, now: str, last: str | None = None, earliest: str | None = None
) -> str:
    """The next run of the office hours, for a scheduler at a moment."""
    ended = None if last is None else DataInterval.exact(moment(last))
    limit = TimeRestriction(None if earliest is None else moment(earliest), None, catchup=False)
    monkeypatch.setattr("nightsort_airflow.timetables.utcnow", lambda: moment(now))
    info = OFFICE.next_dagrun_info(last_automated_data_interval=ended, restriction=limit)
    assert info is not None
    assert info.run_after == info.data_interval.start == info.data_interval.end  # type: ignore[union-attr]
    return info.run_after.strftime("%a %H:%M")


@pytest.mark.parametrize(
    ("now", "last", "expected"),
    [
        ("2026-11-18T07:30", "2026-11-18T07:00", "Wed 17:00"),  # after the opening, the closing
        ("2026-11-20T17:00:01", "2026-11-20T17:00", "Mon 07:00"),  # over a weekend
        ("2026-11-20T10:00", "2026-11-18T17:00", "Fri 07:00"),  # of the missed ones, the last
        ("2026-11-22T10:00", "2026-11-18T17:00", "Fri 17:00"),
        ("2026-11-18T10:00", None, "Wed 07:00"),  # the first run makes true what should be now
    ],
)
def test_a_run_starts_at_each_opening_and_closing(
    monkeypatch: pytest.MonkeyPatch, now: str, last: str | None, expected: str
) -> None:
    assert starts(monkeypatch, now, last) == expected


def test_no_run_starts_before_the_dag(monkeypatch: pytest.MonkeyPatch) -> None:
    assert starts(monkeypatch, "2026-11-18T10:00", earliest="2026-11-18T09:00") == "Wed 17:00"


def test_the_database_keeps_the_opening_hours() -> None:
    back = decode_timetable(encode_timetable(OFFICE))
    assert isinstance(back, OpeningHoursTimetable)
    assert (back.summary, back.serialize()) == (OFFICE.summary, OFFICE.serialize())
    now = moment("2026-11-18T10:00")
    assert back.infer_manual_data_interval(run_after=now) == DataInterval.exact(now)
