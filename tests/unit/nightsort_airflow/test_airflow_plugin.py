from __future__ import annotations

from nightsort_airflow.airflow_plugin import NightsortPlugin
from nightsort_airflow.deadlines import NightLoadedBy
from nightsort_airflow.operators.classification_job import ComprehendStartDocumentClassificationJobOperator


def test_the_plugin_is_called_nightsort_and_knows_the_deadline() -> None:
    assert NightsortPlugin.name == "nightsort"
    assert NightsortPlugin.deadline_references == [NightLoadedBy]


def test_the_operator_names_its_link_and_the_plugin_does_not_name_it_again() -> None:
    links = ComprehendStartDocumentClassificationJobOperator.operator_extra_links
    assert [link.name for link in links] == ["Classification Job"]
    assert not NightsortPlugin.operator_extra_links
