"""Wait until the components of a stack are ready."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from importlib.metadata import version
from typing import TYPE_CHECKING

import httpx

from nightsort.comprehend.limits import MAX_ACTIVE_CLASSIFICATION_JOBS, POOL
from nightsort_local import postgres, supervision
from nightsort_local.errors import StackError, StillStartingError
from nightsort_local.patience import STILL_SECONDS, Patience, signs_of
from nightsort_local.supervision import API_SERVER, LOCAL_AWS, MIGRATION, POSTGRES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nightsort_local.airflow_api import AirflowApi
    from nightsort_local.home import Home
    from nightsort_local.supervision import Supervisor


def migrate(home: Home, supervisor: Supervisor, report: Callable[[str], None]) -> None:
    """Create or migrate Airflow's tables, unless this version of Airflow has migrated them before.

    :raises StackError: if the migration fails.
    """
    wanted = version("apache-airflow-core")
    state = home.read_state()
    if state.migrated_to == wanted and postgres.has_tables_of_airflow(home):
        return
    report("creating Airflow's tables")
    if supervisor.run(MIGRATION) != 0:
        log = home.logs / f"{MIGRATION}.log"
        raise StackError(f"`airflow db migrate` failed. The end of {log}:\n{supervision.tail(log, 15)}")
    state.migrated_to = wanted
    home.write_state(state)


def wait_for_postgres(home: Home, supervisor: Supervisor, report: Callable[[str], None]) -> None:
    """Wait until the server accepts connections.

    :raises StackError: if it does not start.
    """
    _wait(home, supervisor, lambda: [] if postgres.accepts_connections(home) else [POSTGRES], report)


def wait_for_local_aws(home: Home, supervisor: Supervisor, url: str, report: Callable[[str], None]) -> None:
    """Wait until the local AWS answers at `url`.

    :raises StackError: if it does not start.
    """
    with httpx.Client(trust_env=False, timeout=30) as client:

        def missing() -> list[str]:
            try:
                answer = client.get(f"{url}/_nightsort/health")
            except httpx.TransportError:
                return [LOCAL_AWS]
            return [] if answer.status_code == 200 else [LOCAL_AWS]

        _wait(home, supervisor, missing, report)


def wait_for_airflow(
    home: Home,
    supervisor: Supervisor,
    api: AirflowApi,
    names: Sequence[str],
    report: Callable[[str], None],
) -> None:
    """Wait until each component has sent a heartbeat since its start, then create the pool of the jobs.

    :param names: the components to wait for.
    :raises StackError: if a component does not start.
    """

    def missing() -> list[str]:
        states = supervisor.states()
        started = {name: datetime.fromtimestamp(states[name].started, timezone.utc) for name in names}
        return api.unhealthy(started)

    _wait(home, supervisor, lambda: [part for part in missing() if part == API_SERVER], report)
    # Done while the other components start; otherwise the first task would wait for it.
    api.prepare_for_tasks()
    _wait(home, supervisor, missing, report)
    api.ensure_pool(
        POOL,
        slots=MAX_ACTIVE_CLASSIFICATION_JOBS,
        description="Comprehend's quota of active jobs. Deferred tasks count, because their jobs are active.",
    )


def _wait(
    home: Home, supervisor: Supervisor, find_missing: Callable[[], list[str]], report: Callable[[str], None]
) -> None:
    missing = find_missing()
    patience = Patience(
        lambda: signs_of(
            [state.pid for state in supervisor.states().values() if state.name in missing and state.pid],
            [home.logs / f"{name}.log" for name in missing],
        )
    )
    while missing:
        report("waiting for " + ", ".join(missing))
        for state in supervisor.states().values():
            if state.state == "FATAL":
                raise StackError(f"{state.name} ends as soon as it starts. {_end_of_log(home, state.name)}")
        if patience.is_over():
            raise StillStartingError(
                f"{missing[0]} is not ready, and neither its log nor its processor time has grown for "
                f"{STILL_SECONDS} s. What was started stays up: start again to go on from there, or stop it "
                f"with `nightsort-local down`. {_end_of_log(home, missing[0])}"
            )
        time.sleep(0.1)
        missing = find_missing()


def _end_of_log(home: Home, component: str) -> str:
    log = home.logs / f"{component}.log"
    return f"The end of {log}:\n{supervision.tail(log, 20)}"
