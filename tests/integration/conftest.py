"""A real, embedded PostgreSQL: started once for all tests here, a fresh database for each that asks."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from include.local_stack.stack import LocalStack
from include.nightsort.tables.schema import ensure_schema

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """The server, as a connection string of its database ``postgres``."""
    with tempfile.TemporaryDirectory(prefix="ns-pg-") as folder:
        stack = LocalStack(Path(folder) / "home", components=["postgres"], first_slot=70)
        stack.up()
        try:
            environment = stack.environment()
            yield make_conninfo(host=environment["PGHOST"], user=environment["PGUSER"], dbname="postgres")
        finally:
            stack.remove()


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
