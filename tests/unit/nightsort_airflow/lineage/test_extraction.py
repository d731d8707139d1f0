from __future__ import annotations

import subprocess
import sys

from airflow.providers.openlineage.extractors.base import (
    OL_METHOD_NAME_COMPLETE,
    OL_METHOD_NAME_START,
    DefaultExtractor,
)
from airflow.providers.openlineage.extractors.manager import ExtractorManager

from nightsort_airflow.lineage.extraction import WithLineage
from nightsort_airflow.operators.classification import PrepareBatchesOperator
from nightsort_airflow.sensors.comprehend import ComprehendDocumentClassifierTrainedSensor
from tests.unit.nightsort_airflow.lineage.test_of_operators import SPEC

# What a deployment without the provider has: neither it, but for its entry in the list of providers, nor
# OpenLineage's client.
WITHOUT_PROVIDER = """
import sys
class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        provider = name.startswith("airflow.providers.openlineage.") and not name.endswith("provider_info")
        if provider or name.partition(".")[0] == "openlineage":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, NotInstalled())
from tests.contract.plugin_package import module_files, module_name
import importlib
for path in module_files():
    importlib.import_module(module_name(path))
from nightsort_airflow.lineage.of_operators import lineage_of
from tests.unit.nightsort_airflow.lineage.test_of_operators import SPEC
from nightsort_airflow.operators.classification import PrepareBatchesOperator
assert lineage_of(PrepareBatchesOperator(task_id="prepare", spec=SPEC)).outputs
"""


def test_the_provider_finds_the_methods_of_an_operator_and_gets_what_it_asks_for() -> None:
    operator = PrepareBatchesOperator(task_id="prepare", spec=SPEC)
    manager = ExtractorManager()  # type: ignore[no-untyped-call]
    assert manager.get_extractor_class(operator) is DefaultExtractor
    for method in (OL_METHOD_NAME_START, OL_METHOD_NAME_COMPLETE):
        assert getattr(WithLineage, method)
    told = DefaultExtractor(operator).extract()
    assert told is not None
    assert [dataset.name for dataset in told.inputs] == ["incoming"]


def test_a_sensor_reads_and_writes_nothing() -> None:
    assert not issubclass(ComprehendDocumentClassifierTrainedSensor, WithLineage)


def test_without_the_provider_everything_is_imported_and_works() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_PROVIDER], check=True)
