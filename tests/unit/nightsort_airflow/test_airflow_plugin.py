from __future__ import annotations

from nightsort_airflow.airflow_plugin import NightsortPlugin


def test_the_plugin_is_called_nightsort_and_knows_the_links() -> None:
    assert NightsortPlugin.name == "nightsort"
    assert [link.name for link in NightsortPlugin.operator_extra_links] == ["Classification Job"]
