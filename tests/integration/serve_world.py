"""``nightsort serve`` and ``nightsort classify`` as processes, on a local AWS and a real PostgreSQL."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
from psycopg.conninfo import conninfo_to_dict

from nightsort.naming import endpoint_name
from nightsort.tables.schema import ensure_schema
from nightsort.tables.versions import ClassifierVersion, promote, record_version
from tests.integration.classification_data import create_request, csv_bytes, labelled_rows, put
from tests.integration.local_aws_server import (
    PROJECT,
    ROLE,
    LocalAwsServer,
    answer_of,
    aws_connection,
    wait_for_classifier,
    wait_until,
)
from tests.integration.temporary_databases import temporary_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "the-token-of-the-tests-which-nobody-guesses"  # noqa: S105


@dataclass(frozen=True)
class ServeWorld:
    """One classifier with versions, and the environment of its commands."""

    aws: LocalAwsServer
    dsn: str
    folder: Path
    name: str
    mode: str

    @property
    def environment(self) -> dict[str, str]:
        """Of the commands: Airflow's own settings, both connections, the spec's folder."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "AIRFLOW"))}
        parts = conninfo_to_dict(self.dsn)
        database = {
            "conn_type": "postgres",
            "host": parts["host"],
            "login": parts["user"],
            "schema": parts["dbname"],
        }
        return {
            **kept,
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite://",
            "AIRFLOW_CONN_AWS_DEFAULT": aws_connection(self.aws.url),
            "AIRFLOW_CONN_NIGHTSORT_DB": json.dumps(database),
            "NIGHTSORT_SPECS": str(self.folder),
            "NIGHTSORT_POLL_SECONDS": "1",
            "NIGHTSORT_SERVE_TOKEN": TOKEN,
        }

    def write_spec(self, **changes: Any) -> None:
        """Write the classifier's spec."""
        spec = {
            "name": self.name,
            "mode": self.mode,
            "labelled": {"uri": "s3://data/labelled/", "format": "csv"},
            "incoming": {"uri": "s3://data/incoming/{day}/", "format": "jsonl", "id_column": "id"},
            "work_uri": "s3://data/work",
            "data_access_role_arn": ROLE,
            **changes,
        }
        (self.folder / f"{self.name}.yaml").write_text(json.dumps(spec), encoding="utf-8")

    def forget_active(self) -> None:
        """Leave the classifier without an active version."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("UPDATE nightsort.classifier_versions SET active = false")

    def activate(self, version: str) -> None:
        """Make a version the active one."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            promote(connection, classifier=self.name, version=version)

    def train(self, version: str, *, active: bool = True, rows: list[tuple[str, str]] | None = None) -> str:
        """Train a version, record it and make it the active one; return its ARN."""
        comprehend = self.aws.client("comprehend")
        uri = put(self.aws, f"{self.name}/{version}.csv", csv_bytes(rows or labelled_rows(30)))
        request = create_request(self.name, uri, Mode=self.mode, VersionName=version)
        arn: str = comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
        assert wait_for_classifier(comprehend, arn)["Status"] == "TRAINED"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            record_version(connection, ClassifierVersion(self.name, version, arn, self.mode, "en", "TRAINED"))
        if active:
            self.activate(version)
        return arn

    def open(self, model: str, units: int = 1) -> str:
        """Open the classifier's endpoint; return its ARN when it is in service."""
        comprehend = self.aws.client("comprehend")
        arn: str = comprehend.create_endpoint(
            EndpointName=endpoint_name(self.name), ModelArn=model, DesiredInferenceUnits=units
        )["EndpointArn"]
        wait_until(lambda: self.status(arn) == "IN_SERVICE", f"{arn} in service")
        return arn

    def status(self, arn: str) -> str | None:
        """The state of an endpoint; None: there is none."""
        comprehend = self.aws.client("comprehend")
        try:
            found: str = comprehend.describe_endpoint(EndpointArn=arn)["EndpointProperties"]["Status"]
        except comprehend.exceptions.ResourceNotFoundException:
            return None
        return found

    def close(self, arn: str) -> None:
        """Delete an endpoint and wait until it is gone."""
        self.aws.client("comprehend").delete_endpoint(EndpointArn=arn)
        wait_until(lambda: self.status(arn) is None, f"{arn} to be gone")

    def endpoints(self) -> list[str]:
        """The names of all endpoints of this classifier."""
        found = self.aws.client("comprehend").list_endpoints()["EndpointPropertiesList"]
        names = (item["EndpointArn"].rpartition("/")[2] for item in found)
        return [name for name in names if name == endpoint_name(self.name)]

    def run(self, *arguments: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ``nightsort`` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "nightsort", *arguments],
            env={**self.environment, **environment},
            input=given,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    @contextmanager
    def serving(self, **environment: str) -> Iterator[RunningService]:
        """Run ``nightsort serve`` in the block."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        with (self.folder / "serve.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "nightsort", "serve", self.name, "--port", str(port)],
                env={**self.environment, **environment},
                stdout=log,
                stderr=log,
            )
        service = RunningService(f"http://127.0.0.1:{port}", process, self.folder / "serve.log")
        try:
            wait_until(service.answers, "the service to answer")
            yield service
        finally:
            process.terminate()
            process.wait(timeout=240)


@dataclass(frozen=True)
class RunningService:
    """The process of the service."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def answers(self) -> bool:
        """Whether it answers; fails when the process has ended."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            return answer_of("GET", f"{self.url}/health").status_code == 200
        except httpx.TransportError:
            return False

    def client(self, token: str | None = TOKEN) -> httpx.Client:
        """A client with the token."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=240)


@contextmanager
def serve_world(aws: LocalAwsServer, server_dsn: str, folder: Path) -> Iterator[ServeWorld]:
    """A classifier without versions, with its spec and a database of its own."""
    with temporary_database(server_dsn) as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            ensure_schema(connection)
        made = ServeWorld(aws, dsn, folder, "tickets", "MULTI_CLASS")
        made.write_spec()
        yield made
