"""The database of the tables: whether it answers, and whether it permits what the loads do."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from nightsort.tables.load import replace_rows
from nightsort.tables.schema import (
    ENCODING,
    SCHEMA_VERSION,
    SchemaError,
    ensure_schema,
    schema_version,
)
from nightsort_airflow.doctor.findings import Check, cannot_tell, failed, ok, warning
from nightsort_airflow.hooks.database import NightsortDatabaseHook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nightsort_airflow.doctor.findings import Outcome

GROUP: Final = "database"

# No spec may have such a name, and no night is that old, so no real row is touched.
NOBODY: Final = "nightsort_doctor"
NO_RUN: Final = "19700101"

MISSING_PRIVILEGES: Final = """
    SELECT privilege, 'nightsort.' || relname
    FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
    WHERE relnamespace = 'nightsort'::regnamespace AND relkind IN ('r', 'p') AND relname <> 'schema_version'
        AND NOT has_table_privilege(pg_class.oid, privilege)
    ORDER BY relname, privilege
"""

OWNED: Final = """
    SELECT bool_and(pg_has_role(tableowner, 'USAGE')) FROM pg_tables WHERE schemaname = 'nightsort'
"""

MIN_SERVER_VERSION: Final = 140000
"""PostgreSQL 14, as ``server_version_num`` says it: the index on document ids needs it."""


def database_checks(conn_id: str) -> list[Check]:
    """
    Return the checks of one database connection.

    :param conn_id: the Airflow connection.
    """
    connection = Check(GROUP, f"connection {conn_id}", lambda: answers(conn_id))
    encoded = Check(GROUP, f"{conn_id}: encoding", lambda: encoding(conn_id), (connection,))
    return [
        connection,
        encoded,
        Check(GROUP, f"{conn_id}: schema", lambda: schema(conn_id), (encoded,)),
        Check(GROUP, f"{conn_id}: privileges", lambda: privileges(conn_id), (encoded,)),
    ]


def answers(conn_id: str) -> Outcome:
    """Connect and run a query."""
    add = f"add {conn_id} in the UI, or by airflow connections import FILE (docs/deployment.md, Connections)"
    try:
        kind = BaseHook.get_connection(conn_id).conn_type
    except AirflowNotFoundException:
        return failed("there is no such connection", f"{add}, or AIRFLOW_CONN_{conn_id.upper()}")
    if kind != "postgres":
        return failed(f"is of the type {kind}", f"make it one of the type postgres: {add}")
    try:
        with _open(conn_id) as conn:
            conn.execute("SELECT 1")
            about = conn.info
            server, who = about.server_version, f"user {about.user}, database {about.dbname}"
    except psycopg.OperationalError as error:
        return failed(
            f"does not open: {' '.join(str(error).split())}",
            "correct host, user, password or database of the connection, or let this machine reach the host",
        )
    version = f"PostgreSQL {server // 10000}.{server % 10000}"
    if server < MIN_SERVER_VERSION:
        return failed(f"{version}; {who}", "use PostgreSQL 14 or newer")
    return ok(f"{version}; {who}")


def encoding(conn_id: str) -> Outcome:
    """Ask for the encoding of the database."""
    with _open(conn_id) as conn:
        found = conn.info.parameter_status("server_encoding")
    if found != ENCODING:
        return failed(
            f"the database's encoding is {found}, which cannot store every text",
            f"create one: CREATE DATABASE … ENCODING '{ENCODING}' TEMPLATE template0, for the connection",
        )
    return ok(ENCODING)


def schema(conn_id: str) -> Outcome:
    """Compare the version of the tables with the version that this code needs; change nothing."""
    with _open(conn_id) as conn:
        version = schema_version(conn)
        owned = version == 0 or conn.execute(OWNED).fetchone() == (True,)
    if version > SCHEMA_VERSION:
        return failed(
            f"version {version}, but this code needs {SCHEMA_VERSION}", "deploy the newer code everywhere"
        )
    if version == SCHEMA_VERSION:
        return ok(f"version {version}, which this code needs")
    if not owned:
        return failed(
            f"version {version}, but this code needs {SCHEMA_VERSION}, and another role owns the tables",
            "have their owner run nightsort init-db 'host=… dbname=… user=…'",
        )
    if version == 0:
        return ok(f"does not exist yet; the first run creates version {SCHEMA_VERSION}")
    return warning(
        f"version {version}, but this code needs {SCHEMA_VERSION}: the next run migrates the tables first",
        "if that takes long, do it by day: nightsort init-db 'host=… dbname=… user=…'",
    )


def privileges(conn_id: str) -> Outcome:
    """Do what the first run and every load do, in a transaction that is rolled back."""
    with _open(conn_id) as conn:
        version = schema_version(conn)
        if version not in (0, SCHEMA_VERSION):
            return cannot_tell(
                f"not tried on tables of version {version}", "check again with the tables of this code"
            )
        try:
            with conn.transaction(force_rollback=True):
                ensure_schema(conn)
                replace_rows(conn, classifier=NOBODY, run_key=NO_RUN, batch=NOBODY, version=None, rows=[])
                missing = conn.execute(MISSING_PRIVILEGES).fetchall()
        except SchemaError as error:
            return failed(str(error), "then check again")
        except psycopg.errors.InsufficientPrivilege as error:
            missing = [(error.diag.message_primary,)]
        user = conn.info.user
    if missing:
        lacking = ", ".join(" on ".join(row) for row in missing)
        return failed(
            f"the tables exist, but {user} lacks privileges: {lacking}",
            f"GRANT USAGE ON SCHEMA nightsort TO {user}; "
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA nightsort TO {user}",
        )
    made = "read, insert, update, delete" if version else "create the tables"
    return ok(f"{made}, COPY; tried and rolled back")


@contextmanager
def _open(conn_id: str) -> Iterator[psycopg.Connection[Any]]:
    """Open a connection. Nothing is committed, so nothing changes."""
    with NightsortDatabaseHook(postgres_conn_id=conn_id).connect() as conn:
        yield conn
