"""
``python -m deployment.container.health``: check that the Airflow component of this container is alive.

Airflow's own ``airflow jobs check`` imports all of Airflow, 4 seconds of a processor at every look; this asks
what is listening anyway, in a tenth of a second (a worker: one second).
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urljoin
from urllib.request import ProxyHandler, build_opener

COMPONENTS: Final = ("api-server", "scheduler", "dag-processor", "triggerer", "celery")
PAGES: Final = {
    "api-server": "http://localhost:8080/api/v2/version",
    # Airflow's port for `[scheduler] enable_health_check`.
    "scheduler": "http://localhost:8974/health",
}
SECONDS: Final = 10
# Containers reach each other directly.
_OPENER: Final = build_opener(ProxyHandler({}))


def component_of(command_line: bytes) -> str | None:
    """
    Give the component that a container runs; None when it is none of Airflow's long-running ones.

    :param command_line: ``/proc/1/cmdline``; a process that has renamed itself has blanks in place of NULs.
    """
    words = re.split(rb"[\0 ]+", command_line)
    names = (word.decode(errors="replace").replace("_", "-") for word in words)
    return next((name for name in names if name in COMPONENTS), None)


def problem_of(component: str) -> str | None:
    """
    Give what is wrong with the component, or None.

    :raises OSError: what should answer does not.
    """
    if component == "celery":
        return _worker_problem()
    if component in PAGES:
        _get(PAGES[component])
        return None
    # These two listen nowhere: their heartbeat in the database shows, which the API server tells.
    api = os.environ.get("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "http://localhost:8080/execution/")
    health = json.loads(_get(urljoin(api, "/api/v2/monitor/health")))
    status = health[component.replace("-", "_")]["status"]
    return None if status == "healthy" else f"its status is {status}"


def _get(url: str) -> bytes:
    """Return the page; one that is not well comes with an error's status, which raises an OSError."""
    with _OPENER.open(url, timeout=SECONDS) as answer:
        content: bytes = answer.read()
    return content


def _worker_problem() -> str | None:
    # Of no use to the other components, and slow to import.
    from celery import Celery

    name = f"celery@{socket.gethostname()}"
    application = Celery(broker=os.environ["AIRFLOW__CELERY__BROKER_URL"])
    answers = application.control.ping(destination=[name], timeout=SECONDS, limit=1)
    return None if answers else f"{name} does not answer over the broker"


def main() -> int:
    """Print what is wrong; return 0 if nothing is."""
    component = component_of(Path("/proc/1/cmdline").read_bytes())
    if component is None:
        return 0
    try:
        problem = problem_of(component)
    except OSError as error:
        problem = str(error)
    if problem is None:
        return 0
    print(f"{component} is not healthy: {problem}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
