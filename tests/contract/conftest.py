from __future__ import annotations

import tests.airflow_environment  # noqa: F401 - before Airflow
