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

    Everything that Airflow's own Postgres hook understands works here: a host name, or in its place the
    folder of a unix socket; ``sslmode``, ``options`` and the other libpq parameters in the extra; ``iam`` for
    RDS.

    :param postgres_conn_id: The Airflow connection; ``db_conn_id`` in a classifier spec.
    """

    default_conn_name = "nightsort_db"

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection[Any]]:
        """
        Open a connection and close it at the end; transactions are the caller's.

        :raises DatabaseDriverError: when the provider uses psycopg 2, which the tables' COPY does not know.
        """
        connection = self.get_conn()
        try:
            if not isinstance(connection, psycopg.Connection):
                raise DatabaseDriverError(
                    "The Postgres provider opened a psycopg 2 connection: install SQLAlchemy 2 and psycopg 3."
                )
            yield connection
        finally:
            connection.close()
