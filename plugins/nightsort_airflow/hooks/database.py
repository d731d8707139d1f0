"""The hook for the PostgreSQL database that holds Nightsort's tables."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from airflow.providers.postgres.hooks.postgres import PostgresHook

from nightsort_airflow.exceptions import DatabaseDriverError

if TYPE_CHECKING:
    from collections.abc import Iterator


class NightsortDatabaseHook(PostgresHook):
    """
    Open psycopg 3 connections from an Airflow connection of type ``postgres``.

    It takes everything that Airflow's own Postgres hook takes: a host name or the folder of a unix socket;
    ``sslmode``, ``options`` and the other libpq parameters in the extra; ``iam`` for RDS.

    :param postgres_conn_id: The Airflow connection; ``db_conn_id`` in a classifier spec.
    """

    default_conn_name = "nightsort_db"

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection[Any]]:
        """
        Open a connection and close it at the end. The caller handles transactions.

        :raises DatabaseDriverError: when the provider uses psycopg 2, which lacks the COPY that is used here.
        """
        connection = self.open()
        try:
            yield connection
        finally:
            connection.close()

    def open(self) -> psycopg.Connection[Any]:
        """
        Open a connection, which the caller closes.

        :raises DatabaseDriverError: when the provider uses psycopg 2, which lacks the COPY that is used here.
        """
        connection = self.get_conn()
        if isinstance(connection, psycopg.Connection):
            return connection
        connection.close()
        raise DatabaseDriverError(
            "Install SQLAlchemy 2 and psycopg 3: the Postgres provider opened a psycopg 2 connection."
        )
