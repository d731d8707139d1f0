"""Airflow's components are forks of supervisord, and behave as programs of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from nightsort_local import supervision
from nightsort_local.errors import StackError
from nightsort_local.home import REPOSITORY, Home
from nightsort_local.supervision import API_SERVER, MIGRATION, Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere components are no forks")

# In the place of Airflow: it says in which process it was imported.
IMPORTED = """
import os
print("imported in", os.getpid(), flush=True)
with open(os.environ["IMPORTS"], "a") as file:
    file.write(f"{os.getpid()}\\n")
"""
PROGRAM = """
import os, signal, sys
if sys.argv[1:] == ["db", "migrate"]:
    print("migrating with", os.environ["SUPERVISOR_PROCESS_NAME"], flush=True)
    sys.exit(3)
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
print("running", *sys.argv[1:], flush=True)
signal.pause()
"""


@contextmanager
def supervised(folder: Path, *, imported: str = IMPORTED, program: str = PROGRAM) -> Iterator[Home]:
    """A running supervisord that finds a stand-in for Airflow."""
    package = folder / "packages" / "airflow"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text(imported, encoding="utf-8")
    (package / "__main__.py").write_text(program, encoding="utf-8")
    home = Home(folder / "home")
    home.prepare()
    supervision.write_configuration(home, [API_SERVER], 5566)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(package.parent), str(REPOSITORY)]),
        "IMPORTS": str(folder / "imports"),
    }
    process = subprocess.Popen(
        supervision.supervisor_command(home), env=environment, cwd=home.root, start_new_session=True
    )
    try:
        Supervisor(home).wait_until_ready(process, 240)
        yield home
    finally:
        process.terminate()
        process.wait(240)


def wait_for(home: Home, program: str, text: str) -> None:
    """Wait until a program has written this."""
    log = home.logs / f"{program}.log"
    # The limit on the whole test ends a wait in vain.
    while not log.exists() or text not in log.read_text(encoding="utf-8"):
        time.sleep(0.02)


def test_airflow_is_imported_once_for_all_its_components(tmp_path: Path) -> None:
    with supervised(tmp_path) as home:
        supervisor = Supervisor(home)
        assert supervisor.run(MIGRATION) == 3
        supervisor.start([API_SERVER])
        wait_for(home, API_SERVER, "running api-server")
        component = psutil.Process(supervisor.states()[API_SERVER].pid)

        imports = (tmp_path / "imports").read_text(encoding="utf-8").split()
        assert imports == [str(component.ppid())]
        assert "migrating with migration" in (home.logs / f"{MIGRATION}.log").read_text(encoding="utf-8")
        assert " ".join(component.cmdline()).strip() == f"{sys.executable} -m airflow api-server"


ROUTES = """
import os
from airflow import note

async def app(scope, receive, send):
    note(f"routes {os.getpid()}")
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})

class Api:
    app = staticmethod(app)

def in_process_api_server():
    return Api
"""


def test_the_routes_for_tasks_are_made_once_after_the_first_fork(tmp_path: Path) -> None:
    module = tmp_path / "packages" / "airflow" / "sdk" / "execution_time" / "supervisor.py"
    module.parent.mkdir(parents=True)
    module.write_text(ROUTES, encoding="utf-8")
    noted = "import os\ndef note(text):\n    open(os.environ['IMPORTS'], 'a').write(text + chr(10))\n"
    with supervised(tmp_path, imported=noted) as home:
        supervisor = Supervisor(home)
        assert supervisor.run(MIGRATION) == 3
        supervisor.start([API_SERVER])
        wait_for(home, API_SERVER, "running api-server")
        parent = psutil.Process(supervisor.states()[API_SERVER].pid).ppid()
        assert (tmp_path / "imports").read_text(encoding="utf-8").split("\n")[:-1] == [f"routes {parent}"]


def test_what_cannot_be_imported_is_said_in_the_log_of_the_component(tmp_path: Path) -> None:
    with supervised(tmp_path, imported="raise ImportError('no such luck')") as home:
        assert Supervisor(home).run(MIGRATION) == 1
        wait_for(home, MIGRATION, "ImportError: no such luck")


# As on a busy machine: after its first fork supervisord goes on only when that program has ended.
LATE = """
import os
from supervisor import supervisord

reap = supervisord.Supervisor.reap

def late(self, *arguments, **options):
    if self.options.pidhistory:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        supervisord.Supervisor.reap = reap
    return reap(self, *arguments, **options)

supervisord.Supervisor.reap = late
"""


def test_a_program_that_ends_before_supervisord_looks_has_its_exit_code(tmp_path: Path) -> None:
    with supervised(tmp_path, imported=LATE) as home:
        assert Supervisor(home).run(MIGRATION) == 3


def test_a_component_that_ends_before_supervisord_looks_is_in_a_state_as_any_that_ends(
    tmp_path: Path,
) -> None:
    with supervised(tmp_path, imported=LATE, program="raise SystemExit('no such luck')") as home:
        supervisor = Supervisor(home)
        supervisor.start([API_SERVER])
        while (state := supervisor.states()[API_SERVER]).state != "FATAL":
            time.sleep(0.02)
        assert "Exited too quickly" in state.problem
        assert "no such luck" in (home.logs / f"{API_SERVER}.log").read_text(encoding="utf-8")


def test_a_program_that_never_ran_has_no_exit_code(tmp_path: Path) -> None:
    refused = (
        "import errno, os\n"
        "from supervisor.options import ServerOptions\n"
        "def fork(self):\n"
        "    raise OSError(errno.EAGAIN, 'no process')\n"
        "ServerOptions.fork = fork\n"
    )
    with (
        supervised(tmp_path, imported=refused) as home,
        pytest.raises(StackError, match=r"migration could not be started .*Too many processes"),
    ):
        Supervisor(home).run(MIGRATION)


def test_a_component_ends_by_the_signal_that_stops_it(tmp_path: Path) -> None:
    with supervised(tmp_path) as home:
        supervisor = Supervisor(home)
        supervisor.start([API_SERVER])
        wait_for(home, API_SERVER, "running api-server")
        component = psutil.Process(supervisor.states()[API_SERVER].pid)
        supervisor.stop([API_SERVER])

        assert not component.is_running()
