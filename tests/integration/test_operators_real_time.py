"""Documents through an endpoint of a Comprehend that answers as AWS does, into real tables: none is lost, and
none is asked for twice without need."""

from __future__ import annotations

import json
import uuid
from datetime import date
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.classification_data import create_request, csv_bytes, labelled_rows, put, text_of
from tests.integration.local_aws_server import LocalAwsServer, aws_connection, local_aws, wait_for_classifier

# isort: split
from nightsort.batches.manifest import Manifest
from nightsort.batches.plan import Batch
from nightsort.batches.prepare import prepare_batches
from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.real_time.classify import classify_documents
from nightsort.real_time.documents import batch_documents
from nightsort.results.join import ENDPOINT, BatchResults
from nightsort_airflow.exceptions import ClassificationInterruptedError
from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook
from nightsort_airflow.hooks.endpoint_client import REAL_TIME_CONFIG, EndpointClient
from nightsort_airflow.hooks.storage import task_access
from nightsort_airflow.operators.comprehend import (
    ComprehendClassifyDocumentsOperator,
    ComprehendCreateEndpointOperator,
    ComprehendUpdateEndpointOperator,
)
from tests.integration.operator_runs import OperatorRun
from tests.integration.operator_trips import BUCKET, Trip, as_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

QUICKLY: dict[str, Any] = {"waiter_delay": 0.2}

TEXTRACT = {
    "DetectDocumentTextModelVersion": "1.0",
    "DocumentMetadata": {"Pages": 1},
    "Blocks": [{"BlockType": "LINE", "Text": text_of("BUG", 7)}],
}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAwsServer]:
    with local_aws() as server:
        server.client("s3").create_bucket(Bucket=BUCKET)
        yield server


@pytest.fixture(autouse=True)
def connections(aws: LocalAwsServer, empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", aws_connection(aws.url))
    monkeypatch.setenv("AIRFLOW_CONN_NIGHTSORT_DB", json.dumps(as_connection(empty_database)))


@pytest.fixture(scope="module")
def models(aws: LocalAwsServer) -> tuple[str, str]:
    """Two versions of one classifier."""
    uri, comprehend = put(aws, "real/training.csv", csv_bytes(labelled_rows(12))), aws.client("comprehend")
    arns = [
        comprehend.create_document_classifier(**create_request("real", uri, VersionName=version))[
            "DocumentClassifierArn"
        ]
        for version in ("v1", "v2")
    ]
    assert [wait_for_classifier(comprehend, arn)["Status"] for arn in arns] == ["TRAINED"] * 2
    return arns[0], arns[1]


@pytest.fixture
def endpoint(aws: LocalAwsServer, models: tuple[str, str]) -> Iterator[str]:
    """An endpoint that serves the first version."""
    opening = ComprehendCreateEndpointOperator(
        task_id="open",
        endpoint_name=f"nightsort-{uuid.uuid4().hex[:8]}",
        model_arn=models[0],
        desired_inference_units=10,
        deferrable=True,
        **QUICKLY,
    )
    arn: str = OperatorRun().execute(opening)["endpoint_arn"]
    yield arn
    aws.client("comprehend").delete_endpoint(EndpointArn=arn)


@pytest.fixture
def folder(aws: LocalAwsServer) -> str:
    return uuid.uuid4().hex[:8]


def bring(aws: LocalAwsServer, folder: str, number: int) -> list[str]:
    """Put documents on S3, one a line; return their labels."""
    labels = [("BUG", "BILLING", "PRAISE")[line % 3] for line in range(number)]
    lines = "".join(f"{text_of(label, line)}\n" for line, label in enumerate(labels))
    aws.client("s3").put_object(Bucket=BUCKET, Key=f"{folder}/new/monday.txt", Body=lines.encode())
    return labels


def classifying(endpoint: str, folder: str, **overrides: Any) -> ComprehendClassifyDocumentsOperator:
    arguments: dict[str, Any] = {
        "task_id": "classify",
        "endpoint_arn": endpoint,
        "classification_name": "monday",
        "input_data_config": {"S3Uri": f"s3://{BUCKET}/{folder}/new/", "InputFormat": "ONE_DOC_PER_LINE"},
        "output_data_config": {"S3Uri": f"s3://{BUCKET}/{folder}/out/"},
        "db_conn_id": "nightsort_db",
        "classifier": "tickets",
        "run_key": "20261118",
        **overrides,
    }
    return ComprehendClassifyDocumentsOperator(**arguments)


def rows(dsn: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        if connection.execute("SELECT to_regclass('nightsort.predictions')").fetchone() == (None,):
            return []
        return connection.execute(
            "SELECT line, document_id, version, status, label, reason, source FROM nightsort.predictions "
            "WHERE classifier = 'tickets' AND run_key = '20261118' AND batch = 'monday' ORDER BY line"
        ).fetchall()


def test_lines_become_rows_in_their_order_and_a_second_run_asks_for_nothing(
    aws: LocalAwsServer, endpoint: str, folder: str, empty_database: str
) -> None:
    labels = bring(aws, folder, 40)
    s3 = aws.client("s3")
    content = s3.get_object(Bucket=BUCKET, Key=f"{folder}/new/monday.txt")["Body"].read()
    s3.put_object(Bucket=BUCKET, Key=f"{folder}/new/monday.txt", Body=content + b"\n" + b"x" * 10_001 + b"\n")
    first = OperatorRun().execute(classifying(endpoint, folder))
    sums = {key: first[key] for key in ("documents_in", "classified", "failed", "rejected", "asked", "known")}
    assert sums == {
        "documents_in": 42,
        "classified": 40,
        "failed": 2,
        "rejected": 0,
        "asked": 42,
        "known": 0,
    }
    assert first["reasons"] == {"error:EMPTY_DOCUMENT": 1, "error:TEXT_SIZE_LIMIT_EXCEEDED": 1}
    found = rows(empty_database)
    assert [row[0] for row in found] == list(range(42))
    assert found[3] == (3, "monday.txt:3", "v1", "classified", "BUG", None, "endpoint")
    assert [row[4] for row in found] == [*labels, None, None]
    with aws.control.injected("error", operation="ClassifyDocument", code="ThrottlingException") as fault:
        second = OperatorRun().execute(classifying(endpoint, folder))
        assert aws.control.struck(fault) == 0
    assert (second["asked"], second["classified"]) == (0, 40)
    assert rows(empty_database) == found


def test_files_are_sent_as_bytes_and_what_comprehend_cannot_read_fails_with_its_reason(
    aws: LocalAwsServer, endpoint: str, folder: str, empty_database: str
) -> None:
    files = {
        "a.txt": text_of("BUG", 1).encode(),
        "b.pdf": b"%PDF-1.7 \xff",
        "c.json": json.dumps(TEXTRACT).encode(),
        "d.docx": b"PK\x03\x04",
        "e.txt": b"",
    }
    for name, body in files.items():
        aws.client("s3").put_object(Bucket=BUCKET, Key=f"{folder}/new/{name}", Body=body)
    config = {
        "S3Uri": f"s3://{BUCKET}/{folder}/new/",
        "InputFormat": "ONE_DOC_PER_FILE",
        "DocumentReaderConfig": {"DocumentReadAction": "TEXTRACT_DETECT_DOCUMENT_TEXT"},
    }
    counts = OperatorRun().execute(classifying(endpoint, folder, input_data_config=config, send_bytes=True))
    assert (counts["documents_in"], counts["classified"], counts["failed"]) == (5, 2, 3)
    assert [row[1:] for row in rows(empty_database)] == [
        ("a.txt", "v1", "classified", "BUG", None, "endpoint"),
        ("b.pdf", "v1", "failed", None, "error:UNSUPPORTED_DOC_TYPE", "endpoint"),
        ("c.json", "v1", "classified", "BUG", None, "endpoint"),
        ("d.docx", "v1", "failed", None, "error:UNSUPPORTED_DOC_TYPE", "endpoint"),
        ("e.txt", "v1", "failed", None, "error:EMPTY_DOCUMENT", "endpoint"),
    ]


def test_a_busy_endpoint_loses_no_document(
    aws: LocalAwsServer, endpoint: str, folder: str, empty_database: str
) -> None:
    labels = bring(aws, folder, 60)
    with (
        aws.control.injected(
            "error", operation="ClassifyDocument", code="ThrottlingException", rate=0.2, times=10
        ),
        aws.control.injected("error", operation="ClassifyDocument", code="InternalServerException", after=9),
        aws.control.injected("reset_after", operation="ClassifyDocument", after=20),
    ):
        counts = OperatorRun().execute(classifying(endpoint, folder))
    assert [row[4] for row in rows(empty_database)] == labels
    assert counts["refusals"] >= 2


# --- whatever dies ------------------------------------------------------------------------------------------


class DeathError(BaseException):
    """The end of a process."""


def dies_at(task: Any, number: int) -> None:
    """The process dies at this request."""
    client: Any = task.hook.client
    real = client.classify_document
    asked: list[int] = []

    def classify(**request: Any) -> Any:
        asked.append(1)
        if len(asked) == number:
            raise DeathError
        return real(**request)

    client.classify_document = classify


def test_wherever_it_dies_the_next_try_goes_on_and_all_are_in_the_table_once(
    aws: LocalAwsServer, endpoint: str, folder: str, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightsort.real_time.classify.STORED_TOGETHER", 10)
    labels = bring(aws, folder, 60)
    run = OperatorRun()
    for number in (1, 20, 25):
        task = classifying(endpoint, folder)
        dies_at(task, number)
        with pytest.raises(DeathError):
            run.execute(task)
    assert rows(empty_database) == []
    last = run.execute(classifying(endpoint, folder))
    assert last["known"] >= 30
    assert last["known"] + last["asked"] == 60
    assert [row[4] for row in rows(empty_database)] == labels


def test_killed_between_the_output_and_the_rows_it_asks_for_nothing_again(
    aws: LocalAwsServer, endpoint: str, folder: str, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = bring(aws, folder, 12)
    run = OperatorRun()

    def dies(*_: Any, **__: Any) -> None:
        raise DeathError

    with monkeypatch.context() as killed:
        killed.setattr("nightsort.tables.load.replace_rows", dies)
        with pytest.raises(DeathError):
            run.execute(classifying(endpoint, folder))
    assert run.execute(classifying(endpoint, folder))["asked"] == 0
    assert [row[4] for row in rows(empty_database)] == labels


def test_an_endpoint_that_is_promoted_or_closed_meanwhile_mixes_no_versions(
    aws: LocalAwsServer, models: tuple[str, str], endpoint: str, folder: str, empty_database: str
) -> None:
    bring(aws, folder, 12)
    run = OperatorRun()
    task = classifying(endpoint, folder)
    client: Any = task.hook.client
    real = client.classify_document
    asked: list[int] = []

    def promoted(**request: Any) -> Any:
        if not asked:
            asked.append(1)
            change = ComprehendUpdateEndpointOperator(
                task_id="change", endpoint_arn=endpoint, desired_model_arn=models[1], waiter_delay=1
            )
            OperatorRun().execute(change)
        return real(**request)

    client.classify_document = promoted
    with pytest.raises(ClassificationInterruptedError, match=r"serves .*/v2, and not .*/v1"):
        run.execute(task)
    assert rows(empty_database) == []
    assert run.execute(classifying(endpoint, folder))["model_arn"] == models[1]
    assert {row[2] for row in rows(empty_database)} == {"v2"}


# --- the batches of a night ---------------------------------------------------------------------------------


@pytest.mark.parametrize("per_file", [False, True])
def test_a_prepared_batch_has_the_results_that_a_job_would_give(
    aws: LocalAwsServer,
    endpoint: str,
    empty_database: str,
    per_file: bool,
    spec_of: Any,
) -> None:
    spec: ClassifierSpec = spec_of(per_file)
    trip = Trip(aws, empty_database, spec)
    trip.bring(30)
    access = task_access("aws_default")
    prepared = prepare_batches(spec, access, run_key="20261118", day=date(2026, 11, 18))
    (batch,) = prepared.batches
    assert isinstance(batch, Batch)
    client = EndpointClient(
        ComprehendClassificationHook(aws_conn_id="aws_default", config=REAL_TIME_CONFIG), endpoint
    )
    output = classify_documents(
        batch_documents(batch, access, per_file=per_file),
        client,
        access,
        f"{spec.layout.run('20261118').output}{batch.name}-v1/",
    )
    results = BatchResults(
        access.path(output.output_uri),
        Manifest.read(access.path(batch.manifest_uri)),
        mode=spec.mode,
        threshold=spec.threshold,
        source=ENDPOINT,
    )
    found = [row for part in results for row in part.to_pylist()]
    assert [row["line"] for row in found] == list(range(30))
    assert {row["document_id"] for row in found} == {f"d{number}" for number in range(30)}
    assert {(row["status"], row["source"]) for row in found} == {("classified", "endpoint")}
    assert results.counts.classified == 30


@pytest.fixture
def spec_of() -> Any:
    def spec(per_file: bool) -> Any:
        name = f"small-{uuid.uuid4().hex[:8]}"
        return ClassifierSpec.model_validate(
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
                "data_access_role_arn": "arn:aws:iam::123456789012:role/x-comprehend",
                "input_format": "ONE_DOC_PER_FILE" if per_file else "ONE_DOC_PER_LINE",
            }
        )

    return spec
