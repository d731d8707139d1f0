from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from nightsort.tables.overview import Savings, Spending
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


@pytest.mark.parametrize(
    ("month", "text"),
    [
        (Spending(), "nothing paid"),
        (Spending(trainings_usd=0.0093), "all for trainings"),
        (Spending(by_hand_usd=2), "all for runs by hand"),
        (Spending(nights=1, nights_usd=1.5), "all for 1 night (budget 10.00 USD)"),
        (
            Spending(nights=2, nights_usd=1.5, trainings_usd=0.0093),
            "1.50 USD for 2 nights (budget 20.00 USD) and 0.0093 USD for trainings",
        ),
        (
            Spending(nights=1, nights_usd=1, by_hand_usd=2, trainings_usd=3, endpoint_usd=4),
            "1.00 USD for 1 night (budget 10.00 USD), 2.00 USD for runs by hand, 3.00 USD for trainings and "
            "4.00 USD for the endpoint",
        ),
        (
            Spending(endpoint_usd=4, saved=Savings(repeated=40, reused=2, usd=0.063)),
            "all for the endpoint; 0.0630 USD saved, 42 documents not sent",
        ),
        (
            Spending(saved=Savings(repeated=1, usd=0.0015)),
            "nothing paid; 0.0015 USD saved, 1 document not sent",
        ),
    ],
)
def test_what_a_month_cost_is_said_in_words_and_kinds_that_cost_nothing_are_left_out(
    month: Spending, text: str
) -> None:
    assert formats.spent(month, month.budget(10.0)) == text


def test_nights_without_a_budget_are_said_without_one() -> None:
    assert formats.spent(Spending(nights=3, nights_usd=6)) == "all for 3 nights"
