"""What dropping old runs promises, and the newest predictions since a day, on a real PostgreSQL."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from nightsort.cli import app
from nightsort.tables.retention import OldRun, drop_run, find_runs
from nightsort.tables.reuse import runs_with_rows

if TYPE_CHECKING:
    from typer.testing import Result

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[Any]
TODAY = date.today()


def add_run(conn: Connection, age: int, *documents: int, classifier: str = "tickets") -> None:
    """A run of so many days ago, with its row in `classification_runs`."""
    day = TODAY - timedelta(days=age)
    run_key = f"{day:%Y%m%d}"
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO nightsort.predictions "
            "(classifier, run_key, batch, day, line, document_id, status, label) "
            "VALUES (%s, %s, 'batch', %s, %s, %s, 'classified', %s)",
            [(classifier, run_key, day, number, f"doc-{number}", f"{age} days") for number in documents],
        )
    conn.execute(
        "INSERT INTO nightsort.classification_runs "
        "(classifier, run_key, day, state, documents_in, classified, failed, rejected) "
        "VALUES (%s, %s, %s, 'complete', %s, %s, 0, 0)",
        (classifier, run_key, day, len(documents), len(documents)),
    )


def ages(conn: Connection, table: str = "predictions") -> list[int]:
    """How many days ago the rows are of, newest first."""
    query = sql.SQL("SELECT DISTINCT %s - day FROM nightsort.{} ORDER BY 1").format(sql.Identifier(table))
    return [age for (age,) in conn.execute(query, (TODAY,))]


def drop_runs(dsn: str, *options: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, ["drop-runs", dsn, *options], input=answer)


def test_runs_before_a_day_are_found_with_their_rows(database: Connection) -> None:
    for age in (9, 10, 11):
        add_run(database, age, 1, 2)
    add_run(database, 11, 1, classifier="mails")
    day = TODAY - timedelta(days=11)
    tickets, mails = (
        OldRun(name, f"{day:%Y%m%d}", day, rows) for name, rows in (("tickets", 2), ("mails", 1))
    )
    before = TODAY - timedelta(days=10)
    assert find_runs(database, before=before) == [mails, tickets]
    assert find_runs(database, before=before, classifier="mails") == [mails]


def test_a_run_that_is_dropped_leaves_its_sums_and_all_other_rows(database: Connection) -> None:
    for age in (9, 11):
        add_run(database, age, 1, 2)
    add_run(database, 11, 1, classifier="mails")
    (run,) = find_runs(database, before=TODAY - timedelta(days=10), classifier="tickets")
    assert drop_run(database, run) == 2
    left = database.execute("SELECT classifier, %s - day FROM nightsort.predictions ORDER BY 1, 2", (TODAY,))
    assert left.fetchall() == [("mails", 11), ("tickets", 9), ("tickets", 9)]
    assert ages(database, "classification_runs") == [9, 11]


def test_the_results_of_a_run_that_was_dropped_are_not_used_again(database: Connection) -> None:
    for age in (9, 10, 11):
        add_run(database, age, 1)
    asked = [f"{TODAY - timedelta(days=age):%Y%m%d}" for age in (9, 10, 11, 12)]

    drop_run(database, OldRun("tickets", asked[1], TODAY - timedelta(days=10), 1))

    assert runs_with_rows(database, "tickets", asked) == [asked[0], asked[2]]
    assert runs_with_rows(database, "mails", asked) == []
    assert runs_with_rows(database, "tickets", []) == []


def test_a_document_whose_only_run_is_dropped_is_no_longer_among_the_latest(database: Connection) -> None:
    add_run(database, 11, 1, 2)
    add_run(database, 9, 2)
    (run,) = find_runs(database, before=TODAY - timedelta(days=10))
    drop_run(database, run)
    latest = database.execute("SELECT document_id FROM nightsort.latest_predictions").fetchall()
    assert latest == [("doc-2",)]


class TestCommand:
    def test_it_keeps_as_many_days_as_it_is_told(self, database: Connection, empty_database: str) -> None:
        for age in (0, 30, 31, 400):
            add_run(database, age, 1)
        result = drop_runs(empty_database, "--keep-days", "30", "--yes")
        assert result.exit_code == 0
        assert "Deleted 2 predictions of 2 runs" in result.output
        assert ages(database) == [0, 30]

    def test_it_asks_and_no_changes_nothing(self, database: Connection, empty_database: str) -> None:
        add_run(database, 401, 1)
        result = drop_runs(empty_database, answer="n\n")
        assert result.exit_code == 1
        assert "Delete 1 prediction of 1 run before" in result.output
        assert ages(database) == [401]

    def test_of_one_classifier_only(self, database: Connection, empty_database: str) -> None:
        add_run(database, 401, 1)
        add_run(database, 402, 1, classifier="mails")
        drop_runs(empty_database, "--classifier", "mails", answer="y\n")
        assert ages(database) == [401]

    def test_a_classifier_that_is_unknown_is_an_error_with_those_that_are_known(
        self, database: Connection, empty_database: str
    ) -> None:
        add_run(database, 1, 1)
        result = drop_runs(empty_database, "--classifier", "tikets", "--yes")
        assert result.exit_code == 2
        assert 'the tables have no classifier "tikets"; they have: tickets' in result.output
        known = drop_runs(empty_database, "--classifier", "tickets", "--yes")
        assert (known.exit_code, "Deleted 0 predictions of 0 runs" in known.output) == (0, True)


@pytest.mark.parametrize("since", [0, 1, 2, 3])
def test_the_latest_since_a_day_are_those_of_the_view_that_are_not_older(
    database: Connection, since: int
) -> None:
    add_run(database, 3, 1, 2, 3)
    add_run(database, 2, 1, 2)
    add_run(database, 1, 1)
    add_run(database, 1, 1, 2, 3, classifier="mails")
    day = TODAY - timedelta(days=since)
    view = (
        "SELECT * FROM nightsort.latest_predictions WHERE classifier = 'tickets' AND day >= %s "
        "ORDER BY document_id"
    )
    expected = database.execute(view, (day,)).fetchall()
    assert len(expected) == since
    function = "SELECT * FROM nightsort.latest_predictions_since('tickets', %s) ORDER BY document_id"
    assert database.execute(function, (day,)).fetchall() == expected
