from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from nightsort_airflow.exceptions import BadInputError
from nightsort_airflow.run_day import refuse_unknown_keys, resolve_run_day, run_key_of

UTC = ZoneInfo("UTC")


@dataclass
class DagRun:
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    run_after: datetime
    run_type: str = "scheduled"
    conf: dict[str, Any] | None = None


def context(
    start: datetime | None,
    end: datetime | None,
    run_after: datetime | None = None,
    run_type: str = "scheduled",
) -> Any:
    run_after = run_after or end or datetime(2026, 11, 20, 12, tzinfo=UTC)
    return {"dag_run": DagRun(start, end, run_after, run_type)}


def night(day: int, hour: int, zone: str = "UTC") -> Any:
    """The run that starts at the end of an interval of a day, as Airflow gives it: in UTC."""
    start = datetime(2026, 11, day, hour, tzinfo=ZoneInfo(zone))
    return context(start.astimezone(UTC), (start + timedelta(days=1)).astimezone(UTC))


def test_a_night_is_about_the_day_on_which_its_interval_starts() -> None:
    assert resolve_run_day(night(18, 2), given="", timezone="UTC") == date(2026, 11, 18)


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo", "Europe/Berlin"])
@pytest.mark.parametrize("hour", [0, 2, 22])
def test_the_day_is_that_of_the_specs_time_zone(zone: str, hour: int) -> None:
    """22:00 in New York is the next day in UTC, 02:00 in Tokyo the day before."""
    assert resolve_run_day(night(18, hour, zone), given=None, timezone=zone) == date(2026, 11, 18)


def test_a_day_that_is_given_wins() -> None:
    assert resolve_run_day(night(18, 2), given="2026-03-01", timezone="UTC") == date(2026, 3, 1)


@pytest.mark.parametrize("given", ["yesterday", "18.11.2026", "2026-02-30"])
def test_what_is_no_date_is_refused(given: str) -> None:
    with pytest.raises(BadInputError, match=r"Param `day`.*YYYY-MM-DD"):
        resolve_run_day(night(18, 2), given=given, timezone="UTC")


def test_the_key_of_a_run_is_known_without_its_row() -> None:
    scheduled = night(18, 2)["dag_run"]
    assert run_key_of(scheduled, "UTC") == "20261118"
    assert run_key_of(replace(scheduled, conf={"day": "2026-03-01"}), "UTC") == "20260301"
    assert run_key_of(replace(scheduled, run_type="manual"), "UTC") == "20261118", "the day before"
    source = "s3://bucket/by-hand/*.csv"
    assert run_key_of(replace(scheduled, conf={"source_uri": source}), "UTC") == "20261118-cd4be057"
    assert run_key_of(replace(scheduled, conf={"day": "someday"}), "UTC") is None


@pytest.mark.parametrize(
    "interval",
    [(None, None), (datetime(2026, 11, 20, 12, tzinfo=UTC),) * 2],
    ids=["no interval", "an interval of no length, as of a DAG without schedule"],
)
def test_a_run_by_hand_is_about_yesterday(interval: tuple[datetime | None, datetime | None]) -> None:
    by_hand = context(*interval, run_after=datetime(2026, 11, 20, 23, 30, tzinfo=UTC))
    assert resolve_run_day(by_hand, given=None, timezone="UTC") == date(2026, 11, 19)
    assert resolve_run_day(by_hand, given=None, timezone="Asia/Tokyo") == date(2026, 11, 20)


def test_yesterday_is_the_calendars_when_clocks_change() -> None:
    """2026-03-29 has 23 hours in Berlin: 24 hours before half past midnight of the 30th are the 28th."""
    by_hand = context(None, None, run_after=datetime(2026, 3, 30, 0, 30, tzinfo=ZoneInfo("Europe/Berlin")))
    assert resolve_run_day(by_hand, given=None, timezone="Europe/Berlin") == date(2026, 3, 29)


@pytest.mark.parametrize("run_type", ["manual", "operator_triggered"])
def test_a_run_by_hand_before_the_hour_of_the_schedule_is_about_yesterday_too(run_type: str) -> None:
    """At 01:00 the last interval of a schedule at 02:00 is that of the day before yesterday."""
    start = datetime(2026, 11, 27, 2, tzinfo=UTC)
    by_hand = context(start, start + timedelta(days=1), datetime(2026, 11, 29, 1, tzinfo=UTC), run_type)
    assert resolve_run_day(by_hand, given=None, timezone="UTC") == date(2026, 11, 28)


def test_a_backfill_is_about_the_day_of_its_interval() -> None:
    start = datetime(2026, 3, 28, 2, tzinfo=ZoneInfo("Europe/Berlin"))
    backfill = context(start, start + timedelta(days=1), datetime(2026, 11, 29, 1, tzinfo=UTC), "backfill")
    assert resolve_run_day(backfill, given=None, timezone="Europe/Berlin") == date(2026, 3, 28)


def asked_for(conf: dict[str, Any] | None, *params: str) -> Any:
    run = DagRun(None, None, datetime(2026, 11, 29, 1, tzinfo=UTC), "manual", conf)
    return {"dag_run": run, "dag": SimpleNamespace(params=dict.fromkeys(params))}


@pytest.mark.parametrize("conf", [None, {}, {"day": "2026-11-20"}, {"day": None, "source_uri": None}])
def test_keys_that_are_params_are_good(conf: dict[str, Any] | None) -> None:
    refuse_unknown_keys(asked_for(conf, "day", "source_uri"))


def test_a_misspelt_key_is_refused_with_the_right_one() -> None:
    with pytest.raises(BadInputError, match=r"unknown key 'dya'\. Did you mean \"day\"\? .*day, source_uri"):
        refuse_unknown_keys(asked_for({"dya": "2026-11-20"}, "day", "source_uri"))


def test_a_key_of_a_dag_without_params_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"unknown key 'day'\. This DAG has no Params\. .*again without"):
        refuse_unknown_keys(asked_for({"day": "2026-11-20"}))
