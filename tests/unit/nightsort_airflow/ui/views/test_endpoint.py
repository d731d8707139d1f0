"""What the page of a classifier says of its endpoint."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.opening.bill import Change
from nightsort.opening.record import Record
from nightsort_airflow.ui.views.endpoint import endpoint, endpoint_now

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


def test_its_chart_says_when_another_version_took_over() -> None:
    record = opening(EIGHT, EIGHT + 3 * HOUR, 1, 2)
    moved = replace(record, changes=(*record.changes, Change(EIGHT + 2 * HOUR, 2, "arn/version/v2")))
    shown = endpoint([moved], "UTC", EIGHT + 4 * HOUR)
    assert shown is not None
    _, _, versions = shown.chart["data"]
    assert (versions["x"], versions["y"], versions["text"]) == (
        [(EIGHT + 2 * HOUR).isoformat()],
        [2],
        ["v2"],
    )


def spec(**real_time: Any) -> ClassifierSpec:
    return ClassifierSpec.model_validate(
        {
            "name": "tickets",
            "mode": "MULTI_CLASS",
            "timezone": "Europe/Berlin",
            "labelled": {"uri": "s3://data/labelled/", "format": "csv"},
            "incoming": {"uri": "s3://data/incoming/{day}/", "format": "jsonl", "id_column": "id"},
            "work_uri": "s3://data/work",
            "data_access_role_arn": "arn:aws:iam::123456789012:role/NightsortComprehendDataAccess",
            **({"real_time": real_time} if real_time else {}),
        }
    )


@pytest.mark.parametrize(
    ("records", "state", "units", "usd"),
    [
        ([], "closed", 0, 0.0),
        ([opening(EIGHT, EIGHT + HOUR, 2)], "closed", 0, 3.6),
        ([opening(EIGHT, EIGHT + HOUR, 2), opening(EIGHT + 2 * HOUR, None, 1)], "opening", 1, 3.6),
        ([opening(EIGHT, None, 1, 3, ready_at=EIGHT)], "open", 3, 7.2),
    ],
)
def test_the_first_page_shows_state_units_and_what_the_day_cost_of_its_budget(
    records: list[Record], state: str, units: int, usd: float
) -> None:
    shown = endpoint_now(spec(hours="08:00-18:00", budget_usd_day=36.0), records, EIGHT + 2 * HOUR)
    assert shown is not None
    assert (shown.state, shown.units, shown.today_usd) == (state, units, usd)
    assert shown.budget_usd == 36.0


def test_a_classifier_without_an_endpoint_shows_none_and_one_without_a_limit_no_budget() -> None:
    assert endpoint_now(spec(), [], EIGHT) is None
    assert endpoint_now(None, [], EIGHT) is None
    unlimited = endpoint_now(spec(hours="always", budget_usd_day=None), [], EIGHT)
    assert unlimited is not None
    assert unlimited.budget_usd is None
    # Its spec is gone, and it is open all the same.
    left = endpoint_now(None, [opening(EIGHT, None, 1)], EIGHT + HOUR)
    assert left is not None
    assert (left.state, left.today_usd, left.budget_usd) == ("opening", 1.8, None)
