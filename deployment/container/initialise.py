"""
``python -m deployment.container.initialise``: make ready what the compose file's services need.

Roles and databases, Airflow's tables, the pool, the administrator. It may run at every start: what is there
is kept, and passwords become those of the environment, so that a new ``.env`` is enough to change them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

import psycopg
from psycopg import sql

DATABASES: Final = {"airflow": "AIRFLOW_DB_PASSWORD", "nightsort": "NIGHTSORT_DB_PASSWORD"}
"""A database and its owner have one name; the variable holds the owner's password."""

POOL: Final = (
    "comprehend_jobs",
    "Comprehend's active jobs: deferred tasks count, since their jobs are active",
)
ADMIN: Final = "admin"


def create_databases() -> None:
    """Create each role and its database, and give the role its password."""
    server = psycopg.connect(
        host=os.environ["POSTGRES_HOST"],
        user="postgres",
        password=os.environ["POSTGRES_PASSWORD"],
        dbname="postgres",
        autocommit=True,
    )
    with server:
        for name, variable in DATABASES.items():
            role, password = sql.Identifier(name), sql.Literal(os.environ[variable])
            if not server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone():
                server.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
            server.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, password))
            if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                # A server made without a locale would give SQL_ASCII, whose texts psycopg reads as bytes.
                create = sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0")
                server.execute(create.format(role, role))
            # Nobody but the owner, who has every right in it.
            server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(role))


def airflow(*arguments: str) -> None:
    """
    Run a command of Airflow's.

    :raises SystemExit: it failed; its own words are printed.
    """
    done = subprocess.run(["airflow", *arguments], check=False)  # noqa: S603, S607 - our own arguments
    if done.returncode != 0:
        raise SystemExit(f"`airflow {' '.join(arguments[:2])}` failed, see above.")


def main() -> int:
    """Make everything ready; return the exit code."""
    create_databases()
    airflow("db", "migrate")
    name, description = POOL
    airflow("pools", "set", name, os.environ["COMPREHEND_ACTIVE_JOBS"], description, "--include-deferred")
    password = os.environ["AIRFLOW_ADMIN_PASSWORD"]
    person = ("--firstname", "Airflow", "--lastname", "Admin", "--email", "admin@localhost")
    airflow("users", "create", "--username", ADMIN, "--password", password, "--role", "Admin", *person)
    # Of a user who is there, `create` changes nothing.
    airflow("users", "reset-password", "--username", ADMIN, "--password", password)
    print("Ready.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
