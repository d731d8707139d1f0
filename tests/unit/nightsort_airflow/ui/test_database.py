"""The real database is in tests/integration/test_ui_databases.py; here is what needs none."""

from __future__ import annotations

import psycopg
import pytest

from nightsort_airflow.ui.database import Tables


def test_a_database_that_is_not_there_is_an_error_at_once() -> None:
    asked = []

    def connect(conn_id: str) -> psycopg.Connection[object]:
        asked.append(conn_id)
        raise psycopg.OperationalError("not there")

    with pytest.raises(psycopg.OperationalError), Tables(connect).reading("my_db"):
        pass
    assert asked == ["my_db"]
