from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from airflow.sdk import CronDataIntervalTimetable

from nightsort_airflow import dag_parts
from nightsort_airflow.timetables import EveryDayTimetable
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from pathlib import Path


def test_the_timetable_is_the_specs(tmp_path: Path) -> None:
    assert dag_parts.timetable(local_spec(tmp_path)) is None
    spec = local_spec(tmp_path, schedule="0 22 * * *", timezone="America/New_York")
    assert dag_parts.timetable(spec) == CronDataIntervalTimetable("0 22 * * *", timezone="America/New_York")


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("in/{day}/", EveryDayTimetable),
        ("in/{day:%Y-%m}/", CronDataIntervalTimetable),
        ("in/", CronDataIntervalTimetable),
    ],
)
def test_a_schedule_that_leaves_days_out_makes_a_run_for_each_day_with_documents_of_its_own(
    tmp_path: Path, uri: str, kind: type
) -> None:
    incoming = {"uri": f"{tmp_path}/{uri}", "format": "lines"}
    assert type(dag_parts.timetable(local_spec(tmp_path, schedule="@monthly", incoming=incoming))) is kind


def test_a_param_is_there_where_it_can_be_used(tmp_path: Path) -> None:
    query = {"sql": "SELECT id, text FROM t WHERE d = '{day:%Y%m%d}'", "conn_id": "db", "id_column": "id"}
    fixed = {"uri": "s3://bucket/in/", "format": "lines", "by_hand": ["s3://archive/mail"]}
    of_query, of_files = (local_spec(tmp_path, incoming=source).incoming for source in (query, fixed))

    assert (set(dag_parts.day_params(of_query)), set(dag_parts.source_uri_params(of_query))) == (
        {"day"},
        set(),
    )
    assert dag_parts.day_params(of_files) == {}
    param = dag_parts.source_uri_params(of_files)["source_uri"]
    assert "below s3://bucket/in/ or s3://archive/mail," in (param.description or "")
