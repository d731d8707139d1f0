"""A supervisord that forks Airflow's components from itself, so that their imports happen once.

A component in a new Python process needs 3 to 10 CPU seconds for imports, and in a new checkout four
components compile the same modules at the same time. On macOS each component starts in a new Python process,
because a fork of a process with system libraries may crash there.
"""

from __future__ import annotations

import asyncio
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
"""The signals that supervisord handles. A new program has their default handlers."""


def is_airflow(argv: Sequence[str]) -> bool:
    """Return whether a command line starts Airflow with this Python."""
    return list(argv[:3]) == [sys.executable, "-m", "airflow"]


def import_airflow() -> None:
    """Import what Airflow's components and tasks need. An import error appears in the component itself."""
    # setproctitle finds the command line in memory only before the environment is changed.
    getproctitle()
    # Airflow then loads its plugins on import, and ours imports what tasks need.
    os.environ[LAZY_PLUGINS] = "False"
    for name in MODULES:
        with suppress(Exception):
            import_module(name)
    del os.environ[LAZY_PLUGINS]
    # The garbage collector would write to, and so copy, the memory that the forks share.
    gc.collect()
    gc.freeze()


def make_task_routes() -> None:
    """Make the routes of the API for tasks, which takes seconds, for the forks that use it in their process.

    Otherwise the triggerer makes them when the first trigger ends. Any request makes them.
    """
    with suppress(Exception):
        import httpx
        from airflow.sdk.execution_time.supervisor import in_process_api_server

        async def ask() -> None:
            # Not by the API's own transport, whose thread would not survive a fork.
            transport = httpx.ASGITransport(in_process_api_server().app)
            async with httpx.AsyncClient(transport=transport, base_url="http://tasks") as client:
                await client.get("/")

        asyncio.run(ask())
    gc.collect()
    gc.freeze()


def run_airflow(argv: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Run ``python -m airflow`` in a new fork, and end the process.

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
        # Python does the same at its end, and so does `multiprocessing` at the end of a process.
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
    """Options of supervisord, with a fork in place of a new Python for Airflow."""

    _has_imported = False
    _has_routes = False

    def check_execv_args(self, filename: str, argv: Sequence[str], st: Any) -> None:
        """Check that the program can be started. Before the first component of Airflow, import Airflow."""
        super().check_execv_args(filename, argv, st)
        if FORKS and is_airflow(argv) and not self._has_imported:
            import_airflow()
            self._has_imported = True

    def get_signal(self) -> Any:
        """Return the next signal, as each round does. After Airflow's first fork, make the routes.

        The fork is the migration or the API server, which take longer than the routes, on another core.
        """
        if self._has_imported and not self._has_routes:
            self._has_routes = True
            make_task_routes()
        return super().get_signal()

    def execve(self, filename: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Run the program in this process, which was just forked."""
        if FORKS and is_airflow(argv):
            run_airflow(argv, env)
        super().execve(filename, argv, env)


def main() -> None:
    """Run supervisord."""
    supervisord.ServerOptions = Options
    supervisord.main()


if __name__ == "__main__":
    main()
