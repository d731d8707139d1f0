"""The pages of the UI beside databases that are busy, down, broken or of an earlier version."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
import pytest
from airflow.sdk.exceptions import AirflowNotFoundException

from nightsort.results.join import RESULT_SCHEMA
from nightsort.tables.drift_series import drift_series
from nightsort.tables.load import replace_rows
from nightsort.tables.night_reports import night_report
from nightsort.tables.overview import overview
from nightsort.tables.row_streams import csv_rows
from nightsort.tables.schema import ensure_schema
from tests.integration.ui_client import NIGHT, NOW, Found, look, pages, site_of
from tests.integration.ui_fixtures import own, specs, with_predictions
from tests.made_nights import FIRST_NIGHT, MadeNights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.testclient import TestClient

__all__ = ["own", "specs", "with_predictions"]

pytestmark = pytest.mark.integration

NO_ROWS = pa.RecordBatch.from_pylist([], RESULT_SCHEMA)


def test_a_page_can_neither_write_nor_wait_for_long(months: str) -> None:
    from nightsort_airflow.ui.database import Tables

    tables = Tables(lambda conn_id: psycopg.connect(months))
    with tables.reading("nightsort_db") as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("5s",)
        assert connection.execute("SHOW lock_timeout").fetchone() == ("1s",)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("DELETE FROM nightsort.predictions")


def test_when_all_connections_are_in_use_a_page_asks_to_come_back(months: str, specs: Path) -> None:
    with ExitStack() as pages_of_others:
        client = pages(months)
        tables = site_of(client).tables
        for _ in range(4):
            pages_of_others.enter_context(tables.reading("nightsort_db"))
        answer = client.get("/nightsort/classifiers/tickets")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "Too many pages are asked for" in Found(answer.text).text
    assert look(client, "/classifiers/tickets").text


def test_neither_a_page_nor_a_download_holds_up_a_load(
    with_predictions: TestClient, database: psycopg.Connection[Any]
) -> None:
    """Each lock that a load takes is free at once, whatever is being read."""
    tables = site_of(with_predictions).tables
    reader = tables.open("nightsort_db", seconds=900)
    rows = csv_rows(reader, "tickets", "20261101", ["document_id"])
    with tables.reading("nightsort_db") as connection:
        assert next(rows)
        assert night_report(connection, "tickets", "20261101") is not None
        assert drift_series(connection, "tickets").nights
        assert overview(connection, ["tickets"], now=NOW)
        database.execute("SET lock_timeout = '1ms'")
        replace_rows(
            database, classifier="tickets", run_key="20261101", batch="b", version="v1", rows=[NO_ROWS]
        )
        database.execute("UPDATE nightsort.classification_runs SET state = 'running'")
        database.execute("DELETE FROM nightsort.run_statistics")
        found = night_report(connection, "tickets", "20261101")
        assert found is not None
        assert (found.run.state, found.counted) == ("complete", True), "a page is one snapshot"
    reader.close()


def test_a_page_survives_a_restart_of_the_database(months: str, specs: Path) -> None:
    client = pages(months)
    assert look(client, "/").text
    with psycopg.connect(months, autocommit=True) as server:
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'nightsort pages'"
        )
    assert "reviews" in look(client, "/").text


def test_tables_that_are_not_there_yet_are_explained(empty_database: str, specs: Path) -> None:
    client = pages(empty_database)
    assert "are not there yet" in look(client, "/").text
    assert "The tables are not there yet" in look(client, "/classifiers/tickets", 503).text


NOWHERE = "host=127.0.0.1 port=1 dbname=x connect_timeout=1"


def test_a_database_that_cannot_be_reached_is_explained(specs: Path) -> None:
    client = pages(NOWHERE)
    shown = look(client, "/", 503).text
    assert "The tables cannot be reached. Connection nightsort_db : The API server cannot connect" in shown
    assert "tickets not readable" in shown


def broken_connection(kind: str, months: str, others: dict[str, str]) -> Callable[[str], Any]:
    """Open connections as the pages do; that of `broken_db` has a trouble of its own."""

    def connect(conn_id: str) -> Any:
        if conn_id != "broken_db":
            return psycopg.connect(months)
        if kind == "unknown_connection":
            raise AirflowNotFoundException("The conn_id `broken_db` isn't defined")
        return psycopg.connect(others[kind])

    return connect


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("unknown_connection", "Airflow has no connection of this name. Add it (Admin, Connections)"),
        ("unreachable", "The API server cannot connect to its database. Look whether the database runs"),
        ("no tables", "The first task that runs makes them, or nightsort init-db does"),
        ("older tables", "The tables are missing, or of an earlier version of Nightsort"),
        ("no rights", "grant USAGE on the schema and SELECT on its tables"),
    ],
)
def test_a_broken_connection_is_named_with_its_remedy_and_costs_no_other_classifier(
    kind: str, told: str, months: str, empty_database: str, specs: Path
) -> None:
    if kind in ("older tables", "no rights"):
        with psycopg.connect(empty_database, autocommit=True) as server:
            ensure_schema(server)
            if kind == "older tables":
                server.execute("DELETE FROM nightsort.schema_version WHERE version > 6")
            else:
                server.execute("DROP ROLE IF EXISTS no_reader")
                server.execute("CREATE ROLE no_reader LOGIN")
    theirs = psycopg.conninfo.make_conninfo(
        empty_database, **({"user": "no_reader"} if kind == "no rights" else {})
    )
    others = {"unreachable": NOWHERE, **dict.fromkeys(("no tables", "older tables", "no rights"), theirs)}
    file = specs / "mails.yaml"
    file.write_text(file.read_text().replace("nightsort_db", "broken_db"))
    client = pages(months, connect=broken_connection(kind, months, others))
    shown = look(client, "/").text
    assert "Connection broken_db" in shown
    assert told in shown
    assert "mails not readable" in shown
    assert "The tables of the connection broken_db cannot be read: see above." in shown
    for other in ("tickets with warnings", "reviews incomplete", "chats none yet"):
        assert other in shown
    for path in ("", "/nights/20261130", "/drift"):
        helpful = look(client, f"/classifiers/mails{path}", 503).text
        assert "Connection broken_db" in helpful
        assert told in helpful
    assert look(client, NIGHT).text


def test_a_broken_connection_costs_no_classifier_without_a_spec(months: str, specs: Path) -> None:
    file = specs / "chats.yaml"
    file.write_text(file.read_text().replace("nightsort_db", "broken_db"))
    (specs / "mails.yaml").unlink()
    client = pages(months, connect=broken_connection("unreachable", months, {"unreachable": NOWHERE}))
    assert "mails with warnings" in look(client, "/").text
    assert look(client, "/classifiers/mails").text
    assert "Connection broken_db" in look(client, "/classifiers/nobody", 503).text


def test_a_classifier_is_read_from_the_tables_that_its_spec_names(
    months: str, own: TestClient, database: Any, empty_database: str, specs: Path
) -> None:
    """It moved from one database to another, and left its old nights behind."""
    made = MadeNights(database, "mails")
    made.train("v1f2e3d4c5b6a")
    made.night(FIRST_NIGHT, documents=7)
    file = specs / "mails.yaml"
    file.write_text(file.read_text().replace("nightsort_db", "a_new_db"))
    connect = {"a_new_db": empty_database, "nightsort_db": months}
    shown = look(pages(months, connect=lambda conn_id: psycopg.connect(connect[conn_id])), "/").text
    assert "2026-11-01 7 0 failed" in shown
    assert "30 of 900 documents" not in shown
