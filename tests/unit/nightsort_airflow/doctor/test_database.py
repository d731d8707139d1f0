"""A database that cannot be reached is told with what to do, and without its password."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nightsort_airflow.doctor.database import database_checks
from nightsort_airflow.doctor.findings import State
from nightsort_airflow.doctor.run_checks import examine

if TYPE_CHECKING:
    import pytest

    from nightsort_airflow.doctor.findings import Finding


def look() -> tuple[Finding, list[Finding]]:
    first, *others = examine(database_checks("doctor_db"))
    return first, others


def test_a_connection_that_is_not_there_comes_with_what_makes_it() -> None:
    connection, others = look()
    assert (connection.state, connection.says) == (State.FAILED, "there is no such connection")
    assert "airflow connections import FILE" in connection.remedy
    assert "AIRFLOW_CONN_DOCTOR_DB" in connection.remedy
    assert {finding.state for finding in others} == {State.CANNOT_TELL}


def test_a_connection_of_another_type_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DOCTOR_DB", "mysql://user:canary-55@db.example.com/tables")
    connection, _ = look()
    assert (connection.state, connection.says) == (State.FAILED, "is of the type mysql")


def test_a_server_that_is_not_there_is_told_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"conn_type": "postgres", "host": "127.0.0.1", "port": 9, "login": "u", "password": "canary-55"}
    monkeypatch.setenv("AIRFLOW_CONN_DOCTOR_DB", json.dumps(told))
    connection, _ = look()
    assert connection.state is State.FAILED
    assert "refused" in connection.says
    assert "canary-55" not in connection.says + connection.remedy
