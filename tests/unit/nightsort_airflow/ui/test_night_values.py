"""Whole nights are in tests/integration/test_ui_pages.py."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from nightsort_airflow.ui.night_values import month_of


def test_a_month_begins_in_utc() -> None:
    zone = timezone(timedelta(hours=-5))
    assert month_of(datetime(2026, 11, 30, 22, 0, tzinfo=zone)) == datetime(2026, 12, 1, tzinfo=timezone.utc)
