"""The export of a night on S3, read by engines that know nothing of Nightsort, row by row as in the table."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import polars as pl
import psycopg
import pytest
import s3fs

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.local_aws_server import CREDENTIALS, REGION
from tests.integration.operator_trips import BUCKET, DAY, Trip, make_trip

# isort: split
from nightsort.classifier_spec.model import Export
from nightsort.tables.schema import ensure_schema
from nightsort_airflow.assets import export_asset
from nightsort_airflow.exceptions import BadInputError
from tests.integration.operator_runs import OperatorRun

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration

COLUMNS = (
    "classifier, run_key, batch, day, version, line, document_id, status, label, score, labels, scores, "
    "accepted, reason, loaded_at, source, source_run"
)
ORDER = ("run_key", "batch", "line")


@pytest.fixture
def trip(
    aws: LocalAwsServer, empty_database: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Trip:
    trip = make_trip(aws, empty_database, monkeypatch, request.node.name)
    uri = f"s3://{BUCKET}/{trip.spec.name}/lake"
    trip.spec = trip.spec.model_copy(update={"export": Export(uri=uri)})
    return trip


@pytest.fixture
def bucket(aws: LocalAwsServer) -> Any:
    return s3fs.S3FileSystem(
        key=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        secret=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        client_kwargs={"endpoint_url": aws.url, "region_name": REGION},
        use_listings_cache=False,
        skip_instance_cache=True,
    )


def single(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Real numbers in the precision that both sides keep."""
    return tuple(
        np.float32(value)
        if isinstance(value, float)
        else [np.float32(one) if isinstance(one, float) else one for one in value]
        if isinstance(value, list)
        else value
        for value in row
    )


def rows_of_table(trip: Trip) -> list[tuple[Any, ...]]:
    return [
        single(row) for row in trip.query("SELECT * FROM nightsort.predictions ORDER BY run_key, batch, line")
    ]


def in_duckdb(trip: Trip, bucket: Any, columns: str = COLUMNS, condition: str = "true") -> list[Any]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register_filesystem(bucket)
        found = connection.read_parquet(
            f"{trip.spec.export_uri}/*/*/*.parquet", hive_partitioning=True, filename=True
        )
        rows = found.filter(condition).order(", ".join(ORDER)).select(columns).fetchall()
    return [single(row) for row in rows]


def in_polars(trip: Trip, bucket: Any, folder: Path) -> list[tuple[Any, ...]]:
    bucket.get(trip.spec.export_uri, str(folder), recursive=True)
    found = pl.scan_parquet(folder, hive_partitioning=True).sort(*ORDER).select(COLUMNS.split(", "))
    return [single(row) for row in found.collect().iter_rows()]


def test_duckdb_and_polars_read_what_the_table_holds_after_a_night_late_documents_and_another_day(
    trip: Trip, bucket: Any, tmp_path: Path
) -> None:
    trip.label(40)
    trip.bring(50)
    trip.train()
    night = OperatorRun()
    trip.classify(night)
    expected = rows_of_table(trip)
    assert len(expected) == 51
    assert in_duckdb(trip, bucket) == expected
    assert in_polars(trip, bucket, tmp_path / "first") == expected
    event = night.events[export_asset(trip.spec.name)].extra
    place = f"{trip.spec.export_uri}/classifier={trip.spec.name}/day={DAY}/"
    assert event == {"uri": place, "files": 4, "rows": 51, "removed": 0, "day": DAY}

    trip.bring(55, start=1)
    trip.put(f"incoming/{DAY}/0-late.jsonl", json.dumps({"id": "late", "text": "refund my card"}) + "\n")
    trip.classify()
    expected = rows_of_table(trip)
    assert len(expected) == 57
    assert in_duckdb(trip, bucket) == expected
    assert in_polars(trip, bucket, tmp_path / "second") == expected

    trip.bring(5, day="2026-11-19")
    trip.classify(day="2026-11-19")
    assert in_duckdb(trip, bucket) == rows_of_table(trip)
    chosen = f"classifier = '{trip.spec.name}' AND day = DATE '2026-11-19'"
    files = set(in_duckdb(trip, bucket, "day, filename", chosen))
    assert len(files) == 2
    assert {day for day, _ in files} == {date(2026, 11, 19)}
    assert all("/day=2026-11-19/" in name for _, name in files)


def test_more_batches_than_airflow_maps_are_refused_before_a_job_is_paid_for(
    trip: Trip, monkeypatch: pytest.MonkeyPatch
) -> None:
    trip.bring(50)
    with psycopg.connect(trip.dsn) as connection:
        ensure_schema(connection)
        connection.execute(
            "INSERT INTO nightsort.classifier_versions (classifier, version, arn, mode, language, active)"
            " VALUES (%s, 'v1', 'arn:aws:comprehend', 'MULTI_CLASS', 'en', true)",
            (trip.spec.name,),
        )
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    with pytest.raises(BadInputError, match=r"3 batches.*more than the 2.*max_map_length.*max_documents"):
        trip.prepare(OperatorRun())
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "3")
    assert len(trip.prepare(OperatorRun())) == 3
