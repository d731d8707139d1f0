"""Create the tables, or migrate them to the version of this code.

Each file of ``migrations/`` takes the schema ``nightsort`` from one version to the next; its name begins with
the number of the version that it makes. A released file is never changed: each later change is a file of its
own, so that new and old databases end with the same tables
(``docs/adr/0020-tables-at-size.md``).
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg import errors

from nightsort.errors import NightsortError

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger(__name__)

MIGRATIONS = {
    int(file.name[:4]): file for file in sorted((Path(__file__).parent / "migrations").glob("*.sql"))
}
"""The SQL files by the version that they make."""

SCHEMA_VERSION = max(MIGRATIONS)
"""The version of the tables that this code works with."""

ENCODING = "UTF8"
"""The encoding that the database must have: SQL_ASCII returns texts as bytes, others lack characters."""

_LOCK = 0x6E69676874736F72
"""Key of the advisory lock for changes of the schema ("nightsor")."""


class SchemaError(NightsortError):
    """The tables of the database cannot be used: why, and what to do."""


class SchemaVersionError(SchemaError):
    """The database has tables of another version than this code: which version, and what to do."""


class SchemaRightsError(SchemaError):
    """The role may not create or change the tables: who has to run which command."""


class DatabaseEncodingError(SchemaError):
    """The database has an encoding without some characters: which encoding, and what to do."""


def ensure_schema(conn: psycopg.Connection[Any]) -> None:
    """Create the schema ``nightsort`` with its tables, or bring an older one up to date.

    If it is up to date, this is one query, so every task may call it. Of several callers, one migrates and
    the others wait. All missing versions are applied in one transaction: none or all.

    :param conn: to create the schema, its role needs CREATE on the database; to migrate it, the role must own
        the tables.
    :raises DatabaseEncodingError: the encoding of the database is not UTF8.
    :raises SchemaRightsError: the role of `conn` may not create or change the tables.
    :raises SchemaVersionError: the tables have a newer version.
    """
    _check_encoding(conn)
    found = 0
    try:
        with conn.transaction():
            found = schema_version(conn)
            if found < SCHEMA_VERSION:
                conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
                found = schema_version(conn)
                _migrate(conn, found)
    except errors.InsufficientPrivilege as error:
        raise SchemaRightsError(_rights_remedy(conn, found, error)) from error
    _refuse_newer(found)


def check_schema(conn: psycopg.Connection[Any]) -> None:
    """Check that a database has the tables of this code; nothing is changed.

    :param conn: may be read-only.
    :raises SchemaVersionError: it has none, or those of another version.
    """
    with conn.transaction():
        found = schema_version(conn)
    _refuse_newer(found)
    if found < SCHEMA_VERSION:
        has = (
            f"version {found} of the schema nightsort, this code needs {SCHEMA_VERSION}"
            if found
            else ("no schema nightsort")
        )
        raise SchemaVersionError(
            f"the database {conn.info.dbname} has {has}. The next run makes it, or  nightsort init-db  does"
        )


def _refuse_newer(found: int) -> None:
    if found > SCHEMA_VERSION:
        raise SchemaVersionError(
            f"the database has version {found} of the schema nightsort, this code needs {SCHEMA_VERSION}. "
            "Deploy the newer code everywhere"
        )


def schema_version(conn: psycopg.Connection[Any]) -> int:
    """Return the version of the tables in a database, 0 if there are none."""
    # Not to_regclass(): it answers from a cache, which taking the advisory lock does not refresh.
    there = conn.execute(
        "SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'nightsort' AND tablename = 'schema_version'"
    ).fetchone()
    if there is None:
        return 0
    row = conn.execute("SELECT max(version) FROM nightsort.schema_version").fetchone()
    return (row[0] if row else None) or 0


def _migrate(conn: psycopg.Connection[Any], found: int) -> None:
    for version, file in MIGRATIONS.items():
        if version > found:
            conn.execute(file.read_bytes())
            conn.execute("INSERT INTO nightsort.schema_version (version) VALUES (%s)", (version,))
            log.info("Migrated the schema nightsort to version %d: %s", version, file.stem)


def _check_encoding(conn: psycopg.Connection[Any]) -> None:
    encoding = conn.info.parameter_status("server_encoding")
    if encoding != ENCODING:
        raise DatabaseEncodingError(
            f"the database {conn.info.dbname} has the encoding {encoding}, which cannot store every text. "
            f"Create one with CREATE DATABASE … ENCODING '{ENCODING}' TEMPLATE template0, and connect to it"
        )


def _rights_remedy(conn: psycopg.Connection[Any], found: int, error: errors.InsufficientPrivilege) -> str:
    row = conn.execute(
        "SELECT current_user, current_database(), "
        "EXISTS (SELECT FROM pg_namespace WHERE nspname = 'nightsort')"
    ).fetchone()
    user, database, there = row or ("", "", False)
    message = error.diag.message_primary
    command = f'nightsort init-db "host=… dbname={database} user=…"'
    grants = (
        f"GRANT USAGE ON SCHEMA nightsort TO {user}; "
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA nightsort TO {user}"
    )
    if found:
        return (
            f"the database {database} has version {found} of the schema nightsort, this code needs "
            f"{SCHEMA_VERSION}, and {user} may not change it ({message}). Have the tables' owner run "
            f"{command}"
        )
    if there:
        return (
            f"{user} may not use the schema nightsort in {database} ({message}). Let its owner run {grants}"
        )
    return (
        f"the database {database} has no schema nightsort, and {user} may not create it ({message}). Either "
        f"run GRANT CREATE ON DATABASE {database} TO {user}, or have a role that may create it run "
        f"{command} and then {grants}"
    )
