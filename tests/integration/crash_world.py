"""The world around the crashing Airflow: documents, servers that may die, and what is right at the end."""

from __future__ import annotations

import json
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg.conninfo import make_conninfo

from nightsort.arrow.hashing import as_column, hash_texts
from nightsort.arrow.label_lists import LABELS, SCORES
from nightsort.layout import WorkLayout
from nightsort.naming import endpoint_name
from nightsort.reuse.store import ResultsWriter
from nightsort.storage import plain_access
from nightsort.tables.endpoint_hours import openings_between
from nightsort.tables.schema import ensure_schema
from nightsort.tables.versions import ClassifierVersion, promote, record_version
from nightsort_local.stack import LocalStack
from tests.integration.crash_airflow import CrashableAirflow, kill
from tests.integration.local_aws_server import (
    REGION,
    ROLE,
    LocalAwsServer,
    local_aws,
    wait_for_classifier,
    wait_until,
)
from tests.made_texts import WORDS, nightly_spec

if TYPE_CHECKING:
    from nightsort.opening.record import Record

BUCKET = "crash"
DAY = "2026-11-18"
DOCUMENTS, REPEATS, KNOWN = 30, 4, 5
EVE, EVE_BATCH = "20261117", "20261117-00000-0123abcd"
RESTART_SECONDS = 240

PREDICTIONS = """
SELECT run_key, batch, day, version, line, document_id, status, label, score, labels, scores, accepted,
       reason, source, source_run
FROM nightsort.predictions WHERE classifier = %s ORDER BY run_key, batch, line
"""
RUNS = """
SELECT run_key, day, version, state, message, documents_in, classified, failed, rejected, reasons, units,
       repeated, reused, saved_units, cost_usd, source_uri, retried, way,
       (SELECT jsonb_agg(jsonb_build_array(batch -> 'name', batch -> 'documents', batch -> 'loaded'))
        FROM jsonb_array_elements(batches) AS batch)
FROM nightsort.classification_runs WHERE classifier = %s ORDER BY run_key
"""
VERSIONS = """
SELECT version, mode, language, status, message, fingerprint, test_fingerprint, training_documents,
       test_documents, labels, metrics, confusion_matrix, active
FROM nightsort.classifier_versions WHERE classifier = %s ORDER BY version
"""
DECISIONS = """
SELECT version, against, test_fingerprint, metric, old, new, promoted, reason
FROM nightsort.promotion_decisions WHERE classifier = %s ORDER BY version, against
"""


@dataclass(frozen=True)
class Outcome:
    """What a run left behind: rows without their times, and how much was started at Comprehend.

    :param exported: the exported rows, by the file's place below the classifier's own.
    :param openings: how often an endpoint was opened.
    :param still_open: the endpoints that are open in the end.
    :param refused: the requests that an endpoint refused while it was to be open.
    :param answers: what an endpoint answered; a text whose answer was lost counts twice.
    """

    tables: dict[str, list[tuple[Any, ...]]]
    exported: dict[str, list[dict[str, Any]]]
    jobs: int
    trainings: int
    openings: int = 0
    still_open: int = 0
    refused: int = 0
    answers: int = field(default=0, compare=False)

    @property
    def started(self) -> int:
        """Jobs, trainings and endpoints: what is paid for."""
        return self.jobs + self.trainings + self.openings + self.still_open

    @property
    def lost(self) -> int:
        """Documents that came in and have no row or no answer."""
        rows = self.tables.get("classification_runs", [])
        return sum(int(row[5] - row[6] - row[7] - row[8]) for row in rows) + self.refused


def text(number: int) -> str:
    """The text of a document; the last ones have the texts of the first ones."""
    number %= DOCUMENTS - REPEATS
    return f"{[*WORDS.values()][number % 3]} {number}"


class World:
    """A local AWS and a PostgreSQL that may be killed, and an Airflow on both.

    :param folder: for their files; short, since it holds sockets.
    :param airflow_server: connection string of the PostgreSQL for Airflow's own tables, which is not killed.
    """

    def __init__(self, folder: Path, airflow_server: str) -> None:
        self._folder = folder
        self._parts = ExitStack()
        self._servers = ExitStack()
        self._postgres = LocalStack(folder / "postgres", components=["postgres"], first_slot=80)
        self._postgres.up()
        self._parts.callback(self._postgres.remove)
        server = self._postgres.environment()
        self._tables = make_conninfo(host=server["PGHOST"], user=server["PGUSER"], dbname="nightsort")
        self.aws = self._start_aws()
        self._put("labelled/a.jsonl", [{"label": label, "text": f"{words} {number}"}
                  for number in range(15) for label, words in WORDS.items()])  # fmt: skip
        documents = [{"id": f"d{n}", "text": text(n)} for n in range(DOCUMENTS)]
        self._put(f"incoming/{DAY}/a.jsonl", [*documents, {"id": "blank", "text": " "}])
        with self.tables() as connection:
            ensure_schema(connection)
        self.champion = self._train_champion("champion")
        self.airflow = CrashableAirflow(
            folder,
            database=self._new_database(airflow_server),
            tables=self._tables,
            aws_url=self.aws.url,
        )
        self._parts.callback(self.airflow.close)

    def close(self) -> None:
        """End everything."""
        self._servers.close()
        self._parts.close()

    # --- servers

    def kill_aws(self) -> None:
        """Kill the local AWS, and start it again over what it kept."""
        kill(psutil.Process(self.aws.process.pid))
        self._servers.close()
        self.aws = self._start_aws(int(self.aws.url.rpartition(":")[2]))

    def kill_postgres(self) -> None:
        """Kill the server of Nightsort's tables; its supervisor has it up again before a retry comes."""
        kill(psutil.Process(self._postgres.status()["postgres"].pid))
        end = time.monotonic() + RESTART_SECONDS
        while not self._has_tables():
            assert time.monotonic() < end, "PostgreSQL did not come again"
            time.sleep(0.05)

    def tables(self) -> psycopg.Connection[Any]:
        """Connect to Nightsort's tables."""
        return psycopg.connect(self._tables, autocommit=True)

    def calm_down(self) -> None:
        """Take what may be left of a case away, so that the next one meets nothing of it."""
        self.aws.control.clear()
        self.aws.control.set_behaviour(delays={"profile": "fast"})
        self.airflow.plan(None)
        self.airflow.let_hours_pass(False)
        comprehend = self.aws.client("comprehend")
        for endpoint in comprehend.list_endpoints()["EndpointPropertiesList"]:
            if endpoint["Status"] == "IN_SERVICE":
                comprehend.delete_endpoint(EndpointArn=endpoint["EndpointArn"])
        if self.airflow.end_runs():
            self.airflow.kill_scheduler()
            self.airflow.kill_triggerer()

    # --- runs

    def new_classifier(
        self, name: str, kind: str, *, asks: bool = False, real_time: bool = False, small: bool = False
    ) -> None:
        """Make a classifier the only one, with an active version that was made from other data.

        :param kind: ``train`` or ``classify``; before a night, there is one whose results are reused.
        :param asks: whether its DAGs have the task that asks a person when the budget is exceeded.
        :param real_time: whether it has an endpoint, at hours that are not now.
        :param small: whether its endpoint is open, and its night has so few texts that they go there.
        """
        for spec in self.airflow.specs.iterdir():
            spec.unlink()
        (self.airflow.specs / f"{name}.yaml").write_text(
            nightly_spec(name, BUCKET, ROLE)
            + f"export: parquet\nbudget: {{when_over: {'ask' if asks else 'fail'}}}\n"
            + (not_now() if real_time or small else "")
            + (f"batch: {{endpoint_below: {DOCUMENTS}}}\n" if small else "")
            + ("reuse: {days: 30}\n" if kind == "classify" else "")
        )
        with self.tables() as connection:
            record_version(connection, replace(self.champion, classifier=name))
            promote(connection, classifier=name, version=self.champion.version)
        if kind == "classify":
            self._classified_on_the_eve(name)
        if small:
            self._open_endpoint(name)

    def lose_documents(self, name: str) -> None:
        """Have Comprehend lose half of the documents of a classifier's first job."""
        self.aws.control.inject("lost_lines", resource="job", name=f"{name}-", share=0.5)

    def outcome(self, name: str) -> Outcome:
        """What the runs of a classifier left behind."""
        with self.tables() as connection:
            tables = {
                table: connection.execute(statement.encode(), (name,)).fetchall()
                for table, statement in (
                    ("predictions", PREDICTIONS),
                    ("classification_runs", RUNS),
                    ("classifier_versions", VERSIONS),
                    ("promotion_decisions", DECISIONS),
                )
            }
        return Outcome(
            tables,
            self._exported(name),
            len(self.jobs(name)),
            self.trainings(name),
            answers=self.answers(name),
        )

    def jobs(self, name: str) -> list[str]:
        """The names of a classifier's jobs, of whatever state."""
        pages = self.aws.client("comprehend").get_paginator("list_document_classification_jobs").paginate()
        jobs = [job for page in pages for job in page["DocumentClassificationJobPropertiesList"]]
        return [job["JobName"] for job in jobs if job["JobName"].startswith(f"{name}-")]

    def trainings(self, name: str) -> int:
        """The number of a classifier's versions, of whatever state."""
        pages = (
            self.aws.client("comprehend")
            .get_paginator("list_document_classifiers")
            .paginate(Filter={"DocumentClassifierName": name})
        )
        return sum(len(page["DocumentClassifierPropertiesList"]) for page in pages)

    # --- endpoints

    @cached_property
    def another_version(self) -> ClassifierVersion:
        """A second version, made when it is first needed."""
        return self._train_champion("another")

    def promote_another_version(self, name: str) -> None:
        """Make another version of a classifier the active one."""
        version = replace(self.another_version, classifier=name, version="v1")
        with self.tables() as connection:
            record_version(connection, version)
            promote(connection, classifier=name, version="v1")

    def end_time_of_endpoint(self, name: str) -> None:
        """Have the time be over for which a person opened an endpoint."""
        with self.tables() as connection:
            connection.execute(
                "UPDATE nightsort.endpoint_hours SET by_hand_until = now() WHERE classifier = %s", (name,)
            )

    def openings(self, name: str) -> list[Record]:
        """The rows of a classifier's endpoint."""
        begin, end = (datetime(year, 1, 1, tzinfo=timezone.utc) for year in (2000, 3000))
        with self.tables() as connection:
            return openings_between(connection, name, begin, end)

    def endpoint_arn(self, name: str) -> str:
        """The ARN of a classifier's endpoint."""
        account = ROLE.split(":")[4]
        return f"arn:aws:comprehend:{REGION}:{account}:document-classifier-endpoint/{endpoint_name(name)}"

    def endpoint(self, name: str) -> dict[str, Any] | None:
        """A classifier's endpoint, as Comprehend describes it."""
        found = self.aws.client("comprehend").list_endpoints()["EndpointPropertiesList"]
        return next((each for each in found if each["EndpointArn"] == self.endpoint_arn(name)), None)

    def answers(self, name: str) -> int:
        """How often a classifier's endpoint answered."""
        now = datetime.now(timezone.utc)
        counts = self.aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Comprehend",
            MetricName="ConsumedInferenceUnits",
            Dimensions=[{"Name": "EndpointArn", "Value": self.endpoint_arn(name)}],
            StartTime=now - timedelta(hours=12),
            EndTime=now,
            Period=60,
            Statistics=["SampleCount"],
        )
        return sum(int(each["SampleCount"]) for each in counts["Datapoints"])

    def _open_endpoint(self, name: str) -> None:
        self.aws.client("comprehend").create_endpoint(
            EndpointName=endpoint_name(name), ModelArn=self.champion.arn, DesiredInferenceUnits=1
        )

        def is_open() -> bool:
            found = self.endpoint(name)
            return found is not None and found["Status"] == "IN_SERVICE"

        wait_until(is_open, "the endpoint is open")

    # --- parts

    def _classified_on_the_eve(self, name: str) -> None:
        """Keep the results of the first texts of the day for a classifier, as an earlier night does."""
        version = self.champion.version
        layout = WorkLayout(str(self._folder / "kept" / name))
        results = {"version": version, "run_key": EVE, "batch": EVE_BATCH}
        with ResultsWriter(plain_access(), layout, **results) as writer:
            hashes = as_column(*hash_texts(pa.array([text(n) for n in range(KNOWN)])))
            scores = pa.array([[0.75, 0.25]] * KNOWN, SCORES)
            writer.add(hashes, pa.array([["billing", "technical"]] * KNOWN, LABELS), scores)
            writer.upload()
        kept = layout.stored_results(version, EVE, EVE_BATCH)
        key = WorkLayout(f"work/{name}").stored_results(version, EVE, EVE_BATCH)
        self.aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=Path(kept).read_bytes())
        with self.tables() as connection:
            connection.execute(
                "INSERT INTO nightsort.predictions (classifier, run_key, batch, day, version, line,"
                " document_id, status, label) VALUES (%s, %s, %s, '2026-11-17', %s, 0, 'eve', 'classified',"
                " 'billing')",
                (name, EVE, EVE_BATCH, version),
            )

    def _exported(self, name: str) -> dict[str, list[dict[str, Any]]]:
        s3, place = self.aws.client("s3"), f"work/{name}/predictions/classifier={name}/"
        found = s3.list_objects_v2(Bucket=BUCKET, Prefix=place).get("Contents", [])
        files = {file["Key"]: s3.get_object(Bucket=BUCKET, Key=file["Key"])["Body"].read() for file in found}
        return {
            key.removeprefix(place): pq.read_table(BytesIO(content)).drop_columns("loaded_at").to_pylist()
            for key, content in files.items()
        }

    def _has_tables(self) -> bool:
        try:
            self.tables().close()
        except psycopg.OperationalError:
            return False
        return True

    def _new_database(self, server: str) -> str:
        name = f"airflow_{uuid.uuid4().hex}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return make_conninfo(server, dbname=name)

    def _start_aws(self, port: int = 0) -> LocalAwsServer:
        return self._servers.enter_context(local_aws(self._folder / "aws", port=port))

    def _put(self, key: str, rows: list[dict[str, Any]]) -> None:
        s3 = self.aws.client("s3")
        if not s3.list_buckets()["Buckets"]:
            s3.create_bucket(Bucket=BUCKET)
        body = "".join(json.dumps(row) + "\n" for row in rows).encode()
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def _train_champion(self, name: str) -> ClassifierVersion:
        """Train what is active before a case: it never saw a delivery, and was tested on other documents."""
        rows = "".join(
            f'{label},"{WORDS[label]} {n}"\n' for n in range(20) for label in ("billing", "technical")
        )
        self.aws.client("s3").put_object(Bucket=BUCKET, Key=f"{name}.csv", Body=rows.encode())
        comprehend = self.aws.client("comprehend")
        arn = comprehend.create_document_classifier(
            DocumentClassifierName=name,
            VersionName="v0",
            DataAccessRoleArn=ROLE,
            LanguageCode="en",
            InputDataConfig={"S3Uri": f"s3://{BUCKET}/{name}.csv"},
        )["DocumentClassifierArn"]
        wait_for_classifier(comprehend, arn)
        return ClassifierVersion(classifier=name, version="v0", arn=arn, mode="MULTI_CLASS", language="en")


def not_now() -> str:
    """The spec's part for an endpoint whose hours are neither today nor tomorrow."""
    day = (datetime.now(timezone.utc) + timedelta(days=3)).strftime("%a").lower()
    return f'real_time: {{hours: "08:00-18:00", days: {day}, idle_minutes: null, budget_usd_day: null}}\n'
