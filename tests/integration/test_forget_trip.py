"""Both DAGs on a local Comprehend that really learns, and a document that is forgotten in between."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.operator_trips import BUCKET, DAY, Trip

# isort: split
from nightsort.classifier_spec.export import Export
from nightsort.cli import app
from tests.integration.operator_runs import OperatorRun
from tests.integration.trip_fixtures import bare_trip

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["bare_trip"]

pytestmark = pytest.mark.integration

TEXT = "Jane Roe would like a refund of her invoice"


@pytest.fixture
def trip(bare_trip: Trip) -> Trip:
    bare_trip.spec = bare_trip.spec.model_copy(update={"export": Export(format="parquet")})
    return bare_trip


def incoming(trip: Trip, *, jane: bool) -> None:
    rows = [{"id": f"d{n}", "text": f"document about invoices {n}"} for n in range(30)]
    if jane:
        rows.insert(7, {"id": "jane", "text": TEXT})
    trip.put(f"incoming/{DAY}/a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def forget(trip: Trip, folder: Path) -> Any:
    file = folder / "spec.yaml"
    file.write_text(yaml.safe_dump(trip.spec.model_dump(mode="json", exclude_unset=True)))
    return CliRunner().invoke(app, ["forget", str(file), "--dsn", trip.dsn, "--document-id", "jane", "--yes"])


def objects(trip: Trip) -> list[bytes]:
    s3 = trip.aws.client("s3")
    keys = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{trip.spec.name}/work/")["Contents"]
    return [s3.get_object(Bucket=BUCKET, Key=key["Key"])["Body"].read() for key in keys]


def test_cleared_and_repeated_runs_find_their_jobs_and_the_document_stays_forgotten(
    trip: Trip, tmp_path: Path
) -> None:
    trip.label(12)
    trip.train()
    incoming(trip, jane=True)
    run = OperatorRun()
    assert trip.classify(run)["documents_in"] == 31
    jobs, table = trip.jobs(), trip.table()
    said = forget(trip, tmp_path)
    assert said.exit_code == 0, said.output
    assert f"{DAY}/a.jsonl row 7" in said.output
    left = [row for row in table if row[3] != "jane"]
    assert trip.table() == left
    assert not any(TEXT.encode() in content for content in objects(trip))

    for index, mapped in enumerate(run.xcoms["prepare_batches", "return_value"][0]):
        trip.classify_batch(run, index, mapped)
    assert trip.reconcile(run)["documents_in"] == 30
    assert trip.export(run)["rows"] == 30
    assert (trip.table(), trip.jobs()) == (left, jobs)

    incoming(trip, jane=False)
    assert trip.classify(OperatorRun(run_id="manual__2"))["documents_in"] == 30
    assert (trip.table(), trip.jobs()) == (left, jobs)

    incoming(trip, jane=True)
    assert trip.classify(OperatorRun(run_id="manual__3"))["documents_in"] == 31
    assert len(trip.jobs()) == len(jobs) + 1
    assert [row for row in trip.table() if row[3] != "jane"] == left
