"""The steps of both DAGs, from labelled documents to rows that add up, on a local Comprehend and a real
PostgreSQL."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

import psycopg
import pytest
from local_aws_server import CREDENTIALS, REGION, ROLE, LocalAwsServer, local_aws
from psycopg.conninfo import conninfo_to_dict

import tests.airflow_environment  # noqa: F401 - before Airflow

# isort: split
from airflow.sdk.exceptions import AirflowSkipException
from operator_runs import OperatorRun

from include.nightsort.classifier_spec import Budget, ClassifierSpec
from nightsort_airflow import dag_parts
from nightsort_airflow.exceptions import BudgetExceededError, NoActiveVersionError, RunIncompleteError
from nightsort_airflow.hooks.database import NightsortDatabaseHook
from nightsort_airflow.hooks.storage import task_access
from nightsort_airflow.operators.classification import (
    LoadPredictionsOperator,
    PrepareBatchesOperator,
    ReconcileRunOperator,
)
from nightsort_airflow.operators.comprehend import (
    ComprehendCreateDocumentClassifierOperator,
    ComprehendStartDocumentClassificationJobOperator,
)
from nightsort_airflow.operators.training import (
    EvaluateClassifierOperator,
    PrepareTrainingDataOperator,
    PromoteClassifierOperator,
    ScoreActiveVersionOperator,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

BUCKET = "trip"
DAY = "2026-11-18"
WORDS = {
    "billing": "invoice refund payment card",
    "technical": "crash error screen update",
    "delivery": "parcel courier street late",
}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAwsServer]:
    with local_aws() as server:
        server.client("s3").create_bucket(Bucket=BUCKET)
        yield server


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
            return connection.execute(statement).fetchall()  # type: ignore[arg-type]

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

    def train(self, run: OperatorRun | None = None) -> dict[str, Any]:
        run, spec = run or OperatorRun(), self.spec
        training = run.execute(
            PrepareTrainingDataOperator(task_id="prepare_training_data", spec=spec, day=DAY)
        )
        arn = run.execute(
            ComprehendCreateDocumentClassifierOperator(
                task_id="create_classifier",
                document_classifier_name=spec.name,
                version_name=training["version"],
                input_data_config=dag_parts.training_input_config(
                    spec, training["training_uri"], training["test_uri"]
                ),
                output_data_config=dag_parts.output_config(spec, training["training_output_uri"]),
                mode=spec.mode,
                language_code=spec.language,
                data_access_role_arn=spec.data_access_role_arn,
                aws_conn_id=spec.aws_conn_id,
                deferrable=True,
                waiter_delay=1,
            )
        )
        evaluation = run.execute(
            EvaluateClassifierOperator(
                task_id="evaluate_classifier", spec=spec, document_classifier_arn=arn, training=training
            )
        )
        try:
            scores = run.execute(
                ScoreActiveVersionOperator(
                    task_id="score_active_version",
                    document_classifier_arn=evaluation["score_arn"],
                    job_name=evaluation["score_job_name"],
                    input_data_config={
                        "S3Uri": training["test_documents_uri"],
                        "InputFormat": "ONE_DOC_PER_LINE",
                    },
                    output_data_config=dag_parts.output_config(spec, training["scores_output_uri"]),
                    input_fingerprint=training["test_fingerprint"],
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
                outlets=[dag_parts.active_version_alias(spec.name)],
            )
        )
        return decision

    def prepare(self, run: OperatorRun, **given: Any) -> list[dict[str, Any]]:
        batches: list[dict[str, Any]] = run.execute(
            PrepareBatchesOperator(task_id="prepare_batches", spec=self.spec, **{"day": DAY, **given})
        )
        return batches

    def classify_batch(self, run: OperatorRun, index: int, mapped: dict[str, Any]) -> dict[str, Any]:
        started = {key: value for key, value in mapped.items() if key != "batch"}
        job = run.execute(
            ComprehendStartDocumentClassificationJobOperator(
                task_id="start_job",
                data_access_role_arn=self.spec.data_access_role_arn,
                aws_conn_id=self.spec.aws_conn_id,
                deferrable=True,
                waiter_delay=1,
                **started,
            ),
            index=index,
        )
        loaded: dict[str, Any] = run.execute(
            LoadPredictionsOperator(
                task_id="load_predictions",
                spec=self.spec,
                run=run.xcoms["prepare_batches", "run"][0],
                batch=mapped["batch"],
                job=job,
            ),
            index=index,
        )
        return loaded

    def reconcile(self, run: OperatorRun) -> dict[str, Any]:
        counts: dict[str, Any] = run.execute(
            ReconcileRunOperator(
                task_id="reconcile_run",
                spec=self.spec,
                prepare_task_id="prepare_batches",
                job_task_id="start_job",
                load_task_id="load_predictions",
                outlets=[dag_parts.predictions_asset(self.spec.name)],
            )
        )
        return counts

    def classify(self, run: OperatorRun | None = None, **given: Any) -> dict[str, Any]:
        run = run or OperatorRun()
        for index, mapped in enumerate(self.prepare(run, **given)):
            self.classify_batch(run, index, mapped)
        return self.reconcile(run)


@pytest.fixture
def trip(
    aws: LocalAwsServer, empty_database: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Trip:
    extra = {"region_name": REGION, "endpoint_url": aws.url}
    login, password = CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
    connections = {
        "trip_aws": {"conn_type": "aws", "login": login, "password": password, "extra": extra},
        "trip_db": as_connection(empty_database),
    }
    for name, parts in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(parts))
    name = f"t{crc32(request.node.name.encode()):08x}"
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
    return Trip(aws, empty_database, spec)


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


def test_from_labelled_documents_to_rows_that_add_up(trip: Trip) -> None:
    trip.label(40)
    trip.bring(50)
    training, night = OperatorRun(), OperatorRun()
    assert trip.train(training)["promoted"]
    counts = trip.classify(night)

    assert (counts["documents_in"], counts["classified"], counts["failed"], counts["rejected"]) == (
        51,
        50,
        0,
        1,
    )
    assert counts["reasons"] == {"blank": 1}
    assert len(trip.table()) == 51
    assert len(trip.jobs()) == 3
    ((version, metrics, active),) = trip.query(
        "SELECT version, metrics, active FROM nightsort.classifier_versions"
    )
    assert active
    assert metrics["macro_f1"] > 0.9
    assert {row[4] for row in trip.table() if row[5] == "classified"} == {version}
    ((state, batches),) = trip.query("SELECT state, batches FROM nightsort.classification_runs")
    assert state == "complete"
    assert [batch["loaded"] for batch in batches] == [20, 20, 10]
    assert all(batch["job_id"] for batch in batches)
    extra = night.events[dag_parts.predictions_asset(trip.spec.name)].extra
    assert (extra["classified"], extra["version"], extra["day"]) == (50, version, DAY)
    (promotion,) = training.events[dag_parts.active_version_alias(trip.spec.name)].asset_alias_events
    assert promotion.dest_asset_key.uri == f"x-nightsort://{trip.spec.name}/active-version"
    assert promotion.extra["version"] == version


def test_the_same_run_done_again_starts_nothing_and_leaves_the_same_table(trip: Trip) -> None:
    trip.label(40)
    trip.bring(50)
    trip.train()
    trip.classify()
    before, jobs = trip.table(), trip.jobs()
    again = trip.train()
    assert (again["promoted"], again["reason"]) == (False, f"{again['version']} is active already.")
    trip.classify()
    assert trip.table() == before
    assert trip.jobs() == jobs


def test_a_better_version_is_compared_on_the_same_test_documents_and_takes_over(trip: Trip) -> None:
    """The first one never saw a delivery; it classifies the second one's test documents to be compared."""
    delivery = WORDS.pop("delivery")
    try:
        trip.label(40)
    finally:
        WORDS["delivery"] = delivery
    first = trip.train()
    trip.label(40)
    second = trip.train()
    assert second["promoted"]
    assert (second["against"], second["version"] != first["version"]) == (first["version"], True)
    (score,) = trip.jobs()
    assert f"-{first['version']}-score-" in score
    rows = trip.query(
        "SELECT version, against, promoted, old, new FROM nightsort.promotion_decisions ORDER BY decided_at"
    )
    assert [row[:3] for row in rows] == [
        (first["version"], "", True),
        (second["version"], first["version"], True),
    ]
    assert rows[1][3] < 0.7 < 0.9 < rows[1][4]
    assert trip.query("SELECT version FROM nightsort.classifier_versions WHERE active") == [
        (second["version"],)
    ]


def test_a_version_that_is_no_better_is_recorded_and_not_used(trip: Trip) -> None:
    trip.label(40)
    first = trip.train()
    trip.label(43)
    second = trip.train()
    assert not second["promoted"]
    assert "Not better enough" in second["reason"]
    assert trip.query("SELECT version FROM nightsort.classifier_versions WHERE active") == [
        (first["version"],)
    ]
    assert len(trip.query("SELECT 1 FROM nightsort.classifier_versions")) == 2


def test_without_an_active_version_nothing_is_sent_and_the_train_dag_is_named(trip: Trip) -> None:
    trip.bring(5)
    with pytest.raises(NoActiveVersionError, match=f"run the DAG train_{trip.spec.name} first"):
        trip.classify()
    assert trip.jobs() == []


def test_a_night_over_budget_starts_nothing(trip: Trip) -> None:
    trip.label(40)
    trip.bring(50)
    trip.train()
    rich, trip.spec = trip.spec, trip.spec.model_copy(update={"budget": Budget(run_usd=0.01)})
    with pytest.raises(BudgetExceededError, match=r"50 documents.*0.0750 USD.*Raise budget\.run_usd"):
        trip.classify()
    assert trip.jobs() == []
    trip.spec = rich
    assert trip.classify()["classified"] == 50


def test_a_night_without_documents_is_a_success_with_zeros(trip: Trip) -> None:
    trip.label(40)
    trip.train()
    counts = trip.classify()
    assert (counts["documents_in"], counts["classified"], counts["rejected"], counts["cost_usd"]) == (
        0,
        0,
        0,
        0,
    )
    assert trip.query("SELECT state, documents_in FROM nightsort.classification_runs") == [("complete", 0)]


def test_documents_given_by_hand_are_a_run_of_their_own(trip: Trip) -> None:
    trip.label(40)
    trip.bring(5)
    trip.train()
    trip.classify()
    trip.put("export/b.jsonl", json.dumps({"id": "hand", "text": "refund my card"}) + "\n")
    trip.classify(source_uri=f"s3://{BUCKET}/{trip.spec.name}/export/*.jsonl")
    keys = {row[0] for row in trip.table()}
    assert len(keys) == 2
    assert all(key.startswith("20261118") for key in keys)


def test_a_batch_that_failed_makes_the_run_red_and_only_it_is_done_again(trip: Trip) -> None:
    trip.label(40)
    trip.bring(50)
    trip.train()
    run = OperatorRun()
    first, second, third = trip.prepare(run)
    trip.classify_batch(run, 0, first)
    trip.classify_batch(run, 2, third)
    with pytest.raises(RunIncompleteError, match=f"{second['batch']['name']} has 0 rows for 20 documents"):
        trip.reconcile(run)
    assert trip.query("SELECT state FROM nightsort.classification_runs") == [("incomplete",)]
    before = trip.jobs()
    trip.classify_batch(run, 1, second)
    assert trip.reconcile(run)["classified"] == 50
    assert len(set(trip.jobs()) - set(before)) == 1


def test_rows_of_an_earlier_version_do_not_hide_a_batch_that_failed(trip: Trip) -> None:
    trip.label(40)
    trip.bring(50)
    trip.train()
    trip.classify()
    run = OperatorRun()
    first, second, _ = trip.prepare(run)
    trip.classify_batch(run, 0, first)
    with pytest.raises(RunIncompleteError, match=rf"2 batches with 30 documents.*{second['batch']['name']}"):
        trip.reconcile(run)


def test_the_frozen_version_is_used_whatever_is_promoted_meanwhile(trip: Trip) -> None:
    delivery = WORDS.pop("delivery")
    try:
        trip.label(40)
    finally:
        WORDS["delivery"] = delivery
    old = trip.train()["version"]
    trip.bring(5)
    run = OperatorRun()
    (mapped,) = trip.prepare(run)
    trip.label(40)
    assert trip.train()["promoted"]
    trip.classify_batch(run, 0, mapped)
    trip.reconcile(run)
    assert {row[4] for row in trip.table() if row[5] == "classified"} == {old}


def test_no_document_text_is_logged_or_given_to_airflow(
    trip: Trip, capsys: pytest.CaptureFixture[str]
) -> None:
    trip.label(40)
    trip.bring(5)
    training, night = OperatorRun(), OperatorRun()
    trip.train(training)
    trip.classify(night)
    told = capsys.readouterr()
    given = json.dumps([list(run.xcoms.values()) for run in (training, night)])
    for words in WORDS.values():
        for text in (told.out, told.err, given):
            assert words not in text


# --- connections
# -------------------------------------------------------------------------------------------------


def test_the_database_hook_takes_socket_folder_and_libpq_extras(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {
        "application_name": "nightsort-test",
        "options": "-c statement_timeout=4321",
        "sslmode": "prefer",
    }
    monkeypatch.setenv("AIRFLOW_CONN_TABLES", json.dumps(as_connection(empty_database, **extra)))
    with NightsortDatabaseHook(postgres_conn_id="tables").connect() as connection:
        shown = [
            connection.execute(f"SHOW {name}").fetchone()[0]  # type: ignore[index, arg-type]
            for name in ("application_name", "statement_timeout")
        ]
        assert connection.info.host.startswith("/")
    assert shown == ["nightsort-test", "4321ms"]
    assert connection.closed


def test_an_sql_source_is_opened_by_its_own_connection_and_closed(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DOCUMENTS", json.dumps(as_connection(empty_database)))
    connect = task_access(None).connect
    assert connect is not None
    with connect("documents") as opened:
        cursor = opened.cursor()
        cursor.execute("SELECT 1 AS id, 'text' AS text")
        assert cursor.fetchall() == [(1, "text")]
    assert opened.closed
