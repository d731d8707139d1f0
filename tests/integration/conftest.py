"""What the tests here share: a real, embedded PostgreSQL, and a local AWS for each module."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from nightsort.tables.schema import ensure_schema
from nightsort_local.stack import LocalStack
from tests.integration.comprehend_answers import check_answers
from tests.integration.local_aws_server import LocalAwsServer, local_aws
from tests.integration.temporary_databases import temporary_database
from tests.made_nights import make_months

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nightsort_local.local_aws.control.client import LocalAwsControl


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
    with temporary_database(postgres_dsn) as dsn:
        yield dsn


@pytest.fixture
def database(empty_database: str) -> Iterator[psycopg.Connection[Any]]:
    """An open connection to a database of one test's own, with Nightsort's tables.

    Every statement is committed at once. ``empty_database`` is the connection string of the same database.
    """
    with psycopg.connect(empty_database, autocommit=True) as connection:
        ensure_schema(connection)
        yield connection


@pytest.fixture(scope="session")
def months(postgres_dsn: str) -> Iterator[str]:
    """A database with months of nights, as a connection string; no test writes to it."""
    with temporary_database(postgres_dsn) as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            ensure_schema(connection)
            make_months(connection)
        yield dsn


@pytest.fixture(scope="module", autouse=True)
def no_remembered_server() -> None:
    """Airflow remembers a connection's file system as long as a process lives; each module has a server."""
    if store := sys.modules.get("airflow.sdk.io.store"):
        store._STORE_CACHE.clear()


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAwsServer]:
    """A local AWS of the module's own."""
    with local_aws() as server:
        yield server


@pytest.fixture(scope="module")
def comprehend(aws: LocalAwsServer) -> Any:
    """A client of it, whose answers are held against the service model."""
    return check_answers(aws.client("comprehend"))


@pytest.fixture
def control(aws: LocalAwsServer) -> Iterator[LocalAwsControl]:
    """What injects faults; none is left after the test."""
    yield aws.control
    aws.control.clear()


@pytest.fixture
def slow(aws: LocalAwsServer) -> Iterator[Callable[..., object]]:
    """Sets delays; what waits at the test's end goes on at once."""
    yield lambda **delays: aws.control.set_behaviour(delays=delays)
    aws.control.set_behaviour(delays={"profile": "fast"})
