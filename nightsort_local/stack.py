"""The local stack: PostgreSQL, local AWS and Airflow's four components on one machine."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil

from nightsort_local import postgres, stack_settings, startup, supervision
from nightsort_local.airflow_api import AirflowApi
from nightsort_local.dag_runs import Silent, newest_change, run_and_follow, wait_until_parsed
from nightsort_local.dag_specs import FILES_OF_KINDS, spec_problem, unknown_params
from nightsort_local.errors import StackError, StillStartingError
from nightsort_local.home import OWN_SPECS, REPOSITORY, SAMPLES, Home
from nightsort_local.ports import LOOPBACK, claim_ports
from nightsort_local.supervision import (
    AIRFLOW,
    API_SERVER,
    COMPONENTS,
    LOCAL_AWS,
    POSTGRES,
    Supervisor,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from nightsort_local.dag_runs import DagRunResult, RunObserver
    from nightsort_local.ports import PortClaim
    from nightsort_local.supervision import ComponentState

START_SECONDS = 300
"""The time limit for the supervisor's first answer, which takes a second on a machine that is not busy."""
PARSE_SECONDS = 600
"""The time limit for the parse of a DAG whose spec is valid."""


class LocalStack:
    """A local stack in one folder. Any process may call any method.

    A parameter that is None keeps its value of the last start, or else the default.

    :param home: the state folder.
    :param specs: the folders of the user's specs, by default this checkout's; the samples are always there.
    :param dags: the folder of DAG files, by default this checkout's.
    :param schedules: whether cron schedules and asset events start runs; by default they do not.
    :param components: which of the components to start; Airflow's need ``postgres``.
    :param first_slot: where the search for free ports begins; 0 means Airflow's default 8080.
    :param report: receives a short text on each step.
    """

    def __init__(
        self,
        home: Path,
        specs: Sequence[Path] | None = None,
        *,
        dags: Path | None = None,
        schedules: bool | None = None,
        components: Collection[str] = COMPONENTS,
        first_slot: int | None = None,
        report: Callable[[str], None] | None = None,
    ) -> None:
        unknown = sorted(set(components) - set(COMPONENTS))
        if unknown:
            raise StackError(f"No such component: {', '.join(unknown)}. There are {', '.join(COMPONENTS)}.")
        self.home = Home(home)
        self.components = [name for name in COMPONENTS if name in components]
        self.report = report or (lambda what: None)
        self._asked_specs = None if specs is None else [str(path.resolve()) for path in specs]
        self._asked_dags = None if dags is None else str(dags.resolve())
        self._asked_schedules = schedules
        self._first_slot = first_slot
        self._api: AirflowApi | None = None

    @property
    def airflow_url(self) -> str:
        """The URL of Airflow in a browser."""
        return f"http://localhost:{self._ports()[0]}"

    @property
    def aws_url(self) -> str:
        """The endpoint URL of the local AWS."""
        return f"http://{LOOPBACK}:{self._ports()[1]}"

    @property
    def aws_key(self) -> tuple[str, str]:
        """The access key and the secret of the local AWS."""
        secrets = self.home.secrets()
        return secrets.aws_access_key_id, secrets.aws_secret_access_key

    @property
    def password(self) -> str:
        """The password of Airflow's ``admin``."""
        return self.home.secrets().admin_password

    @property
    def api(self) -> AirflowApi:
        """The client of Airflow's REST API."""
        url = f"http://{LOOPBACK}:{self._ports()[0]}"
        if self._api is None or self._api.url != url:
            self._api = AirflowApi(
                url, self.password, why_silent=self._why_silent, report=lambda what: self.report(what)
            )
        return self._api

    def _why_silent(self) -> str | None:
        """Return why the API server cannot answer; None if it may answer soon."""
        states = self.status()
        if not states:
            return "the stack was stopped. Start it again: the run goes on, and the same command follows it."
        server = states.get(API_SERVER)
        if server is not None and server.state == "FATAL":
            return f"the API server ends as soon as it starts: see {self.home.logs / API_SERVER}.log"
        return None

    @property
    def specs(self) -> list[str]:
        """The folders of classifier specs: the samples' and the user's."""
        own = self._asked_specs
        if own is None:
            own = self.home.read_state().specs or ([str(OWN_SPECS)] if OWN_SPECS.is_dir() else [])
        return list(dict.fromkeys([str(SAMPLES), *own]))

    @property
    def dags(self) -> str:
        """The folder of DAG files."""
        return self._asked_dags or self.home.read_state().dags or str(REPOSITORY / "dags")

    @property
    def schedules(self) -> bool:
        """Whether cron schedules and asset events start runs."""
        if self._asked_schedules is not None:
            return self._asked_schedules
        return bool(self.home.read_state().schedules)

    def _ports(self) -> tuple[int, int]:
        state = self.home.read_state()
        if state.api_port is None or state.aws_port is None:
            raise StackError("No stack was ever up here: `make run` or `nightsort-local up`.")
        return state.api_port, state.aws_port

    def environment(self) -> dict[str, str]:
        """Return the environment for a program that uses the stack."""
        return stack_settings.component_environment(
            self.home, aws_port=self._ports()[1], specs=self.specs, outer=os.environ
        )

    def status(self) -> dict[str, ComponentState]:
        """Return the components' states; empty if the stack is down."""
        if supervision.supervisor_process(self.home.read_state()) is None:
            return {}
        try:
            return Supervisor(self.home).states()
        except OSError:
            return {}

    def is_up(self) -> bool:
        """Return whether all components run."""
        states = self.status()
        return all(name in states and states[name].state == "RUNNING" for name in self.components)

    def up(self) -> bool:
        """Start the stack, and wait until it is ready. Components that run already stay as they are.

        If it runs with other settings, it is started anew.

        :returns: whether anything had to be started.
        :raises StillStartingError: if a component makes no progress. What was started stays up.
        :raises StackError: if a component ends; then everything is stopped. Also if the stack would be
            started anew while DAGs run.
        """
        with self.home.locked(self.report):
            if self.status() and (changed := self._changed_settings()):
                self._refuse_while_dags_run(changed)
                self.report(f"starting anew, with other {changed}")
                self._stop()
            was_up = self.is_up()
            self.home.prepare()
            try:
                self._start()
            except StillStartingError:
                raise
            except Exception:
                self._stop()
                raise
            return not was_up

    def _changed_settings(self) -> str:
        """Return the names of the settings that differ from those with which the stack runs."""
        state = self.home.read_state()
        changed = (
            ("specs", self._asked_specs is not None and self.specs != state.specs),
            ("DAGs", self._asked_dags not in (None, state.dags)),
            ("schedules", self._asked_schedules not in (None, state.schedules)),
        )
        return " and ".join(name for name, differs in changed if differs)

    def _refuse_while_dags_run(self, changed: str) -> None:
        if API_SERVER not in self.status():
            return
        running = sorted({run.dag_id for run in self.api.active_runs()})
        if running:
            raise StackError(
                f"The stack has to be started anew for other {changed}, but {', '.join(running)} runs. Wait "
                "for its end, or run `nightsort-local down` first: the run goes on after the start."
            )

    def _start(self) -> None:
        supervisor = self._supervisor()
        environment = self.environment()
        airflow = [name for name in AIRFLOW if name in self.components]
        if LOCAL_AWS in self.components:
            supervisor.start([LOCAL_AWS])
        if POSTGRES in self.components:
            self.report("starting PostgreSQL")
            postgres.initialise(self.home, environment)
            supervisor.start([POSTGRES])
            startup.wait_for_postgres(self.home, supervisor, self.report)
            postgres.create_databases(self.home)
        if airflow:
            startup.migrate(self.home, supervisor, self.report)
            self.report("starting Airflow")
            supervisor.start(airflow)
        if LOCAL_AWS in self.components:
            startup.wait_for_local_aws(self.home, supervisor, self.aws_url, self.report)
        if API_SERVER in airflow:
            startup.wait_for_airflow(self.home, supervisor, self.api, airflow, self.report)

    def _supervisor(self) -> Supervisor:
        """Return the running supervisor. If there is none, clean up after a crash and start one."""
        state = self.home.read_state()
        supervisor = Supervisor(self.home)
        if supervision.supervisor_process(state) is not None:
            with suppress(OSError):
                supervisor.states()
                return supervisor
        left = supervision.stragglers(state)
        if left:
            self.report(f"ending {len(left)} processes that survived a crash")
            supervision.end(left, patience=10)
        supervision.end_lost_supervisors(self.home, state)
        postgres.clean_up_after_crash(self.home)
        claim = claim_ports(state.slot if state.slot is not None else self._first_slot)
        # Closed here when the supervisor has inherited it, or if it could not be started.
        with claim.file:
            state.slot, state.api_port, state.aws_port = claim.slot, claim.api_port, claim.aws_port
            state.specs, state.dags, state.schedules = self.specs, self.dags, self.schedules
            self.home.write_state(state)
            self._write_configurations(claim)
            process = supervision.start_supervisor(self.home, self.environment(), claim)
        state.supervisor_pid = process.pid
        state.supervisor_started = psutil.Process(process.pid).create_time()
        self.home.write_state(state)
        supervisor.wait_until_ready(process, START_SECONDS)
        return supervisor

    def _write_configurations(self, claim: PortClaim) -> None:
        airflow_settings = stack_settings.airflow_settings(
            self.home,
            self.home.secrets(),
            api_port=claim.api_port,
            dags=self.dags,
            schedules=self.schedules,
        )
        stack_settings.write_airflow_configuration(self.home, airflow_settings)
        supervision.write_configuration(self.home, self.components, claim.aws_port)

    def down(self) -> bool:
        """Stop all processes and keep the data.

        :returns: whether anything was running.
        """
        if not self.home.exists():
            return supervision.end_lost_supervisors(self.home, self.home.read_state()) > 0
        with self.home.locked(self.report):
            return self._stop()

    def _stop(self) -> bool:
        state = self.home.read_state()
        process = supervision.supervisor_process(state)
        descendants: list[psutil.Process] = []
        if process is not None:
            with suppress(psutil.NoSuchProcess):
                descendants = process.children(recursive=True)
            with suppress(OSError):
                supervisor = Supervisor(self.home)
                self.report("stopping Airflow")
                supervisor.stop(AIRFLOW)
                self.report("stopping PostgreSQL and local AWS")
                supervisor.stop([LOCAL_AWS, POSTGRES])
                supervisor.shutdown()
            with suppress(psutil.TimeoutExpired):
                process.wait(10)
        left = {*supervision.stragglers(state), *(child for child in descendants if child.is_running())}
        supervision.end(list(left), patience=5)
        postgres.clean_up_after_crash(self.home)
        state.supervisor_pid = state.supervisor_started = None
        self.home.write_state(state)
        return process is not None or bool(left)

    def remove(self) -> None:
        """Stop all processes and delete the data."""
        self.down()
        self.home.remove()

    def run_dag(
        self,
        dag_id: str,
        conf: Mapping[str, Any] | None = None,
        *,
        timeout: float = 3600,
        observer: RunObserver | None = None,
    ) -> DagRunResult:
        """Run a DAG with the current DAG files, and wait for its end.

        :param dag_id: the DAG.
        :param conf: the params that differ from their defaults.
        :param timeout: seconds.
        :param observer: receives the states of the run and its tasks.
        :returns: the run and its tasks, also if the run failed.
        :raises StillRunningError: if the run takes longer than the timeout. It goes on.
        :raises StackError: if there is no such DAG, its spec is broken, or it has no such param.
        """
        if not self.status():
            raise StackError("The stack is down: `nightsort-local up` starts it.")
        self._require_spec(dag_id)
        observer = observer or Silent()
        changed = newest_change([self.dags, *self.specs])
        dag = wait_until_parsed(self.api, dag_id, changed=changed, timeout=PARSE_SECONDS, report=self.report)
        if conf and (problem := unknown_params(conf, self.api.params(dag_id), dag_id, dag.file)):
            raise StackError(problem)
        return run_and_follow(self.api, dag, conf or {}, timeout=timeout, observer=observer)

    def _require_spec(self, dag_id: str) -> None:
        """Refuse the DAG of a spec that is broken or missing, before Airflow is waited for."""
        problem = spec_problem(dag_id, self.specs)
        if problem is None:
            return
        dag = self.api.dag(dag_id)
        # A user's own DAG file may make a DAG with such an id.
        if dag is None or dag.file in FILES_OF_KINDS.values():
            raise StackError(problem)
