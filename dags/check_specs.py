"""
Shows broken classifier specs as an import error of this file; makes no DAG.

A file with an import error loses all of its DAGs in Airflow. So the two files that make DAGs skip a broken
spec, and this file, which has no DAG to lose, says which specs are broken, where, and what to do.
"""

from __future__ import annotations

from nightsort_airflow.exceptions import BrokenSpecsError
from nightsort_airflow.spec_loading import dag_specs

errors = dag_specs().errors
if errors:
    raise BrokenSpecsError(errors)
