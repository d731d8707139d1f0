"""Connections to Nightsort's tables that can only read, never wait for long, and are few."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
from sqlalchemy.pool import QueuePool

from nightsort_airflow.hooks.database import NightsortDatabaseHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE_SECONDS: Final = 5
"""How long a statement of a page may take."""

DOWNLOAD_SECONDS: Final = 900
"""How long a download may read: ten million predictions take minutes."""

_POOLED: Final = 2
_MOST: Final = 4
_LOCK_SECONDS: Final = 1
_WAIT_SECONDS: Final = 2
"""How long a page waits for a connection: meanwhile it keeps one of the API server's threads."""

_OLDEST_SECONDS: Final = 600


class Tables:
    """
    Nightsort's tables in the databases of the Airflow connections that the specs name.

    :param connect: opens a connection to the database of an Airflow connection.
    """

    def __init__(self, connect: Callable[[str], psycopg.Connection[Any]] | None = None) -> None:
        self._connect = connect or _by_airflow
        self._pools: dict[str, QueuePool] = {}
        self._lock = threading.Lock()

    @contextmanager
    def reading(self, conn_id: str) -> Iterator[psycopg.Connection[Any]]:
        """
        Yield a connection for the queries of one page; all are one snapshot of the tables.

        :param conn_id: the Airflow connection.
        """
        borrowed = _alive(self._pool(conn_id))
        try:
            yield borrowed.driver_connection
        except psycopg.OperationalError as error:
            # A statement that took too long leaves a good connection; a lost server does not.
            if not isinstance(error, (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)):
                borrowed.invalidate()
            raise
        finally:
            borrowed.close()

    def _pool(self, conn_id: str) -> QueuePool:
        def connect() -> Any:
            return self.open(conn_id, PAGE_SECONDS)

        with self._lock:
            if conn_id not in self._pools:
                self._pools[conn_id] = QueuePool(
                    connect,
                    pool_size=_POOLED,
                    max_overflow=_MOST - _POOLED,
                    timeout=_WAIT_SECONDS,
                    recycle=_OLDEST_SECONDS,
                )
            return self._pools[conn_id]

    def open(self, conn_id: str, seconds: int) -> psycopg.Connection[Any]:
        """
        Open a connection that can only read.

        :param conn_id: the Airflow connection.
        :param seconds: how long a statement may take.
        """
        connection = self._connect(conn_id)
        connection.autocommit = False
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        settings = {
            "application_name": "nightsort pages",
            "statement_timeout": f"{seconds}s",
            "lock_timeout": f"{_LOCK_SECONDS}s",
            "idle_in_transaction_session_timeout": f"{max(seconds, 60)}s",
        }
        for name, value in settings.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        connection.commit()
        return connection


def _alive(pool: QueuePool) -> Any:
    """Borrow a connection; one whose server was started anew in the meantime is thrown away."""
    for _ in range(_MOST):
        borrowed = pool.connect()
        try:
            borrowed.driver_connection.execute("SELECT")  # type: ignore[union-attr]  # it is a psycopg connection
        except psycopg.OperationalError:
            borrowed.invalidate()
            borrowed.close()
        else:
            return borrowed
    return pool.connect()


def _by_airflow(conn_id: str) -> psycopg.Connection[Any]:
    return NightsortDatabaseHook(postgres_conn_id=conn_id).open()
