"""The container ``init``, run against a PostgreSQL of the tests' own, with the packages of the image."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest
from psycopg import errors, sql
from werkzeug.security import check_password_hash

from deployment.compose_env import SECRETS, new_secret
from deployment.container.database_roles import DATABASES, GUESTS
from nightsort_local.stack import LocalStack
from tests.process_list import WatchedProcesses

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

REPOSITORY = Path(__file__).parents[2]
DEPLOYED = REPOSITORY / "dist" / "deployed"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The folder of the socket of a PostgreSQL in which nobody was yet."""
    made = subprocess.run(
        ["make", f"{DEPLOYED.relative_to(REPOSITORY)}/.installed"], cwd=REPOSITORY, check=False
    )
    assert made.returncode == 0
    with tempfile.TemporaryDirectory(prefix="ns-pg-") as folder:
        stack = LocalStack(Path(folder) / "home", components=["postgres"], first_slot=70)
        stack.up()
        try:
            host = stack.environment()["PGHOST"]
            with connect(host, "postgres", "postgres") as connection:
                for name in ("airflow", "nightsort"):
                    connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
            yield host
        finally:
            stack.remove()


def connect(host: str, user: str, database: str) -> psycopg.Connection[Any]:
    return psycopg.connect(host=host, user=user, dbname=database, autocommit=True)


def initialise(host: str, home: Path, given: dict[str, str]) -> set[bytes]:
    """Run what `init` runs; give the command lines of all processes of the machine meanwhile."""
    environment = {
        "PATH": f"{DEPLOYED / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://airflow@/airflow?host={host}",
        "POSTGRES_HOST": host,
        "COMPREHEND_ACTIVE_JOBS": "7",
        **given,
    }
    program = [str(DEPLOYED / "bin" / "python"), "-m", "deployment.container.initialise"]
    with WatchedProcesses() as watched:
        done = subprocess.run(
            program, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert not [name for name, secret in given.items() if secret in done.stdout + done.stderr]
    return watched.command_lines


def the_user(host: str) -> tuple[int, str, str]:
    with connect(host, "postgres", "airflow") as connection:
        (row,) = connection.execute("SELECT id, username, password FROM ab_user").fetchall()
    found: tuple[int, str, str] = row
    return found


class Initialised(NamedTuple):
    """A server on which `init` has run once, with these secrets, and the command lines of meanwhile."""

    server: str
    given: dict[str, str]
    seen: set[bytes]


@pytest.fixture(scope="module")
def initialised(server: str, tmp_path_factory: pytest.TempPathFactory) -> Initialised:
    given = {name: new_secret(name) for name in SECRETS}
    return Initialised(server, given, initialise(server, tmp_path_factory.mktemp("home"), given))


def test_init_makes_all_that_is_needed_twice_and_shows_no_secret(
    initialised: Initialised, tmp_path: Path
) -> None:
    server, given, seen = initialised
    assert any(b"deployment.container.initialise" in line for line in seen)
    assert any(b"\0db\0migrate" in line for line in seen)
    assert not [name for name, secret in given.items() for line in seen if secret.encode() in line]
    first, name, password = the_user(server)
    assert name == "admin"
    assert check_password_hash(password, given["AIRFLOW_ADMIN_PASSWORD"])

    changed = {**given, "AIRFLOW_ADMIN_PASSWORD": new_secret("AIRFLOW_ADMIN_PASSWORD")}
    seen = initialise(server, tmp_path, changed)
    assert not [name for name, secret in changed.items() for line in seen if secret.encode() in line]
    again, _, password = the_user(server)
    assert again == first
    assert check_password_hash(password, changed["AIRFLOW_ADMIN_PASSWORD"])
    with connect(server, "postgres", "airflow") as connection:
        pools = connection.execute(
            "SELECT slots, include_deferred FROM slot_pool WHERE pool = 'comprehend_jobs'"
        )
        assert pools.fetchall() == [(7, True)]
        roles = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper AND NOT rolcreaterole"
        )
        assert {role for (role,) in roles} == {*DATABASES, *GUESTS}


@pytest.mark.parametrize("guest", sorted(GUESTS))
def test_a_guest_reads_what_it_must_and_takes_over_nothing(initialised: Initialised, guest: str) -> None:
    with connect(initialised.server, guest, "airflow") as connection:
        connection.execute("SELECT count(*) FROM job")
        connection.execute("SELECT count(*) FROM connection")
        for statement in (
            "SELECT password FROM ab_user",
            "SELECT * FROM session",
            "INSERT INTO ab_user_role (user_id, role_id) VALUES (1, 1)",
            "INSERT INTO ab_permission_view_role (permission_view_id, role_id) VALUES (1, 1)",
            "UPDATE connection SET host = 'elsewhere'",
            "DELETE FROM variable",
            "UPDATE slot_pool SET slots = 99",
            "CREATE TABLE mine (id int)",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement)


@pytest.mark.parametrize("owner", sorted(DATABASES))
def test_an_owner_enters_no_database_but_its_own(initialised: Initialised, owner: str) -> None:
    server = initialised.server
    for database in DATABASES:
        if database == owner:
            connect(server, owner, database).close()
        else:
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                connect(server, owner, database)
