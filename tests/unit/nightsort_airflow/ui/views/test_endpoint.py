"""What the page of a classifier says of its endpoint."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from nightsort.opening.bill import Change
from nightsort.opening.record import Record
from nightsort_airflow.ui.views.endpoint import endpoint

EIGHT = datetime(2026, 11, 18, 8, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


def opening(at: datetime, closed: datetime | None, *units: int, **more: Any) -> Record:
    changes = tuple(Change(at + number * HOUR, each, "arn/version/v1") for number, each in enumerate(units))
    return Record("tickets", "arn:e", at, "by hand", changes, closed or at + HOUR, closed_at=closed, **more)


def test_without_an_opening_there_is_nothing_to_show() -> None:
    assert endpoint([], "UTC", EIGHT) is None


def test_an_open_one_costs_up_to_now_and_the_day_in_the_specs_zone() -> None:
    shown = endpoint(
        [opening(EIGHT - 24 * HOUR, EIGHT - 23 * HOUR, 1), opening(EIGHT, None, 1)], "UTC", EIGHT + 2 * HOUR
    )
    assert shown is not None
    assert shown.open is shown.rows[0]
    assert [row.cost_usd for row in shown.rows] == [3.6, 1.8]
    assert (shown.today_usd, shown.day) == (3.6, "2026-11-18")


def test_a_closed_one_shows_its_units_its_use_and_its_day() -> None:
    at = EIGHT + timedelta(minutes=5)
    shown = endpoint([opening(EIGHT, EIGHT + 2 * HOUR, 1, 3, usage={at: 24.0})], "UTC", EIGHT + 48 * HOUR)
    assert shown is not None
    assert shown.open is None
    (row,) = shown.rows
    assert (row.units, row.version, row.cost_usd, shown.today_usd) == ("1 to 3", "v1", 7.2, 0.0)
    # Of 60 + 180 minutes of a unit, 24 were used.
    assert round(row.used, 6) == 0.1
    paid, used = shown.chart["data"]
    assert max(paid["y"]) == 3
    assert used["y"] == [24.0]
    assert shown.day == "2026-11-18"
