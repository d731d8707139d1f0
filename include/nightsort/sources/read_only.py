"""Cursors of a query that can read and nothing else, and what a database says about a query."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg

from nightsort.sources.source_files import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

CURSOR_NAME: Final = "nightsort_documents"

_SQLITE_READS: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)

_ANOTHER_TIME: Final = ("08", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE that say nothing about the query: network, other transactions, a server that is full.
https://www.postgresql.org/docs/current/errcodes-appendix.html"""

_WITH_VALUES: Final = ("22", "23", "P0")
"""Classes whose message may quote a value of a row, which may be a document's text."""

_READ_ONLY_TRANSACTION: Final = "25006"


def check_driver(connection: Any) -> None:
    """Refuse a database that cannot be kept from writing.

    :param connection: an open DBAPI connection.
    :raises SourceError: it is neither of psycopg 3 nor of SQLite.
    """
    if isinstance(connection, (psycopg.Connection, sqlite3.Connection)):
        return
    driver = type(connection).__module__.partition(".")[0]
    remedy = (
        "install psycopg 3 and SQLAlchemy 2, so that Airflow's Postgres provider uses them"
        if driver.startswith("psycopg2")
        else "export the rows to files (uri and format), or copy them to PostgreSQL"
    )
    raise SourceError(
        "a query is read in a read-only transaction, through psycopg 3 (PostgreSQL) or SQLite, but its "
        f"connection uses {driver}; {remedy}"
    )


def read_only_cursor(connection: Any) -> Any:
    """Return a cursor with which a query can change nothing.

    PostgreSQL gets one statement, in a transaction that is read-only and cannot be made otherwise once its
    cursor is declared (https://www.postgresql.org/docs/current/sql-set-transaction.html). SQLite gets an
    authorizer that allows reading alone (https://www.sqlite.org/c3ref/set_authorizer.html).

    :param connection: an open DBAPI connection, in no transaction.
    :returns: a cursor on the server, where the database has one.
    :raises SourceError: the driver is another one.
    """
    check_driver(connection)
    if isinstance(connection, psycopg.Connection):
        connection.read_only = True
        return connection.cursor(name=CURSOR_NAME)
    connection.set_authorizer(
        lambda action, *_: sqlite3.SQLITE_OK if action in _SQLITE_READS else sqlite3.SQLITE_DENY
    )
    return connection.cursor()


@contextmanager
def query_errors() -> Iterator[None]:
    """Turn what a database says about a query into an error for its author, without values of rows.

    A lost connection and the like stay as they are: another try may help.

    :raises SourceError: the query cannot be run, or it would write.
    """
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate
        if state is None or state.startswith(_ANOTHER_TIME):
            raise
        said = error.diag.message_primary or type(error).__name__
        if state.startswith(_WITH_VALUES):
            said = f"{type(error).__name__} (SQLSTATE {state}; its text may quote a document)"
        raise _refused(said, writes=state == _READ_ONLY_TRANSACTION) from None
    except sqlite3.OperationalError:  # locked, for instance
        raise
    except sqlite3.Error as error:
        raise _refused(str(error), writes="authoriz" in str(error)) from None


def _refused(said: str, *, writes: bool) -> SourceError:
    remedy = "a source may only read; write one SELECT that changes nothing" if writes else "correct sql"
    return SourceError(f"the query was refused by its database: {said}; {remedy}")
