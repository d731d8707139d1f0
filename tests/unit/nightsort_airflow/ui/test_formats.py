from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from nightsort_airflow.ui import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (formats.number(1234567), "1,234,567"),
        (formats.number(None), formats.NOTHING),
        (formats.share(0.1234), "12.3%"),
        (formats.share(0.00001), "< 0.1%"),
        (formats.share(0.0), "0.0%"),
        (formats.usd(1234.5), "1,234.50 USD"),
        (formats.usd(0.0015), "0.0015 USD"),
        (formats.usd(0), "0.00 USD"),
        (formats.metric(0.81234), "0.812"),
        (formats.duration(59.9), "59 s"),
        (formats.duration(125), "2 min 05 s"),
        (formats.duration(7_260), "2 h 01 min"),
        (formats.duration(None), formats.NOTHING),
        (formats.moment(None), formats.NOTHING),
    ],
)
def test_numbers_are_written_for_people(value: str, text: str) -> None:
    assert value == text


def test_a_time_can_be_read_without_a_script_and_rewritten_by_one() -> None:
    moment = datetime(2026, 11, 1, 2, 5, tzinfo=timezone(timedelta(hours=1)))
    shown = formats.moment(moment.astimezone(timezone.utc))
    assert (
        shown == '<time datetime="2026-11-01T01:05:00+00:00" data-style="short">2026-11-01 01:05 UTC</time>'
    )
