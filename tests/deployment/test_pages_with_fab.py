"""With the compose file's auth manager a user sees the classifiers whose DAGs they may read, no others."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from nightsort.tables.schema import ensure_schema
from tests.airflow_environment import ROOT
from tests.integration.conftest import empty_database, postgres_dsn
from tests.integration.ui_client import write_specs
from tests.made_nights import FIRST_NIGHT, MadeNights

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["empty_database", "postgres_dsn"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

OVERVIEW, TICKETS, REVIEWS = "/nightsort/", "/nightsort/classifiers/tickets", "/nightsort/classifiers/reviews"


def uv(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "uv", "--quiet", *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with what the compose file installs."""
    folder = tmp_path_factory.mktemp("environment")
    locked, interpreter = folder / "locked.txt", folder / "bin" / "python"
    uv("venv", "--python", sys.executable, "--clear", folder)
    chosen = ("--extra", "airflow", "--group", "celery")
    uv("export", "--frozen", "--no-emit-project", *chosen, "--output-file", locked)
    uv("pip", "install", "--python", interpreter, "--require-hashes", "-r", locked)
    return interpreter


@pytest.fixture
def seen(python: Path, empty_database: str, tmp_path: Path) -> dict[str, dict[str, list[Any]]]:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        ensure_schema(connection)
        for name in ("tickets", "reviews"):
            made = MadeNights(connection, name)
            made.train("v0123456789ab")
            made.night(FIRST_NIGHT)
    specs = write_specs(tmp_path / "specs", "tickets", "reviews")
    where = conninfo_to_dict(empty_database)
    connection_of_airflow = {
        "conn_type": "postgres",
        "login": where["user"],
        "schema": where["dbname"],
        "extra": {"host": where["host"]},
    }
    done = subprocess.run(
        [python, ROOT / "tests" / "deployment" / "fab_rights.py", specs],
        cwd=tmp_path,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "PYTHONPATH": f"{ROOT / 'include'}:{ROOT / 'plugins'}",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW_CONN_NIGHTSORT_DB": json.dumps(connection_of_airflow),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, dict[str, list[Any]]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_each_user_sees_what_they_may_read(seen: dict[str, dict[str, list[Any]]]) -> None:
    assert seen["chief"][OVERVIEW] == [200, ["tickets", "reviews"]]
    assert [seen["chief"][path][0] for path in (TICKETS, REVIEWS)] == [200, 200]
    assert seen["ann"][OVERVIEW] == [200, ["tickets"]]
    assert [seen["ann"][path][0] for path in (TICKETS, REVIEWS)] == [200, 404]
    assert seen["bob"][OVERVIEW] == [200, []]
    assert [seen["bob"][path][0] for path in (TICKETS, REVIEWS)] == [404, 404]
    assert {answer[0] for answer in seen["nobody"].values()} == {401}
