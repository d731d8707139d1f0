"""Wait until the components of a stack are ready."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING

import httpx

from nightsort.comprehend.limits import MAX_ACTIVE_CLASSIFICATION_JOBS, POOL
from nightsort_local import postgres, supervision
from nightsort_local.errors import StackError
from nightsort_local.supervision import API_SERVER, LOCAL_AWS, MIGRATION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from nightsort_local.airflow_api import AirflowApi
    from nightsort_local.home import Home
    from nightsort_local.supervision import Supervisor

START_SECONDS = 180
"""The time limit for a component's first heartbeat; on two busy cores the slowest needed 18 s."""


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


def wait_for_local_aws(home: Home, supervisor: Supervisor, url: str, report: Callable[[str], None]) -> None:
    """Wait until the local AWS answers at `url`.

    :raises StackError: if it does not start.
    """
    with httpx.Client(trust_env=False, timeout=5) as client:

        def missing() -> list[str]:
            try:
                answer = client.get(f"{url}/nightsort/health")
            except httpx.TransportError:
                return [LOCAL_AWS]
            return [] if answer.status_code == 200 else [LOCAL_AWS]

        _wait(home, supervisor, missing, report)


def wait_for_airflow(
    home: Home,
    supervisor: Supervisor,
    api: AirflowApi,
    started: Sequence[str],
    since: datetime,
    report: Callable[[str], None],
) -> None:
    """Wait until each component has sent a heartbeat, then create the pool of the jobs.

    :param started: the components to wait for.
    :param since: heartbeats before this time do not count.
    :raises StackError: if a component does not start.
    """

    def missing() -> list[str]:
        return [part for part in api.unhealthy(since) if part in started]

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
    deadline = time.monotonic() + START_SECONDS
    said: list[str] = []
    while missing := find_missing():
        if missing != said:
            said = missing
            report("waiting for " + ", ".join(missing))
        for state in supervisor.states().values():
            if state.state == "FATAL":
                raise _failure(home, state.name, "ends as soon as it starts")
        if time.monotonic() > deadline:
            raise _failure(home, missing[0], f"sent no heartbeat within {START_SECONDS} s")
        time.sleep(0.2)


def _failure(home: Home, component: str, what: str) -> StackError:
    log = home.logs / f"{component}.log"
    return StackError(f"{component} {what}. The end of {log}:\n{supervision.tail(log, 20)}")
