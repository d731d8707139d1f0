"""What the doctor says of a real PostgreSQL, in each state in which nights would fail; it changes nothing."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import tests.airflow_environment  # noqa: F401 - before Airflow

# isort: split
from nightsort.classifier_spec.model import Source
from nightsort.tables.schema import SCHEMA_VERSION
from nightsort_airflow.doctor.aws_access import AwsAccess
from nightsort_airflow.doctor.buckets import documents
from nightsort_airflow.doctor.database import database_checks
from nightsort_airflow.doctor.findings import Check, State
from nightsort_airflow.doctor.run_checks import examine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nightsort_airflow.doctor.findings import Finding

pytestmark = pytest.mark.integration


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Finding]]:
    """Examine the database of a connection string."""

    def examine_it(dsn: str) -> dict[str, Finding]:
        parts = conninfo_to_dict(dsn)
        connection = {
            "conn_type": "postgres",
            "host": parts["host"],
            "login": parts["user"],
            "schema": parts["dbname"],
        }
        monkeypatch.setenv("AIRFLOW_CONN_DOCTOR_DB", json.dumps(connection))
        findings = examine(database_checks("doctor_db"))
        return {finding.subject.removeprefix("doctor_db: "): finding for finding in findings}

    return examine_it


@pytest.fixture
def somebody(postgres_dsn: str) -> Iterator[str]:
    """A role that may log in and nothing else."""
    name = f"role_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_dsn, autocommit=True) as server:
        server.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        yield name
        server.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def execute(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_an_empty_database_is_good_and_stays_empty(
    look: Callable[[str], dict[str, Finding]], empty_database: str
) -> None:
    found = look(empty_database)
    assert [finding.state for finding in found.values()] == [State.OK] * 4
    assert found["connection doctor_db"].says.startswith("PostgreSQL 18.")
    assert found["encoding"].says == "UTF8"
    assert found["schema"].says == f"does not exist yet; the first run creates version {SCHEMA_VERSION}"
    assert "create the tables" in found["privileges"].says
    assert execute(empty_database, "SELECT FROM pg_namespace WHERE nspname = 'nightsort'") == []


def test_tables_of_this_version_are_good_and_keep_their_rows(
    look: Callable[[str], dict[str, Finding]], database: psycopg.Connection[Any], empty_database: str
) -> None:
    found = look(empty_database)
    assert [finding.state for finding in found.values()] == [State.OK] * 4
    assert found["schema"].says == f"version {SCHEMA_VERSION}, which this code needs"
    assert database.execute("SELECT count(*) FROM nightsort.predictions").fetchone() == (0,)


def test_a_newer_schema_fails_and_an_older_one_says_that_the_next_run_changes_it(
    look: Callable[[str], dict[str, Finding]], database: psycopg.Connection[Any], empty_database: str
) -> None:
    database.execute("INSERT INTO nightsort.schema_version (version) VALUES (9999)")
    newer = look(empty_database)
    assert newer["schema"].state is State.FAILED
    assert newer["schema"].says == f"version 9999, but this code needs {SCHEMA_VERSION}"
    assert "deploy the newer code" in newer["schema"].remedy
    assert newer["privileges"].state is State.CANNOT_TELL
    database.execute("DELETE FROM nightsort.schema_version WHERE version > 1")
    older = look(empty_database)
    assert older["schema"].state is State.WARNING
    assert "init-db" in older["schema"].remedy
    assert database.execute("SELECT max(version) FROM nightsort.schema_version").fetchone() == (1,)


def test_older_tables_of_another_role_need_that_role(
    look: Callable[[str], dict[str, Finding]],
    database: psycopg.Connection[Any],
    empty_database: str,
    somebody: str,
) -> None:
    database.execute("DELETE FROM nightsort.schema_version WHERE version > 1")
    database.execute(f"GRANT USAGE ON SCHEMA nightsort TO {somebody}")
    database.execute(f"GRANT SELECT ON nightsort.schema_version TO {somebody}")
    found = look(make_conninfo(empty_database, user=somebody))
    database.execute(f"DROP OWNED BY {somebody}")
    assert found["schema"].state is State.FAILED
    assert "another role owns" in found["schema"].says


def test_a_role_that_may_not_make_the_tables_is_told_the_grant(
    look: Callable[[str], dict[str, Finding]], empty_database: str, somebody: str
) -> None:
    dsn = make_conninfo(empty_database, user=somebody)
    found = look(dsn)["privileges"]
    assert found.state is State.FAILED
    assert f"TO {somebody}" in found.says
    name = conninfo_to_dict(empty_database)["dbname"]
    execute(empty_database, f"GRANT CREATE ON DATABASE {name} TO {somebody}")
    assert look(dsn)["privileges"].state is State.OK
    execute(empty_database, f"DROP OWNED BY {somebody}")


def test_a_role_that_may_only_read_the_tables_is_told_what_it_lacks(
    look: Callable[[str], dict[str, Finding]],
    database: psycopg.Connection[Any],
    empty_database: str,
    somebody: str,
) -> None:
    dsn = make_conninfo(empty_database, user=somebody)
    database.execute(f"GRANT USAGE ON SCHEMA nightsort TO {somebody}")
    database.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA nightsort TO {somebody}")
    found = look(dsn)["privileges"]
    assert found.state is State.FAILED
    assert "permission denied for table predictions" in found.says
    # What the remedy says is enough.
    for statement in found.remedy.split("; "):
        database.execute(statement)
    assert look(dsn)["privileges"].state is State.OK
    database.execute(f"REVOKE DELETE ON nightsort.classification_runs FROM {somebody}")
    assert "DELETE on nightsort.classification_runs" in look(dsn)["privileges"].says
    database.execute(f"DROP OWNED BY {somebody}")


def test_a_database_that_does_not_hold_every_text_is_told_with_the_command_for_one_that_does(
    look: Callable[[str], dict[str, Finding]], postgres_dsn: str
) -> None:
    name = f"ascii_{uuid.uuid4().hex}"
    locale = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER 'libc' TEMPLATE template0"
    execute(postgres_dsn, f"CREATE DATABASE {name} {locale}")
    try:
        found = look(make_conninfo(postgres_dsn, dbname=name))
    finally:
        execute(postgres_dsn, f"DROP DATABASE {name} WITH (FORCE)")
    assert found["encoding"].state is State.FAILED
    assert "SQL_ASCII" in found["encoding"].says
    assert "TEMPLATE template0" in found["encoding"].remedy
    assert found["privileges"].state is found["schema"].state is State.CANNOT_TELL


def test_a_database_that_is_not_there_is_told_with_its_name(
    look: Callable[[str], dict[str, Finding]], postgres_dsn: str
) -> None:
    found = look(make_conninfo(postgres_dsn, dbname="nobody_made_it"))
    assert found["connection doctor_db"].state is State.FAILED
    assert 'database "nobody_made_it" does not exist' in found["connection doctor_db"].says


def test_the_connection_of_a_query_is_opened_and_one_that_is_not_there_is_named(
    look: Callable[[str], dict[str, Finding]], empty_database: str
) -> None:
    look(empty_database)

    def of(conn_id: str) -> Finding:
        source = Source(sql="SELECT id, text FROM nobody_has_this", conn_id=conn_id)
        (finding,) = examine(
            [Check("documents", "incoming", lambda: documents(AwsAccess("aws_nowhere"), source))]
        )
        return finding

    assert of("doctor_db").state is State.OK
    assert "the query itself is not run" in of("doctor_db").says
    assert of("no_such_db").state is State.FAILED
    assert "no_such_db" in of("no_such_db").says
