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
SAMPLE_SPECS = ROOT / "include" / "classifiers"

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
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    )
