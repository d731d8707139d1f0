from __future__ import annotations

import pytest
from airflow.providers.postgres.hooks.postgres import PostgresHook

from nightsort_airflow.exceptions import DatabaseDriverError
from nightsort_airflow.hooks.database import NightsortDatabaseHook


class Psycopg2Connection:
    closed = False

    def close(self) -> None:
        self.closed = True


def test_a_connection_of_another_driver_is_refused_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Psycopg2Connection()
    monkeypatch.setattr(PostgresHook, "get_conn", lambda _: opened)
    with pytest.raises(DatabaseDriverError, match="Install SQLAlchemy 2 and psycopg 3"):
        NightsortDatabaseHook().connect().__enter__()
    assert opened.closed


def test_the_connection_that_specs_name_by_default_is_the_hooks_default() -> None:
    assert NightsortDatabaseHook.default_conn_name == "nightsort_db"
