"""Both DAGs, task by task, on a local Comprehend and a real PostgreSQL."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

import psycopg
from psycopg.conninfo import conninfo_to_dict

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.local_aws_server import ROLE, LocalAwsServer, aws_connection

# isort: split
from airflow.sdk.exceptions import AirflowSkipException

from nightsort.classifier_spec.model import ClassifierSpec
from nightsort_airflow.assets import active_version_alias, export_asset, predictions_asset
from nightsort_airflow.comprehend_requests import output_config, training_input_config
from nightsort_airflow.operators.batch_job import StartBatchJobOperator
from nightsort_airflow.operators.classification import (
    ExportPredictionsOperator,
    LoadPredictionsOperator,
    PrepareBatchesOperator,
)
from nightsort_airflow.operators.comprehend import ComprehendCreateDocumentClassifierOperator
from nightsort_airflow.operators.failed_documents import PrepareRetriesOperator
from nightsort_airflow.operators.reconcile import ReconcileRunOperator
from nightsort_airflow.operators.training import (
    EvaluateClassifierOperator,
    PrepareTrainingDataOperator,
    PromoteClassifierOperator,
    ScoreActiveVersionOperator,
)
from tests.integration.operator_runs import OperatorRun
from tests.made_texts import WORDS

if TYPE_CHECKING:
    import pytest

BUCKET = "trip"
DAY = "2026-11-18"


@dataclass
class Trip:
    """One classifier on its own prefix and database."""

    aws: LocalAwsServer
    dsn: str
    spec: ClassifierSpec

    def put(self, key: str, text: str) -> None:
        self.aws.client("s3").put_object(Bucket=BUCKET, Key=f"{self.spec.name}/{key}", Body=text.encode())

    def label(self, documents: int) -> None:
        rows = [
            {"label": label, "text": f"{words} {number}"}
            for number in range(documents)
            for label, words in WORDS.items()
        ]
        self.put("labelled/a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    def bring(self, documents: int, *, start: int = 0, day: str = DAY) -> None:
        words = list(WORDS.values())
        rows = [{"id": f"d{n}", "text": f"{words[n % 3]} {n}"} for n in range(start, start + documents)]
        self.put(
            f"incoming/{day}/a.jsonl",
            "".join(json.dumps(row) + "\n" for row in [*rows, {"id": "blank", "text": " "}]),
        )

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(statement).fetchall()

    def table(self) -> list[tuple[Any, ...]]:
        return self.query(
            "SELECT run_key, batch, line, document_id, version, status, label, score, reason "
            "FROM nightsort.predictions ORDER BY run_key, batch, line"
        )

    def jobs(self) -> list[str]:
        found = self.aws.client("comprehend").list_document_classification_jobs(MaxResults=500)
        names = [job["JobName"] for job in found["DocumentClassificationJobPropertiesList"]]
        return sorted(name for name in names if name.startswith(f"{self.spec.name}-"))

    # the two DAGs, task by task
    # -----------------------------------------------------------------------------------

    def create_classifier(self, training: dict[str, Any]) -> ComprehendCreateDocumentClassifierOperator:
        spec = self.spec
        return ComprehendCreateDocumentClassifierOperator(
            task_id="create_classifier",
            document_classifier_name=spec.name,
            version_name=training["version"],
            input_data_config=training_input_config(spec, training["training_uri"], training["test_uri"]),
            output_data_config=output_config(spec, training["training_output_uri"]),
            mode=spec.mode,
            language_code=spec.language,
            data_access_role_arn=spec.data_access_role_arn,
            aws_conn_id=spec.aws_conn_id,
            deferrable=True,
            waiter_delay=1,
        )

    def train(self, run: OperatorRun | None = None) -> dict[str, Any]:
        run, spec = run or OperatorRun(), self.spec
        training = run.execute(
            PrepareTrainingDataOperator(task_id="prepare_training_data", spec=spec, day=DAY)
        )
        arn = run.execute(self.create_classifier(training))
        evaluation = run.execute(
            EvaluateClassifierOperator(
                task_id="evaluate_classifier", spec=spec, document_classifier_arn=arn, training=training
            )
        )
        try:
            scores = run.execute(
                ScoreActiveVersionOperator(
                    task_id="score_active_version",
                    nothing_to_score=evaluation["nothing_to_score"],
                    document_classifier_arn=evaluation["score_arn"],
                    job_name=evaluation["score_job_name"],
                    input_data_config={
                        "S3Uri": evaluation["score_input_uri"],
                        "InputFormat": "ONE_DOC_PER_LINE",
                    },
                    output_data_config=output_config(spec, training["scores_output_uri"]),
                    input_fingerprint=evaluation["score_fingerprint"],
                    data_access_role_arn=spec.data_access_role_arn,
                    aws_conn_id=spec.aws_conn_id,
                    deferrable=True,
                    waiter_delay=1,
                )
            )
        except AirflowSkipException:
            scores = None
        decision: dict[str, Any] = run.execute(
            PromoteClassifierOperator(
                task_id="promote_classifier",
                spec=spec,
                training=training,
                evaluation=evaluation,
                scores=scores,
                outlets=[active_version_alias(spec.name)],
            )
        )
        return decision

    def prepare(self, run: OperatorRun, **given: Any) -> list[dict[str, Any]]:
        batches: list[dict[str, Any]] = run.execute(
            PrepareBatchesOperator(task_id="prepare_batches", spec=self.spec, **{"day": DAY, **given})
        )
        return batches

    def start_job(
        self, run: OperatorRun, index: int, mapped: dict[str, Any], group: str = "classify_batch"
    ) -> dict[str, Any]:
        job: dict[str, Any] = run.execute(
            StartBatchJobOperator(
                task_id=f"{group}.start_job",
                job=mapped["job"],
                data_access_role_arn=self.spec.data_access_role_arn,
                aws_conn_id=self.spec.aws_conn_id,
                deferrable=True,
                waiter_delay=1,
            ),
            index=index,
        )
        return job

    def classify_batch(
        self, run: OperatorRun, index: int, mapped: dict[str, Any], group: str = "classify_batch"
    ) -> dict[str, Any]:
        job = self.start_job(run, index, mapped, group)
        loaded: dict[str, Any] = run.execute(
            LoadPredictionsOperator(
                task_id=f"{group}.load_predictions",
                spec=self.spec,
                run=run.xcoms["prepare_batches", "run"][0],
                batch=mapped["batch"],
                job=job,
            ),
            index=index,
        )
        return loaded

    def prepare_retries(self, run: OperatorRun) -> list[dict[str, Any]]:
        retries: list[dict[str, Any]] = run.execute(
            PrepareRetriesOperator(
                task_id="prepare_retries",
                spec=self.spec,
                prepare_task_id="prepare_batches",
                load_task_id="classify_batch.load_predictions",
            )
        )
        return retries

    def reconcile(self, run: OperatorRun) -> dict[str, Any]:
        counts: dict[str, Any] = run.execute(
            ReconcileRunOperator(
                task_id="reconcile_run",
                spec=self.spec,
                prepare_task_id="prepare_batches",
                job_task_ids=["classify_batch.start_job", "retry_batch.start_job"],
                load_task_ids=["classify_batch.load_predictions", "retry_batch.load_predictions"],
                retry_task_id="prepare_retries",
                outlets=[predictions_asset(self.spec.name)],
            )
        )
        return counts

    def classify(self, run: OperatorRun | None = None, **given: Any) -> dict[str, Any]:
        run = run or OperatorRun()
        for index, mapped in enumerate(self.prepare(run, **given)):
            self.classify_batch(run, index, mapped)
        for index, mapped in enumerate(self.prepare_retries(run)):
            self.classify_batch(run, index, mapped, "retry_batch")
        counts = self.reconcile(run)
        if self.spec.export:
            self.export(run)
        return counts

    def export(self, run: OperatorRun) -> dict[str, Any]:
        exported: dict[str, Any] = run.execute(
            ExportPredictionsOperator(
                task_id="export_predictions",
                spec=self.spec,
                run=run.xcoms["prepare_batches", "run"][0],
                outlets=[export_asset(self.spec.name)],
            )
        )
        return exported


def make_trip(aws: LocalAwsServer, dsn: str, monkeypatch: pytest.MonkeyPatch, test: str) -> Trip:
    """Make the trip of one test: a classifier with a name of its own, connections to both servers."""
    # As often as one likes: the bucket of this account is there then, and that is all.
    aws.client("s3").create_bucket(Bucket=BUCKET)
    monkeypatch.setenv("AIRFLOW_CONN_TRIP_AWS", aws_connection(aws.url))
    monkeypatch.setenv("AIRFLOW_CONN_TRIP_DB", json.dumps(as_connection(dsn)))
    name = f"t{crc32(test.encode()):08x}"
    spec = ClassifierSpec.model_validate(
        {
            "name": name,
            "mode": "MULTI_CLASS",
            "labelled": {"uri": f"s3://{BUCKET}/{name}/labelled/", "format": "jsonl"},
            "incoming": {
                "uri": f"s3://{BUCKET}/{name}/incoming/{{day}}/",
                "format": "jsonl",
                "id_column": "id",
            },
            "work_uri": f"s3://{BUCKET}/{name}/work",
            "data_access_role_arn": ROLE,
            "aws_conn_id": "trip_aws",
            "db_conn_id": "trip_db",
            "batch": {"max_documents": 20},
        }
    )
    return Trip(aws, dsn, spec)


def as_connection(dsn: str, **extra: str) -> dict[str, Any]:
    parts = conninfo_to_dict(dsn)
    return {
        "conn_type": "postgres",
        "host": parts["host"],
        "port": parts.get("port"),
        "login": parts["user"],
        "password": parts.get("password"),
        "schema": parts["dbname"],
        "extra": extra,
    }
