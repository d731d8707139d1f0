"""The openings of endpoints in the table: read back as they were written, with their price by day."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest

from nightsort.opening.bill import Change
from nightsort.opening.record import Record
from nightsort.tables.endpoint_hours import (
    TablesBook,
    endpoint_alone,
    is_held,
    latest_opening,
    openings_between,
    openings_of,
    save_opening,
    spent_between,
)
from nightsort.tables.overview import spent_in_month
from nightsort.tables.versions import ClassifierVersion, promote, record_version

pytestmark = pytest.mark.integration

NOON = datetime(2026, 11, 18, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
OPEN = Record(
    "tickets", "arn:e", NOON, "by hand", (Change(NOON, 1, "arn:v1"), Change(NOON + HOUR, 4, "arn:v2")),
    NOON + 2 * HOUR, ready_at=NOON + HOUR / 10, usage={NOON + HOUR / 2: 0.25}, held_by="run",
)  # fmt: skip


def test_an_opening_is_read_back_as_it_was_written(database: psycopg.Connection[Any]) -> None:
    save_opening(database, OPEN)
    assert latest_opening(database, "tickets") == OPEN
    closed = replace(OPEN, closed_at=NOON + 3 * HOUR, closing_why="by its hours")
    save_opening(database, closed)
    assert latest_opening(database, "tickets") == closed
    assert latest_opening(database, "others") is None


def test_the_row_has_its_seconds_units_and_price(database: psycopg.Connection[Any]) -> None:
    save_opening(database, OPEN)
    row = database.execute("SELECT seconds, unit_seconds, cost_usd FROM nightsort.endpoint_hours").fetchone()
    assert row is not None
    assert tuple(map(float, row)) == (7200, 3600 + 4 * 3600, 9.0)


def test_a_day_costs_its_part_of_an_opening_over_midnight(database: psycopg.Connection[Any]) -> None:
    evening = replace(OPEN, opened_at=NOON + 11 * HOUR, changes=(Change(NOON + 11 * HOUR, 1, "arn:v1"),))
    save_opening(database, replace(evening, closed_at=NOON + 14 * HOUR))
    midnight = NOON + 12 * HOUR
    assert spent_between(database, "tickets", midnight - 24 * HOUR, midnight) == 1.8
    assert spent_between(database, "tickets", midnight, midnight + 24 * HOUR) == 3.6
    assert len(openings_between(database, "tickets", midnight, midnight + HOUR)) == 1
    assert openings_between(database, "tickets", NOON + 15 * HOUR, NOON + 20 * HOUR) == []


def test_a_month_costs_its_part_of_an_opening_that_goes_on(database: psycopg.Connection[Any]) -> None:
    began, seen = datetime(2026, 10, 30, tzinfo=timezone.utc), NOON
    save_opening(
        database, replace(OPEN, opened_at=began, changes=(Change(began, 1, "arn:v1"),), seen_at=seen)
    )
    months = {month: datetime(2026, month, 15, tzinfo=timezone.utc) for month in (9, 10, 11, 12)}
    spent = {
        month: spent_in_month(database, ["tickets"], moment)["tickets"].endpoint_usd
        for month, moment in months.items()
    }
    assert spent == {9: 0, 10: 48 * 1.8, 11: 17.5 * 24 * 1.8, 12: 0}


def test_the_openings_of_several_classifiers_come_by_their_names(database: psycopg.Connection[Any]) -> None:
    closed = replace(OPEN, classifier="mails", closed_at=NOON + 3 * HOUR, closing_why="by hand")
    for record in (OPEN, closed):
        save_opening(database, record)
    names = ["tickets", "mails", "others"]
    assert openings_of(database, names, NOON + 2 * HOUR) == {"tickets": [OPEN], "mails": [closed]}
    assert openings_of(database, names, NOON + 3 * HOUR) == {"tickets": [OPEN]}
    assert openings_of(database, ["others"], NOON) == {}


def test_only_what_a_run_holds_is_held(database: psycopg.Connection[Any]) -> None:
    assert not is_held(database, "tickets", NOON)
    save_opening(database, OPEN)
    assert is_held(database, "tickets", NOON)
    assert not is_held(database, "tickets", NOON + HOUR), "another one of the same name"
    for other in (replace(OPEN, held_by=None), replace(OPEN, closed_at=NOON + 3 * HOUR)):
        save_opening(database, other)
        assert not is_held(database, "tickets", NOON)


def test_an_open_one_costs_up_to_now(database: psycopg.Connection[Any]) -> None:
    save_opening(database, OPEN)
    assert TablesBook(database, "tickets").spent(NOON, NOON + 3 * HOUR) == 1.8 + 2 * 7.2


def test_the_book_knows_the_active_version(database: psycopg.Connection[Any]) -> None:
    book = TablesBook(database, "tickets")
    assert book.active_model() is None
    record_version(database, ClassifierVersion("tickets", "v1", "arn:v1", "MULTI_CLASS", "en"))
    promote(database, classifier="tickets", version="v1")
    assert book.active_model() == "arn:v1"


def test_only_one_looks_after_an_endpoint_at_a_time(empty_database: str) -> None:
    order: list[str] = []
    inside = threading.Event()

    def second() -> None:
        with psycopg.connect(empty_database, autocommit=True) as other:
            inside.set()
            with endpoint_alone(other, "tickets"):
                order.append("second")

    with psycopg.connect(empty_database, autocommit=True) as connection:
        with endpoint_alone(connection, "tickets"):
            waiting = threading.Thread(target=second)
            waiting.start()
            inside.wait()
            with psycopg.connect(empty_database, autocommit=True) as watching:
                while not watching.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                    pass
            order.append("first")
        waiting.join()
    assert order == ["first", "second"]
