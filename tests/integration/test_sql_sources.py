"""A query of a spec reads a real PostgreSQL, through the provider's own hook, and changes nothing there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from nightsort.classifier_spec.source import Source
from nightsort.sources.documents import read_documents
from nightsort.sources.rejects import RejectLog
from nightsort.sources.source_files import SourceError
from nightsort_airflow.doctor.buckets import documents as documents_check
from nightsort_airflow.hooks.storage import task_access

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

PATIENT = "Patient Jane Roe"
TABLES = """
CREATE TABLE tickets (id bigint PRIMARY KEY, text text, note text);
INSERT INTO tickets SELECT n, 'ticket ' || n, 'Patient Jane Roe' FROM generate_series(1, 5000) AS n;
CREATE SEQUENCE counter;
CREATE FUNCTION forget() RETURNS SETOF tickets LANGUAGE sql AS 'DELETE FROM tickets RETURNING *';
CREATE FUNCTION forget_as_owner() RETURNS SETOF tickets LANGUAGE sql SECURITY DEFINER
    AS 'DELETE FROM tickets RETURNING *';
CREATE FUNCTION complain() RETURNS text LANGUAGE plpgsql
    AS 'BEGIN RAISE EXCEPTION ''cannot read %'', (SELECT note FROM tickets LIMIT 1); END';
"""

WRITING = {
    "drop": "DROP TABLE tickets",
    "delete": "DELETE FROM tickets RETURNING id, text",
    "update": "UPDATE tickets SET text = '' RETURNING id, text",
    "insert": "INSERT INTO tickets VALUES (0, 'x') RETURNING id, text",
    "merge": "MERGE INTO tickets USING (SELECT 1) AS s ON true WHEN MATCHED THEN DELETE",
    "cte": "WITH gone AS (DELETE FROM tickets RETURNING *) SELECT id, text FROM gone",
    "function": "SELECT id, text FROM forget()",
    "function of another": "SELECT id, text FROM forget_as_owner()",
    "select into": "SELECT id, text INTO copied FROM tickets",
    "create as": "CREATE TABLE copied AS SELECT * FROM tickets",
    "lock": "SELECT id, text FROM tickets FOR UPDATE",
    "sequence": "SELECT nextval('counter') AS id, 'x' AS text",
    "large object": "SELECT lo_create(0) AS id, 'x' AS text",
    "copy": "COPY tickets TO PROGRAM 'cat'",
    "two statements": "SELECT id, text FROM tickets; DROP TABLE tickets",
    "commit": "SELECT id, text FROM tickets; COMMIT; DROP TABLE tickets",
    "set": "SELECT id, text FROM tickets; SET TRANSACTION READ WRITE; DROP TABLE tickets",
    "set_config": (
        "SELECT id, set_config('transaction_read_only', 'off', true) || text AS text FROM forget() UNION ALL "
        "SELECT 1, set_config('transaction_read_only', 'off', true)"
    ),
    "set_config first": (
        "WITH s AS MATERIALIZED (SELECT set_config('transaction_read_only', 'off', false) AS text) "
        "SELECT f.id, s.text FROM s, LATERAL (SELECT * FROM forget() WHERE s.text IS NOT NULL) AS f"
    ),
}


@pytest.fixture
def tickets(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection[Any]]:
    """A database with documents, which is the Airflow connection ``tickets_db``."""
    parts = conninfo_to_dict(empty_database)
    monkeypatch.setenv(
        "AIRFLOW_CONN_TICKETS_DB",
        f"postgresql://{parts['user']}@/{parts['dbname']}?host={str(parts['host']).replace('/', '%2F')}",
    )
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(TABLES)
        yield connection


def read(sql: str, folder: Path) -> list[str | None]:
    source = Source(sql=sql, conn_id="tickets_db", id_column="id")
    with RejectLog(folder / "rejects.jsonl") as rejects:
        batches = read_documents(
            source,
            task_access(None),
            mode="MULTI_CLASS",
            label_delimiter=None,
            day=None,
            rejects=rejects,
        )
        return [text for batch in batches for text in batch["text"].to_pylist()]


def contents(connection: psycopg.Connection[Any]) -> list[Any]:
    rows = connection.execute("SELECT count(*), min(text), max(text) FROM tickets").fetchall()
    tables = connection.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    objects = connection.execute("SELECT count(*) FROM pg_largeobject_metadata")
    counter = connection.execute("SELECT is_called FROM counter")
    return [rows, sorted(tables.fetchall()), objects.fetchall(), counter.fetchall()]


def test_all_rows_of_a_query_are_read(tickets: psycopg.Connection[Any], tmp_path: Path) -> None:
    assert read("SELECT id, text FROM tickets ORDER BY id", tmp_path) == [
        f"ticket {n}" for n in range(1, 5_001)
    ]


@pytest.mark.parametrize("sql", WRITING.values(), ids=WRITING)
def test_a_query_that_would_write_changes_nothing(
    sql: str, tickets: psycopg.Connection[Any], tmp_path: Path
) -> None:
    before = contents(tickets)

    with pytest.raises(SourceError, match=r"the query was refused by its database: .*; ") as refused:
        read(sql, tmp_path)

    assert contents(tickets) == before
    assert refused.value.__suppress_context__


def test_who_reads_that_a_source_may_only_read_knows_what_to_do(
    tickets: psycopg.Connection[Any], tmp_path: Path
) -> None:
    with pytest.raises(
        SourceError, match="cannot execute DELETE in a read-only transaction; a source may only read"
    ):
        read(WRITING["function"], tmp_path)
    with pytest.raises(SourceError, match='column "texts" does not exist; correct sql'):
        read("SELECT id, texts FROM tickets", tmp_path)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, note::date::text AS text FROM tickets",
        "SELECT id, complain() AS text FROM tickets",
        # The 3,000th row, long after the first ones were read.
        "SELECT id, (CASE id WHEN 3000 THEN note ELSE '1' END)::int::text AS text FROM tickets ORDER BY id",
    ],
)
def test_an_error_about_a_row_does_not_show_it(
    sql: str, tickets: psycopg.Connection[Any], tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=r"\(SQLSTATE .*its text may quote a document") as refused:
        read(sql, tmp_path)

    assert PATIENT not in str(refused.value)


def test_a_lost_connection_is_tried_again(tickets: psycopg.Connection[Any], tmp_path: Path) -> None:
    with pytest.raises(psycopg.OperationalError):
        read("SELECT id, text || pg_terminate_backend(pg_backend_pid()) AS text FROM tickets", tmp_path)


def test_the_doctor_opens_the_connection_of_a_query(
    tickets: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(sql="SELECT id, text FROM tickets", conn_id="tickets_db", id_column="id")

    assert documents_check(None, source).state == "ok"  # type: ignore[arg-type]
