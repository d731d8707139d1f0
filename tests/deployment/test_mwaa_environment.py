"""The bundle in an environment like Amazon MWAA's: its Python, its Airflow, its provider, its folders.

`make mwaa-test` makes the virtual environment and runs this; see docs/deployment.md for what it stands for.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from zipfile import ZipFile

import boto3
import pytest

from deployment.mwaa_bundle import AIRFLOW, write_bundle
from nightsort_local import postgres
from nightsort_local.stack import LocalStack
from tests.deployment.airflow_installations import (
    DAGS_OF_NO_SPEC,
    TRIGGERS,
    AirflowInstallation,
    startup_environment,
)
from tests.deployment.deployed_classifier import DAY, NAME, bring_documents, write_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.mwaa, pytest.mark.timeout(600)]

ENVIRONMENT = "NIGHTSORT_MWAA_ENVIRONMENT"
VERSIONS = """
import sys
from importlib.metadata import version
print(*sys.version_info[:2], version("apache-airflow"), version("apache-airflow-providers-amazon"))
"""


@pytest.fixture(scope="module")
def services() -> Iterator[LocalStack]:
    """PostgreSQL and the local AWS, from this checkout's own environment."""
    with tempfile.TemporaryDirectory(prefix="ns-mwaa-") as folder:
        stack = LocalStack(Path(folder) / "home", components=["postgres", "local_aws"], first_slot=70)
        stack.up()
        try:
            yield stack
        finally:
            stack.remove()


@pytest.fixture(scope="module")
def installation(services: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> AirflowInstallation:
    """The bundle laid out as MWAA does: `plugins.zip` unzipped, `PYTHONPATH` led to a folder of MWAA's own.

    Specs lie in a folder beside the DAGs, as the startup script says.
    """
    assert ENVIRONMENT in os.environ, "this test needs an environment like MWAA's: run it by `make mwaa-test`"
    root = tmp_path_factory.mktemp("usr-local")
    home, locked = root / "airflow", root / "python"
    locked.mkdir()
    write_bundle(root / "bundle")
    (root / "bundle").rename(home)
    with ZipFile(home / "plugins.zip") as archive:
        archive.extractall(home / "plugins")
    write_spec(home / "dags" / "classifiers")
    given = services.environment()
    socket = quote(given["PGHOST"], safe="")
    return AirflowInstallation(
        home,
        pythonpath=locked,
        programs=Path(os.environ[ENVIRONMENT]).absolute() / "bin",
        settings={
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://postgres@/airflow?host={socket}",
            "AIRFLOW__CORE__EXECUTE_TASKS_NEW_PYTHON_INTERPRETER": "True",
            "AIRFLOW_CONN_AWS_DEFAULT": given["AIRFLOW_CONN_AWS_DEFAULT"],
            "AIRFLOW_CONN_NIGHTSORT_DB": given["AIRFLOW_CONN_NIGHTSORT_DB"],
            **startup_environment(str(home)),
            "NIGHTSORT_POLL_SECONDS": "1",
        },
    )


def test_the_environment_has_the_versions_of_mwaas_image(installation: AirflowInstallation) -> None:
    assert installation.run("python", "-c", VERSIONS).stdout.split() == ["3", "12", AIRFLOW, "9.34.0"]


def test_every_dag_parses_and_the_triggerer_imports_every_trigger(installation: AirflowInstallation) -> None:
    seen = installation.look_around()
    assert seen["import_errors"] == {}
    assert seen["dag_ids"] == sorted([*DAGS_OF_NO_SPEC, f"classify_{NAME}", f"train_{NAME}"])
    assert {*TRIGGERS} <= {*seen["triggers"]}
    assert seen["plugins"] == ["nightsort"]
    assert seen["executed"] == ["airflow_plugin"]
    assert not seen["local_stack"]


def test_both_dags_run_and_every_document_is_accounted_for(
    installation: AirflowInstallation, services: LocalStack
) -> None:
    bring_documents(
        boto3.client(
            "s3",
            endpoint_url=services.aws_url,
            region_name="us-east-1",
            aws_access_key_id=services.aws_key[0],
            aws_secret_access_key=services.aws_key[1],
        )
    )
    for command in (
        ["db", "migrate"],
        ["pools", "set", "comprehend_jobs", "10", "Active Comprehend jobs", "--include-deferred"],
        ["dags", "reserialize"],
        ["dags", "test", f"train_{NAME}"],
        ["dags", "test", f"classify_{NAME}", "--conf", f'{{"day": "{DAY}"}}'],
    ):
        done = installation.run("airflow", *command)
        assert done.returncode == 0, (command, done.stdout[-4000:], done.stderr[-2000:])
    with postgres.connect(services.home, "nightsort") as connection:
        runs = connection.execute(
            "SELECT classifier, documents_in, classified, failed, rejected, state"
            " FROM nightsort.classification_runs"
        ).fetchall()
        labels = connection.execute(
            "SELECT DISTINCT label FROM nightsort.predictions WHERE status = 'classified' ORDER BY label"
        ).fetchall()
    assert runs == [(NAME, 31, 30, 0, 1, "complete")]
    assert labels == [("billing",), ("delivery",), ("technical",)]
