"""
Import everything that Nightsort's tasks need in the process that they are forked from.

A task's process is a fork of the scheduler (LocalExecutor) or of a Celery worker, and finds what its parent
has imported. Otherwise each task spends a second of a core on importing Nightsort, pyarrow, botocore and
s3fs. ``airflow_plugin.py`` calls this where ``[core] lazy_load_plugins`` is False, because only then does
Airflow load plugins when a process starts.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from pkgutil import walk_packages

import pyarrow as pa

import nightsort
import nightsort_airflow

# Skip the CLI modules and this plugin's own entry point.
_LEFT_OUT = ("__main__", "cli", "airflow_plugin")
_LIBRARIES = ("airflow.providers.amazon.aws.fs.s3", "airflow.providers.postgres.hooks.postgres", "s3fs")


def preload() -> None:
    """Import all modules of Nightsort, and the libraries that Airflow imports when they are first used."""
    for package in (nightsort_airflow, nightsort):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.rpartition(".")[2] not in _LEFT_OUT:
                import_module(module.name)
    for name in _LIBRARIES:
        import_module(name)
    # pyarrow imports pandas, where it is installed, when it makes its first array.
    pa.array([])
    # The Amazon provider's hooks inspect the stack to name their caller in the user agent. The first time,
    # Python asks each module for its file: 0.15 s of a core.
    inspect.stack()
