"""Airflow finds the plugin, and with it what only a plugin can bring."""

from __future__ import annotations

from airflow.plugins_manager import (
    get_deadline_references_plugins,
    get_import_errors,
    get_timetables_plugins,
)

from nightsort_airflow.airflow_plugin import NightsortPlugin
from nightsort_airflow.operators.comprehend import ComprehendStartDocumentClassificationJobOperator


def test_airflow_knows_the_deadline() -> None:
    assert [name for name in get_deadline_references_plugins() if name.endswith("NightLoadedBy")]
    assert get_import_errors() == {}


def test_airflow_knows_the_timetable() -> None:
    assert [name for name in get_timetables_plugins() if name.endswith("timetables.EveryDayTimetable")]


def test_the_operator_names_its_links_and_the_plugin_does_not_name_them_again() -> None:
    links = ComprehendStartDocumentClassificationJobOperator.operator_extra_links
    assert [link.name for link in links] == ["Job in the AWS console", "Output in S3"]
    assert not NightsortPlugin.operator_extra_links
