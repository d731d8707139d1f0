"""Creates the tables, once, whoever comes first."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
"""The version of the tables that this code works with."""

_SCHEMA_FILE = Path(__file__).with_name("schema.sql")
_LOCK = 0x6E69676874736F72
"""Key of the advisory lock that keeps two from creating the tables at once ("nightsor")."""


class SchemaVersionError(RuntimeError):
    """The database has tables of another version than this code: which, and what to do."""


def ensure_schema(conn: psycopg.Connection[Any]) -> None:
    """Create the schema ``nightsort`` with its tables if it is not there.

    Where it is, this is one look-up, so every task may call it. Several at once wait for the first.

    :param conn: needs the right to create schemas in its database only if the tables are not there yet.
    :raises SchemaVersionError: the tables are of another version.
    """
    with conn.transaction():
        found = _applied_version(conn)
        if found is None:
            conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            found = _applied_version(conn)
        if found is None:
            conn.execute(_SCHEMA_FILE.read_bytes())
            conn.execute("INSERT INTO nightsort.schema_version (version) VALUES (%s)", (SCHEMA_VERSION,))
            log.info("Created the schema nightsort, version %d", SCHEMA_VERSION)
            return
    if found != SCHEMA_VERSION:
        remedy = "the newer code everywhere" if found > SCHEMA_VERSION else "a release that migrates it"
        raise SchemaVersionError(
            f"the database has version {found} of the schema nightsort, this code needs {SCHEMA_VERSION}. "
            f"Deploy {remedy}"
        )


def _applied_version(conn: psycopg.Connection[Any]) -> int | None:
    # Not to_regclass(): it answers from a cache, which taking the advisory lock does not refresh.
    there = conn.execute(
        "SELECT FROM pg_catalog.pg_tables WHERE schemaname = 'nightsort' AND tablename = 'schema_version'"
    ).fetchone()
    if there is None:
        return None
    row = conn.execute("SELECT max(version) FROM nightsort.schema_version").fetchone()
    return row[0] if row else None
