"""A classifier on S3 with nights, trainings and exported files, and a look into all that it holds."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from datetime import date
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow.parquet as pq
import yaml
from psycopg import sql
from typer.testing import CliRunner

from nightsort.batches.prepare import PreparedBatches, prepare_batches
from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.cli import app
from nightsort.exports import export_run
from nightsort.naming import batch_job_base, run_key
from nightsort.results.retry import JobOutput, line_results, prepare_retry
from nightsort.storage import plain_access
from nightsort.tables.load import load_predictions
from nightsort.tables.reuse import empty_dropped, runs_to_reuse
from nightsort.tables.run_rows import loaded_retries
from nightsort.tables.runs import finish_run
from nightsort.tables.unsent import load_rejects, load_reused
from nightsort.tables.versions import ClassifierVersion, promote, record_version
from nightsort.training.prepare import PreparedTraining, prepare_training_data

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from nightsort.batches.plan import Batch
    from nightsort.tables.run_counts import RunCounts
    from tests.integration.local_aws_server import LocalAwsServer

DAY = date(2026, 11, 18)
RUN = "20261118"
BUCKET = "forgetting"
ARN = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/tickets/version"


class World:
    """One classifier on a prefix of its own.

    As with the real Comprehend, a job is found again by its name, and is paid once. This one calls each
    document by its text; at the first attempt it fails for those that say so.
    """

    def __init__(self, aws: LocalAwsServer, dsn: str, prefix: str, **settings: Any) -> None:
        self.s3, self.dsn, self.prefix = aws.client("s3"), dsn, prefix
        # As often as one likes: the bucket of this account is there then, and that is all.
        self.s3.create_bucket(Bucket=BUCKET)
        self.root = f"s3://{BUCKET}/{prefix}"
        self.access = plain_access()
        self.paid: dict[str, int] = {}
        self.values = {
            "name": "tickets",
            "mode": "MULTI_CLASS",
            "labelled": {"uri": f"{self.root}/labelled/", "format": "jsonl", "id_column": "id"},
            "incoming": {"uri": f"{self.root}/incoming/{{day}}/", "format": "jsonl", "id_column": "id"},
            "work_uri": f"{self.root}/work",
            "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
            "batch": {"max_documents": 4},
            "quality": {"max_rejected_share": 1.0, "max_failed_share": 1.0},
            "export": {"uri": f"{self.root}/lake"},
            **settings,
        }
        self.spec = ClassifierSpec.model_validate(self.values)

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.dsn, autocommit=True)

    def arrives(self, name: str, documents: dict[str, str] | list[tuple[str, str]], day: date = DAY) -> str:
        rows = documents.items() if isinstance(documents, dict) else documents
        return self._put(f"incoming/{day}/{name}", [{"id": i, "text": text} for i, text in rows])

    def labelled(self, documents: dict[str, tuple[str, str]]) -> None:
        rows = [{"id": i, "label": label, "text": text} for i, (label, text) in documents.items()]
        self._put("labelled/a.jsonl", rows)

    def _put(self, key: str, rows: list[dict[str, str]]) -> str:
        body = "".join(json.dumps(row) + "\n" for row in rows).encode()
        self.s3.put_object(Bucket=BUCKET, Key=f"{self.prefix}/{key}", Body=body)
        return f"{self.root}/{key}"

    def train(self, *, active: bool = True) -> PreparedTraining:
        prepared = prepare_training_data(self.spec, self.access)
        version = prepared.version
        with self.connect() as conn:
            record_version(
                conn, ClassifierVersion("tickets", version, f"{ARN}/{version}", "MULTI_CLASS", "en")
            )
            if active:
                promote(conn, classifier="tickets", version=version)
        return prepared

    def prepare(self, day: date = DAY, source_uri: str | None = None, version: str = "v1") -> PreparedBatches:
        key = run_key(day, source_uri)
        with self.connect() as conn:
            empty_dropped(conn, self.spec, self.access, key)
            runs = runs_to_reuse(conn, self.spec, self.access, version=version, run_key=key)
        return prepare_batches(
            self.spec,
            self.access,
            run_key=key,
            day=day,
            source_uri=source_uri,
            version=version,
            runs=runs,
        )

    def classify(self, version: str = "v1", day: date = DAY, source_uri: str | None = None) -> RunCounts:
        return self.load(self.prepare(day, source_uri, version), version, source_uri)

    def load(
        self, prepared: PreparedBatches, version: str = "v1", source_uri: str | None = None
    ) -> RunCounts:
        """What the tasks behind ``prepare_batches`` do; clearing them alone does it again."""
        key = prepared.run_key
        jobs: dict[str, Any] = {}
        with self.connect() as conn:
            earlier = loaded_retries(conn, classifier="tickets", run_key=key, version=version)
            for batch in prepared.batches:
                job = {"name": batch.name, "output_uri": self._job(batch, version)}
                retries = list(earlier.get(batch.name, []))
                results = line_results(self.spec, self._output(key, job), self._outputs(key, retries))
                retry = prepare_retry(
                    self.spec,
                    self.access,
                    run_key=key,
                    batch=batch,
                    results=results,
                    attempt=len(retries) + 1,
                )
                if retry is not None:
                    sent = {"name": retry.name, "documents": retry.documents, "units": retry.units}
                    retries.append({**sent, "output_uri": self._job(retry, version)})
                first = self._output(key, job)
                load_predictions(
                    conn,
                    spec=self.spec,
                    version=version,
                    run_key=key,
                    batch=batch.name,
                    archive=first.archive,
                    manifest=first.manifest,
                    retries=self._outputs(key, retries),
                    access=self.access,
                )
                jobs[batch.name] = {**job, **({"retries": retries} if retries else {})}
            rejects = self.access.path(prepared.rejects_uri)
            load_rejects(conn, spec=self.spec, run_key=key, rejects_path=rejects)
            load_reused(conn, spec=self.spec, access=self.access, version=version, prepared=prepared)
            return finish_run(
                conn,
                spec=self.spec,
                run_key=key,
                version=version,
                prepared=prepared,
                source_uri=source_uri,
                jobs=jobs,
                access=self.access,
            )

    def export(self, key: str = RUN) -> int:
        with self.connect() as conn:
            return export_run(conn, spec=self.spec, access=self.access, run_key=key).rows

    def _output(self, key: str, job: dict[str, Any]) -> JobOutput:
        folder = self.spec.layout.run(key)
        return JobOutput.of(folder, self.access, job)

    def _outputs(self, key: str, jobs: list[dict[str, Any]]) -> list[JobOutput]:
        return [self._output(key, job) for job in jobs]

    def _job(self, batch: Batch, version: str) -> str:
        """Classify a batch, unless its job is there already; return where the output is."""
        name = batch_job_base("tickets", version, batch.name)
        folder = batch.input_uri.partition("/input/")[0]
        job_id = hashlib.sha256(name.encode()).hexdigest()[:32]
        uri = f"{folder}/output/123456789012-CLR-{job_id}/output/output.tar.gz"
        if name in self.paid:
            return uri
        self.paid[name] = batch.units
        lines: list[dict[str, Any]] = []
        if batch.input_uri.endswith("/"):
            texts = {path.name: path.read_text() for path in self.access.path(batch.input_uri).iterdir()}
            lines = [{"File": file, **self._says(text, batch.name)} for file, text in texts.items()]
        else:
            file = batch.input_uri.rpartition("/")[2]
            content = self.access.path(batch.input_uri).read_text().splitlines()
            lines = [
                {"File": file, "Line": str(n), **self._says(text, batch.name)}
                for n, text in enumerate(content)
            ]
        self.access.path(uri).write_bytes(packed("\n".join(map(json.dumps, lines)).encode()))
        return uri

    def _says(self, text: str, batch: str) -> dict[str, Any]:
        if "FAILS" in text and "-r" not in batch:
            return {"ErrorCode": "INTERNAL_SERVER_ERROR"}
        return {"Classes": [{"Name": f"like {text}", "Score": 0.5}]}

    # the command

    def forget(self, folder: Path, *arguments: str, input: str | None = None) -> Result:
        file = folder / "tickets.yaml"
        file.write_text(yaml.safe_dump(self.values))
        given = ["forget", str(file), "--dsn", self.dsn, *arguments]
        return CliRunner(env={"COLUMNS": "500"}).invoke(app, given, input=input)

    # what is there

    def table(self, key: str = RUN) -> dict[str, str | None]:
        with self.connect() as conn:
            rows = conn.execute(
                "SELECT document_id, label FROM nightsort.predictions"
                " WHERE run_key = %s AND status <> 'rejected' ORDER BY batch, line",
                (key,),
            ).fetchall()
        assert len(dict(rows)) == len(rows)
        return dict(rows)

    def rows(self) -> dict[str, list[Any]]:
        """All rows of all tables, without times, and without the drift, which is judged when a run ends."""
        with self.connect() as conn:
            tables = conn.execute(
                "SELECT table_name FROM information_schema.tables"
                " WHERE table_schema = 'nightsort' AND table_type = 'BASE TABLE' ORDER BY table_name"
            ).fetchall()
            return {table: _rows(conn, table) for (table,) in tables}

    def objects(self, *below: str) -> dict[str, str]:
        """All objects, as what a person would read in them; those of the source only if it is named."""
        found = {}
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{self.prefix}/")
        for key in [entry["Key"] for page in pages for entry in page.get("Contents", ())]:
            name = key.removeprefix(f"{self.prefix}/")
            if name.startswith(below or ("work/", "lake/")):
                body = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
                found[name] = readable(name, body)
        return found

    def holds(self, *needles: str) -> list[str]:
        """Where one of these texts is: names of objects, their contents, and tables."""
        places = {**self.objects(), **{table: "\n".join(rows) for table, rows in self.rows().items()}}
        return [
            place for place, content in places.items() if any(n in place or n in content for n in needles)
        ]


def _rows(conn: psycopg.Connection[Any], table: str) -> list[str]:
    statement = sql.SQL(
        "SELECT to_jsonb(t) - 'loaded_at' - 'finished_at' - 'drift' - 'drifted' FROM nightsort.{} AS t"
    )
    rows = conn.execute(statement.format(sql.Identifier(table)))
    return sorted(json.dumps(row, sort_keys=True) for (row,) in rows)


def packed(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo("predictions.jsonl")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def readable(name: str, body: bytes) -> str:
    if name.endswith(".tar.gz"):
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(body)), mode="r:") as tar:
            files = [tar.extractfile(member) for member in tar.getmembers()]
            return "\n".join(file.read().decode() for file in files if file is not None)
    if name.endswith(".parquet"):
        rows = pq.read_table(io.BytesIO(body)).to_pylist()
        return "\n".join(
            json.dumps({k: v for k, v in row.items() if k != "loaded_at"}, default=str) for row in rows
        )
    return body.decode()
