"""No page and no program of ours puts a password on a command line, which every user of the machine reads."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow

# isort: split
from airflow.models.connection import Connection

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "deployment.md").read_text(encoding="utf-8")
SHOWN = re.compile(
    r"""
    connections["',\s]+add\b.*(://|--conn-password|--conn-json|--conn-uri)  # Airflow's connections
    | users["',\s]+(create|reset-password)\b.*(--password|\s-p\b)           # Airflow's users
    | --from-literal=\S*://\S+:\S+@                                         # a secret of Kubernetes
    | \b(psql|pg_dump|redis-cli)\b.*(://\S+:\S+@|password=|\s-a\s)          # databases
    | nightsort\s[a-z-]+\s.*password=                                       # our own
    """,
    re.VERBOSE,
)


def files() -> list[Path]:
    """What we ship or show, without the tests and the records of decisions."""
    done = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    kept = (".md", ".py", ".yaml", ".yml", ".sh", ".toml", ".jinja", "Makefile", "Dockerfile", ".ci/run")
    return [REPOSITORY / name for name in done.stdout.split() if name.endswith(kept) and "tests/" not in name]


@pytest.mark.parametrize(
    "line",
    [
        "airflow connections add nightsort_db --conn-uri 'postgres://user:password@host:5432/database'",
        'airflow("users", "create", "--username", ADMIN, "--password", password)',
        '["airflow", "connections", "add", CONNECTION, "--conn-json", json.dumps(connection)]',
        "kubectl create secret generic db --from-literal=connection=postgres://user:password@host/database",
        'nightsort init-db "host=db user=me password=secret"',
        "redis-cli -a secret ping",
    ],
)
def test_the_search_finds_what_was_there(line: str) -> None:
    assert SHOWN.search(line)


def test_no_command_line_holds_a_password() -> None:
    assert len(files()) > 200
    found = {
        f"{file.relative_to(REPOSITORY)}:{number}"
        for file in files()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if SHOWN.search(line)
    }
    assert not found


def test_the_file_of_connections_that_the_page_shows_is_one_of_airflows_with_a_proven_server() -> None:
    (text,) = re.findall(r"<<'END'\n(.*?)\nEND\n", PAGE, re.DOTALL)
    ((conn_id, members),) = json.loads(text).items()
    connection = Connection(conn_id=conn_id, **members)
    assert (conn_id, connection.conn_type) == ("nightsort_db", "postgres")
    assert connection.extra_dejson["sslmode"] == "verify-full"
    assert "umask 077" in PAGE
