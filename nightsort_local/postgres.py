"""PostgreSQL 18 from a wheel: its data folder, its command line and its databases."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import psutil
import psycopg
from psycopg import sql

from nightsort_local.errors import StackError
from nightsort_local.stack_settings import postgres_programs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nightsort_local.home import Home

DATABASES = ("airflow", "nightsort")
UNPRIVILEGED = "nobody"

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    # A crash of the machine may lose the last transactions, but the data stay consistent.
    "synchronous_commit": "off",
    "jit": "off",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def unprivileged_prefix() -> list[str]:
    """Return the command that runs a PostgreSQL program as an ordinary user, since it refuses to run as root.

    For an ordinary user it is empty. For root, `setpriv` changes the user to ``nobody`` and keeps one
    capability: to enter folders that only root may enter, such as a checkout below ``/root``.

    :returns: the beginning of a command line.
    :raises StackError: if root has no `setpriv`.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StackError(
            "PostgreSQL does not run as root, and setpriv (util-linux), which changes the user, is missing: "
            "install util-linux, or run make as an ordinary user."
        )
    return [
        setpriv,
        f"--reuid={UNPRIVILEGED}",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        "--",
    ]


def server_command(home: Home) -> list[str]:
    """Return the command line of the server, to run in the foreground."""
    command = [*unprivileged_prefix(), str(postgres_programs() / "postgres"), "-D", str(home.postgres_data)]
    settings = {**SETTINGS, "unix_socket_directories": str(home.postgres_socket_folder)}
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return command


def initialise(home: Home, environment: Mapping[str, str]) -> None:
    """Create the database cluster unless it exists. An incomplete one is deleted and created again.

    :raises StackError: if it belongs to another version of PostgreSQL, or cannot be created.
    """
    data = home.postgres_data
    marker = data / "PG_VERSION"
    finished = data / "global" / "pg_control"
    if marker.exists() and finished.exists():
        version = marker.read_text(encoding="ascii").strip()
        if version != "18":
            raise StackError(
                f"{data} holds data of PostgreSQL {version}, but this checkout uses 18: "
                "run `make clean` to start with no data, or dump the data with the older version first."
            )
        return
    draft = home.root / "postgres.new"
    for folder in (draft, data):
        if folder.exists():
            shutil.rmtree(folder)
    draft.mkdir(mode=0o700)
    give_to_server(draft, home.postgres_socket_folder)
    command = [
        *unprivileged_prefix(),
        str(postgres_programs() / "initdb"),
        f"--pgdata={draft}",
        "--username=postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-sync",
        "--no-instructions",
    ]
    done = subprocess.run(  # noqa: S603 - a fixed program with our own paths
        command, env=dict(environment), cwd="/", capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise StackError(f"initdb could not create {draft}:\n{(done.stdout + done.stderr)[-2000:].strip()}")
    # Renamed when complete, so that a killed initdb leaves no incomplete cluster in this folder.
    draft.rename(data)


def give_to_server(*folders: Path) -> None:
    """Make the server's user the owner of the folders, if it is not the current user."""
    if os.geteuid() == 0:
        for folder in folders:
            shutil.chown(folder, UNPRIVILEGED)


def clean_up_after_crash(home: Home) -> None:
    """Stop a server that still runs after its supervisor has ended, and remove the lock file.

    PostgreSQL removes a stale lock file itself, but not if another process has the same pid now.
    """
    lock = home.postgres_data / "postmaster.pid"
    try:
        pid = int(lock.read_text(encoding="utf-8").split("\n", 1)[0])
        server = psutil.Process(pid)
        # Its working directory is its data folder. Its command line proves nothing: PostgreSQL rewrites it.
        ours = server.cwd() == str(home.postgres_data)
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        ours = False
    except psutil.AccessDenied:
        # The process of another user is not our server.
        ours = False
    if ours:
        server.send_signal(2)
        try:
            server.wait(20)
        except psutil.TimeoutExpired:
            server.kill()
            server.wait(5)
    lock.unlink(missing_ok=True)


def connect(home: Home, database: str) -> psycopg.Connection:
    """Open a connection in autocommit mode as the administrator."""
    return psycopg.connect(
        host=str(home.postgres_socket_folder),
        port=5432,
        user="postgres",
        dbname=database,
        autocommit=True,
        connect_timeout=60,
    )


def accepts_connections(home: Home) -> bool:
    """Return whether the server accepts connections."""
    try:
        connect(home, "postgres").close()
    except psycopg.OperationalError:
        return False
    return True


def create_databases(home: Home) -> None:
    """Create the databases of Airflow and Nightsort that do not exist."""
    with connect(home, "postgres") as connection:
        present = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
        for name in DATABASES:
            if name not in present:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def has_tables_of_airflow(home: Home) -> bool:
    """Return whether Airflow's tables exist."""
    with connect(home, "airflow") as connection:
        row = connection.execute("SELECT to_regclass('public.alembic_version') IS NOT NULL").fetchone()
    return bool(row and row[0])
