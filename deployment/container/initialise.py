"""
``python -m deployment.container.initialise``: make ready what the compose file's services need.

Roles and databases, Airflow's tables, the pool, the administrator. It may run at every start: what is there
is kept, and passwords become those of the environment, so that a new ``.env`` is enough to change them.
"""

from __future__ import annotations

import os
import subprocess
import sys

from deployment.container.administrator import set_administrator
from deployment.container.database_roles import create_databases, grant_rights

POOL = (
    "comprehend_jobs",
    "Comprehend's active jobs: deferred tasks count, since their jobs are active",
)


def airflow(*arguments: str) -> None:
    """
    Run a command of Airflow's. Its arguments are in the list of processes, so none may be a secret.

    :raises SystemExit: it failed; its own words are printed.
    """
    done = subprocess.run(["airflow", *arguments], check=False)  # noqa: S603, S607 - our own arguments
    if done.returncode != 0:
        raise SystemExit(f"`airflow {' '.join(arguments[:2])}` failed, see above.")


def main() -> int:
    """Make everything ready; return the exit code."""
    create_databases(os.environ)
    airflow("db", "migrate")
    grant_rights(os.environ)
    name, description = POOL
    airflow("pools", "set", name, os.environ["COMPREHEND_ACTIVE_JOBS"], description, "--include-deferred")
    set_administrator(os.environ["AIRFLOW_ADMIN_PASSWORD"])
    print("Ready.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
