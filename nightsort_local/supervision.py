"""The processes of the stack under supervisord: their configuration, their states, and their end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xmlrpc.client import Fault, ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport

from nightsort_local import postgres
from nightsort_local.errors import StackError, StillStartingError
from nightsort_local.home import State, write_private
from nightsort_local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from nightsort_local.home import Home
    from nightsort_local.ports import PortClaim

POSTGRES = "postgres"
LOCAL_AWS = "local_aws"
API_SERVER = "api-server"
AIRFLOW = (API_SERVER, "scheduler", "dag-processor", "triggerer")
COMPONENTS = (POSTGRES, LOCAL_AWS, *AIRFLOW)
"""All components; each depends only on those before it."""

MIGRATION = "migration"
"""Creates or migrates Airflow's tables, and ends."""
PARENTS = ("scheduler", "dag-processor")
TRIGGERER = "triggerer"
TRIGGERER_PATIENCE = 2
ENDED = ("STOPPED", "EXITED", "FATAL")

LOG_BYTES = 10_000_000
LOG_BACKUPS = 3
STOP_SECONDS = {POSTGRES: 20, LOCAL_AWS: 5}
AIRFLOW_STOP_SECONDS = 8


@dataclass(frozen=True)
class ComponentState:
    """The state of one process in supervisord."""

    name: str
    state: str
    """``RUNNING``, ``STARTING``, ``STOPPED``, ``BACKOFF`` (ended, is restarted), ``FATAL`` (always ends)."""
    pid: int
    started: float
    """Seconds since the epoch."""
    problem: str

    @property
    def is_running(self) -> bool:
        """Whether the process exists."""
        return self.state in ("RUNNING", "STARTING")


def commands(home: Home, aws_port: int) -> dict[str, list[str]]:
    """Return the command line of each component."""
    airflow = [sys.executable, "-m", "airflow"]
    return {
        POSTGRES: postgres.server_command(home),
        LOCAL_AWS: [
            sys.executable, "-m", "nightsort_local.local_aws",
            "--host", LOOPBACK, "--port", str(aws_port), "--data", str(home.local_aws_data), "--check-keys",
        ],
        API_SERVER: [*airflow, "api-server"],
        # All components read task logs from one folder, so no log server is needed.
        "scheduler": [*airflow, "scheduler", "--skip-serve-logs"],
        "dag-processor": [*airflow, "dag-processor"],
        "triggerer": [*airflow, "triggerer", "--skip-serve-logs"],
        MIGRATION: [*airflow, "db", "migrate"],
    }  # fmt: skip


def write_configuration(home: Home, components: Iterable[str], aws_port: int) -> None:
    """Write supervisord's configuration. No program starts by itself: the stack starts them in order.

    :param home: the state folder.
    :param components: the components to include.
    :param aws_port: the port of the local AWS.
    """
    sections = [
        "[supervisord]",
        "nodaemon=true",
        "silent=true",
        # Relative to the home, its working directory: in some settings it expands percent signs twice.
        "logfile=logs/supervisord.log",
        "logfile_maxbytes=1MB",
        "logfile_backups=1",
        "pidfile=supervisord.pid",
        "childlogdir=logs",
        "umask=077",
        "",
        "[unix_http_server]",
        f"file={_escaped(home.supervisor_socket)}",
        "chmod=0600",
        "",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    ]
    wanted = {*components, MIGRATION}
    for name, command in commands(home, aws_port).items():
        if name not in wanted:
            continue
        sections += [
            "",
            f"[program:{name}]",
            f"command={_escaped(' '.join(map(_quoted, command)))}",
            "autostart=false",
            # Tasks are forks of the scheduler, and DAG files are parsed in forks of the processor. They need
            # not import again what these two imported at their start.
            *(['environment=AIRFLOW__CORE__LAZY_LOAD_PLUGINS="False"'] if name in PARENTS else []),
            f"autorestart={str(name != MIGRATION).lower()}",
            f"startsecs={0 if name == MIGRATION else 2}",
            "startretries=3",
            # The signal goes to the leader, which ends its workers; then the whole process group is killed.
            f"stopsignal={'INT' if name == POSTGRES else 'TERM'}",
            f"stopwaitsecs={STOP_SECONDS.get(name, AIRFLOW_STOP_SECONDS)}",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile=logs/{name}.log",
            f"stdout_logfile_maxbytes={LOG_BYTES}",
            f"stdout_logfile_backups={LOG_BACKUPS}",
        ]
    write_private(home.supervisor_configuration, "\n".join(sections) + "\n")


def _escaped(value: object) -> str:
    """Keep supervisord from reading a percent sign as the start of an expansion."""
    return str(value).replace("%", "%%")


def _quoted(argument: str) -> str:
    """Quote for the `shlex.split` that supervisord applies to a command."""
    return '"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"'


def supervisor_process(state: State) -> psutil.Process | None:
    """Return the supervisor that the state names; None if that process has ended."""
    if state.supervisor_pid is None or state.supervisor_started is None:
        return None
    try:
        process = psutil.Process(state.supervisor_pid)
        same = abs(process.create_time() - state.supervisor_started) < 1
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def end_lost_supervisors(home: Home, state: State) -> int:
    """End supervisors of this home that its state does not name, because the folder was deleted.

    :param home: the state folder.
    :param state: its state.
    :returns: the number of supervisors that were found.
    """
    lost = [
        process
        for process in psutil.process_iter()
        if process.pid != state.supervisor_pid and _is_supervisor_of(process, home)
    ]
    for process in lost:
        session = State(supervisor_pid=process.pid, supervisor_started=process.create_time())
        # It stops its components in order before it ends.
        end([process], patience=sum(STOP_SECONDS.values()) + AIRFLOW_STOP_SECONDS)
        end(stragglers(session), patience=5)
    return len(lost)


def _is_supervisor_of(process: psutil.Process, home: Home) -> bool:
    try:
        # A fork has its supervisor's command line until it starts its program, but leads no session.
        leads = os.getsid(process.pid) == process.pid
        return leads and process.cmdline()[1:] == supervisor_command(home)[1:]
    except (psutil.Error, OSError):
        return False


def supervisor_command(home: Home) -> list[str]:
    """Return the command line of supervisord, which differs between homes."""
    return [sys.executable, "-m", "nightsort_local.supervisord", "-c", str(home.supervisor_configuration)]


def start_supervisor(home: Home, environment: Mapping[str, str], claim: PortClaim) -> subprocess.Popen[bytes]:
    """Start supervisord as the leader of a new session, in which all its descendants stay."""
    with (home.logs / "supervisord.err").open("wb") as errors:
        return subprocess.Popen(  # noqa: S603 - our own interpreter
            supervisor_command(home),
            env=dict(environment),
            cwd=home.root,
            stdin=claim.file,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )


def stragglers(state: State) -> list[psutil.Process]:
    """Return the processes of the supervisor's session, also after the supervisor has ended.

    Tasks have process groups of their own, but stay in the session. Only PostgreSQL's backends leave it, and
    they end with their server.
    """
    leader, since = state.supervisor_pid, state.supervisor_started
    if leader is None or since is None:
        return []
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getsid(process.pid) != leader or process.status() == psutil.STATUS_ZOMBIE:
                continue
            # The pid was reused by another session, whose processes are not ours.
            if process.pid == leader and abs(process.create_time() - since) >= 1:
                return []
            if process.create_time() >= since - 1:
                found.append(process)
    return found


def end(processes: Sequence[psutil.Process], *, patience: float) -> list[psutil.Process]:
    """Terminate the processes, and kill those that still run after some time.

    :param processes: the processes to end.
    :param patience: seconds until they are killed.
    :returns: the processes that were killed.
    """
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=patience)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
    return list(alive)


class Supervisor:
    """The commands that a running supervisord takes on its socket."""

    def __init__(self, home: Home) -> None:
        self._home = home

    @property
    def _calls(self) -> Any:
        # A new connection for each call, because supervisor's transport does not reconnect after an error.
        transport = SupervisorTransport(None, None, f"unix://{self._home.supervisor_socket}")
        return ServerProxy("http://localhost", transport=transport).supervisor

    def wait_until_ready(self, process: subprocess.Popen[bytes], timeout: float) -> None:
        """Wait until supervisord answers.

        :param process: the process of supervisord.
        :param timeout: seconds.
        :raises StackError: if it ends.
        :raises StillStartingError: if it does not answer in time.
        """
        deadline = time.monotonic() + timeout
        while not self._answers():
            if process.poll() is not None:
                said = tail(self._home.logs / "supervisord.err", 20)
                raise StackError(f"supervisord ended with code {process.returncode}: {said}")
            if time.monotonic() > deadline:
                log = self._home.logs / "supervisord.log"
                raise StillStartingError(
                    f"supervisord does not answer after {timeout:.0f} s: see {log}. "
                    "It stays up: start again to go on from there."
                )
            time.sleep(0.03)

    def _answers(self) -> bool:
        try:
            self._calls.getState()
        except OSError:
            return False
        return True

    def start(self, names: Iterable[str]) -> None:
        """Start the components without waiting. Those that run already stay as they are.

        What has become of one is in its state, also if it has ended at once.

        :raises StackError: if one cannot be started.
        """
        for name in names:
            fault = self._fault_of("startProcess", name, False)
            # An end that supervisord sees before it answers is a SPAWN_ERROR, and a moment later it is none.
            if fault and not fault.startswith(("ALREADY_STARTED", "SPAWN_ERROR")):
                raise self._not_started(name, fault)

    def _not_started(self, name: str, reason: str) -> StackError:
        log = self._home.logs / f"{name}.log"
        return StackError(f"{name} could not be started ({reason}): see {log}.")

    def _fault_of(self, call: str, *arguments: Any) -> str | None:
        try:
            getattr(self._calls, call)(*arguments)
        except Fault as fault:
            return fault.faultString
        return None

    def states(self) -> dict[str, ComponentState]:
        """Return the state of each component, in the order of :data:`COMPONENTS`."""
        raw = {info["name"]: info for info in self._calls.getAllProcessInfo()}
        return {
            name: ComponentState(
                name,
                raw[name]["statename"],
                raw[name]["pid"],
                float(raw[name]["start"]),
                raw[name]["spawnerr"],
            )
            for name in COMPONENTS
            if name in raw
        }

    def run(self, name: str) -> int:
        """Start a program, wait for its end, and return its exit code.

        :raises StackError: if it cannot be started.
        """
        self.start([name])
        while (info := self._calls.getProcessInfo(name))["statename"] not in ENDED:
            time.sleep(0.03)
        if info["statename"] == "FATAL":
            raise self._not_started(name, info["spawnerr"])
        return int(info["exitstatus"])

    def stop(self, names: Iterable[str]) -> None:
        """Stop the components at once and wait for their end. supervisord kills those that do not stop.

        :raises StackError: if one cannot be stopped.
        """
        waited_for = set(names)
        for name in waited_for:
            fault = self._fault_of("stopProcess", name, False)
            if fault and not fault.startswith(("NOT_RUNNING", "BAD_NAME")):
                raise StackError(f"{name} could not be stopped ({fault}).")
        start = time.monotonic()
        impatient = False
        while time.monotonic() - start < max(STOP_SECONDS.values()) + 10:
            stopping = [name for name, state in self.states().items() if state.state not in ENDED]
            if waited_for.isdisjoint(stopping):
                return
            if TRIGGERER in stopping and not impatient and time.monotonic() - start > TRIGGERER_PATIENCE:
                # It waits 10 s for its triggers even if there are none. A second signal ends it at once, and
                # the next triggerer takes over the triggers.
                self._fault_of("signalProcess", TRIGGERER, "TERM")
                impatient = True
            time.sleep(0.05)

    def shutdown(self) -> None:
        """End supervisord."""
        self._calls.shutdown()


def tail(path: Path, lines: int) -> str:
    """Return the last lines of a log file; an empty string if there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 200 * lines))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
