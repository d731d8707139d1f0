from __future__ import annotations

from airflow.sdk.definitions.deadline import BaseDeadlineReference

from nightsort_airflow.airflow_plugin import NightsortPlugin
from nightsort_airflow.deadlines import NightLoadedBy
from nightsort_airflow.operators.comprehend import ComprehendStartDocumentClassificationJobOperator


def test_the_api_server_knows_each_link_of_ours() -> None:
    """Airflow drops a link from a serialised DAG if neither a provider nor a plugin registers its class."""
    registered = {type(link) for link in NightsortPlugin.operator_extra_links}
    assert registered >= {
        type(link) for link in ComprehendStartDocumentClassificationJobOperator.operator_extra_links
    }


def test_the_scheduler_can_rebuild_the_deadline_of_a_night() -> None:
    assert NightLoadedBy in NightsortPlugin.deadline_references
    stored = NightLoadedBy("06:30", "Europe/Berlin").serialize_reference()
    (found,) = (cls for cls in NightsortPlugin.deadline_references if cls.__name__ == "NightLoadedBy")
    assert issubclass(found, BaseDeadlineReference)
    assert found.deserialize_reference(stored).serialize_reference() == stored
