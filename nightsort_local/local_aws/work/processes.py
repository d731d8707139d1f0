"""Processes that begin with everything imported: forked from one process that has scikit-learn.

Its imports take some two seconds of CPU. So they are done once and not in each worker, and while the server
imports moto.
"""

from __future__ import annotations

import multiprocessing
import shutil
from multiprocessing import forkserver, util
from typing import Final

CONTEXT: Final = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["nightsort_local.local_aws.work.worker_tasks", "nightsort_local.local_aws.work.real_time_models"]
)


def begin_imports() -> None:
    """Start the process and its imports. Else the first process that is started does so."""
    forkserver.ensure_running()


def remove_socket_folder() -> None:
    """Remove the folder of the socket to that process, in a process that outlives a killed server."""
    shutil.rmtree(util.get_temp_dir(), ignore_errors=True)
