from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import CronDataIntervalTimetable

from nightsort_airflow import dag_parts
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from pathlib import Path


def test_the_timetable_is_the_specs(tmp_path: Path) -> None:
    assert dag_parts.timetable(local_spec(tmp_path)) is None
    spec = local_spec(tmp_path, schedule="0 22 * * *", timezone="America/New_York")
    assert dag_parts.timetable(spec) == CronDataIntervalTimetable("0 22 * * *", timezone="America/New_York")
