"""Import everything that Nightsort's tasks need, in a process that they are forked from.

A task's process is a fork of the scheduler (LocalExecutor) or of a Celery worker. What those have imported it
finds there; else each task spends a second of a core on importing Nightsort, pyarrow, botocore, s3fs.
Airflow loads plugins at the start of a process where ``[core] lazy_load_plugins`` is False: that is when this
is done, see ``airflow_plugin.py``.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from pkgutil import walk_packages

import pyarrow as pa

import nightsort
import nightsort_airflow

# Commands are no part of tasks, and the plugin is who asks for this.
_LEFT_OUT = ("__main__", "cli", "airflow_plugin")
_LIBRARIES = ("airflow.providers.amazon.aws.fs.s3", "airflow.providers.postgres.hooks.postgres", "s3fs")


def preload() -> None:
    """Import all modules of Nightsort, and the libraries that Airflow imports only when they are used."""
    for package in (nightsort_airflow, nightsort):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.rpartition(".")[2] not in _LEFT_OUT:
                import_module(module.name)
    for name in _LIBRARIES:
        import_module(name)
    # pyarrow imports pandas, where it is installed, when it makes its first array.
    pa.array([])
    # The hooks of the Amazon provider look for their caller, to name it in the user agent. For that, Python
    # asks each module for its file once in a process, and remembers it: 0.15 s of a core.
    inspect.stack()
