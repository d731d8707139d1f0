"""What a process that tasks are forked from has imported at its start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NEEDED_BY_TASKS = [
    "nightsort.batches.prepare",
    "nightsort.tables.load",
    "nightsort_airflow.hooks.storage",
    "nightsort_airflow.operators.training",
    "nightsort_airflow.sensors.comprehend",
    "airflow.providers.amazon.aws.fs.s3",
    "pyarrow.parquet",
    "s3fs",
]
STARTED = f"""
import inspect, json, sys
import nightsort_airflow.airflow_plugin
print(json.dumps("s3fs" in inspect.modulesbyfile.values()))
print(json.dumps([name for name in {NEEDED_BY_TASKS} if name in sys.modules]))
"""


@pytest.mark.parametrize(
    ("lazy", "imported"),
    [pytest.param("False", NEEDED_BY_TASKS, id="at the start"), pytest.param("True", [], id="when used")],
)
def test_plugins_that_are_loaded_at_the_start_import_all_that_tasks_need(
    lazy: str, imported: list[str], tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LAZY_LOAD_PLUGINS": lazy,
        # Airflow itself would load the plugin too, as it does in a deployment.
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(tmp_path),
    }
    started = subprocess.run(
        [sys.executable, "-c", STARTED], env=environment, capture_output=True, text=True, check=True
    )
    *_, looked_up, found = map(json.loads, started.stdout.splitlines()[-2:])
    assert found == imported
    assert looked_up == bool(imported), "whether Python knows the modules' files"
