"""supervisord whose Airflow components are forks of it: what all of them import is imported once.

A component that starts with a Python of its own spends 3 to 10 seconds of a core on imports, and in a new
checkout four components compile the same modules at the same time. On macOS, where a fork of a process with
system libraries may crash, each component starts with a Python of its own.
"""

from __future__ import annotations

import atexit
import gc
import os
import runpy
import signal
import sys
import threading
import traceback
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from setproctitle import getproctitle, setproctitle
from supervisor import supervisord
from supervisor.options import ServerOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORKS = sys.platform == "linux"
MODULES = (
    "airflow",
    "airflow.api_fastapi.app",
    "airflow.api_fastapi.core_api.routes.public",
    "airflow.api_fastapi.core_api.routes.ui",
    "airflow.api_fastapi.execution_api.routes",
    "airflow.cli.cli_parser",
    "airflow.cli.commands.api_server_command",
    "airflow.cli.commands.dag_processor_command",
    "airflow.cli.commands.db_command",
    "airflow.cli.commands.scheduler_command",
    "airflow.cli.commands.triggerer_command",
    "airflow.dag_processing.manager",
    "airflow.executors.local_executor",
    "airflow.jobs.scheduler_job_runner",
    "airflow.jobs.triggerer_job_runner",
    "airflow.utils.db",
)
LAZY_PLUGINS = "AIRFLOW__CORE__LAZY_LOAD_PLUGINS"
SIGNALS = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGCHLD", "SIGUSR2")
"""Those that supervisord handles; a new program would find their defaults."""


def is_airflow(argv: Sequence[str]) -> bool:
    """Whether a command line starts Airflow with this Python."""
    return list(argv[:3]) == [sys.executable, "-m", "airflow"]


def import_airflow() -> None:
    """Import what Airflow's components and the tasks need; what cannot be imported fails in the component."""
    # Only before the environment is changed does it find where the command line lies in memory.
    getproctitle()
    # Airflow then loads its plugins at once, and ours imports what tasks need.
    os.environ[LAZY_PLUGINS] = "False"
    for name in MODULES:
        with suppress(Exception):
            import_module(name)
    del os.environ[LAZY_PLUGINS]
    # The collector would touch, and so copy, the memory that the forks share.
    gc.collect()
    gc.freeze()


def run_airflow(argv: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Be ``python -m airflow`` in a process that was just forked, and end it.

    :param argv: the whole command line.
    :param environment: all variables of the program.
    """
    os.environ.clear()
    os.environ.update(environment)
    for name in SIGNALS:
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    setproctitle(" ".join(argv))
    sys.argv = list(argv[2:])
    code = 1
    try:
        runpy.run_module("airflow", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ending:
        code = _exit_code(ending)
    except BaseException:
        traceback.print_exc()
    finally:
        # As at the end of every Python, and of every process of `multiprocessing`.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _exit_code(ending: SystemExit) -> int:
    if ending.code is None or isinstance(ending.code, int):
        return ending.code or 0
    print(ending.code, file=sys.stderr)
    return 1


class Options(ServerOptions):  # type: ignore[misc]
    """supervisord's options and system calls."""

    _has_imported = False

    def check_execv_args(self, filename: str, argv: Sequence[str], st: Any) -> None:
        """Look whether the program can be started; before Airflow's first component, import Airflow."""
        super().check_execv_args(filename, argv, st)
        if FORKS and is_airflow(argv) and not self._has_imported:
            import_airflow()
            self._has_imported = True

    def execve(self, filename: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Become the program, in a new process."""
        if FORKS and is_airflow(argv):
            run_airflow(argv, env)
        super().execve(filename, argv, env)


def main() -> None:
    """Be supervisord."""
    supervisord.ServerOptions = Options
    supervisord.main()


if __name__ == "__main__":
    main()
