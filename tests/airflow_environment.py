"""Airflow as the tests see it: a home of its own, this checkout's folders, no way out to AWS.

Import it before anything of Airflow: Airflow reads its configuration when it is first imported.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLE_SPECS = ROOT / "nightsort_local" / "samples"

STORED_DAGS = """
from airflow.utils.db import initdb
initdb()
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
DagBundlesManager().sync_bundles_to_db()
bag = DagBag()
assert not bag.import_errors, bag.import_errors
sync_bag_to_db(bag, "dags-folder", None)
"""
"""The beginning of a script for a process with an Airflow of its own: its database, all DAGs as ``bag``."""

if "NIGHTSORT_TEST_AIRFLOW_HOME" not in os.environ:
    home = tempfile.mkdtemp(prefix="nightsort-airflow-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ.update(
        {
            "NIGHTSORT_TEST_AIRFLOW_HOME": home,
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    )
