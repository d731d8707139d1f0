"""Settings under which nights go wrong, and what a task cannot know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nightsort_airflow.doctor.airflow_parts import airflow_checks_in_a_task
from nightsort_airflow.doctor.findings import State
from nightsort_airflow.doctor.run_checks import examine

if TYPE_CHECKING:
    from nightsort_airflow.doctor.findings import Finding

HEARTBEAT = "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"


def settings() -> Finding:
    found: Finding = examine(airflow_checks_in_a_task())[0]
    return found


def test_with_a_short_heartbeat_the_settings_are_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HEARTBEAT, "30")
    assert settings().state is State.OK
    assert "within 30 s" in settings().says


@pytest.mark.parametrize(
    ("name", "value", "state"),
    [
        (HEARTBEAT, "300", State.WARNING),
        ("AIRFLOW__CORE__MAX_MAP_LENGTH", "16", State.WARNING),
        ("AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX", "regexp", State.FAILED),
        ("NIGHTSORT_POLL_SECONDS", "often", State.FAILED),
    ],
)
def test_a_setting_that_harms_is_named_with_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, state: State
) -> None:
    monkeypatch.setenv(HEARTBEAT, "30")
    monkeypatch.setenv(name, value)
    found = settings()
    assert found.state is state
    assert (
        name.removeprefix("AIRFLOW__CORE__").removeprefix("AIRFLOW__SCHEDULER__").lower()
        in found.says.lower()
    )
    assert found.remedy


def test_a_task_says_that_it_cannot_see_the_pool_and_how_to_see_it() -> None:
    _, pool = examine(airflow_checks_in_a_task())
    assert pool.state is State.CANNOT_TELL
    assert "airflow pools get comprehend_jobs" in pool.remedy
