"""A PostgreSQL of a benchmark's own, with Nightsort's tables: the local stack's, with its settings."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from nightsort.tables.schema import ensure_schema
from nightsort_local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

DATABASE = "benchmark"


@contextmanager
def postgres(folder: Path) -> Iterator[Mapping[str, str]]:
    """Start the server and give the environment in which ``psycopg.connect()`` finds its tables.

    :param folder: of its own; the path of the socket in it must stay below 107 bytes.
    """
    stack = LocalStack(folder / "home", components=["postgres"])
    stack.up()
    try:
        server = stack.environment()
        host, user = server["PGHOST"], server["PGUSER"]
        with psycopg.connect(host=host, user=user, dbname="postgres", autocommit=True) as conn:
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
            # A vacuum of what one run left would be in the next one's time, and TRUNCATE would wait for it.
            conn.execute("ALTER SYSTEM SET autovacuum_naptime = '1h'")
            conn.execute("SELECT pg_reload_conf()")
        with psycopg.connect(host=host, user=user, dbname=DATABASE) as conn:
            ensure_schema(conn)
        yield {"PGHOST": host, "PGUSER": user, "PGDATABASE": DATABASE}
    finally:
        stack.remove()
