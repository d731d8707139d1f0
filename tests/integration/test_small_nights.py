"""A small night through the classifier's open endpoint, on a local Comprehend and a real PostgreSQL.

Each document has one row, and the row of the run says how its texts were sent.
"""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING

import psycopg
import pytest
import yaml
from typer.testing import CliRunner

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.operator_trips import BUCKET, DAY
from tests.integration.small_trips import BELOW, UNITS, SmallTrip, at_request, dies, trip

# isort: split
from nightsort.classifier_spec.model import BatchLimits, Export, Quality, Reuse
from nightsort.cli import app
from nightsort.tables.night_reports import night_report
from nightsort_airflow.ui.report import night_file
from tests.integration.operator_runs import OperatorRun
from tests.made_texts import WORDS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["trip"]

pytestmark = pytest.mark.integration


# --- the choice ---------------------------------------------------------------------------------------------


def test_a_small_night_goes_through_the_open_endpoint_and_costs_nothing(trip: SmallTrip) -> None:
    trip.set(export=Export())
    trip.bring(30)
    trip.open()
    run = OperatorRun()
    counts = trip.classify(run)
    assert (counts["classified"], counts["failed"], counts["rejected"]) == (30, 0, 1)
    assert (counts["units"], counts["cost_usd"]) == (0, 0.0)
    assert trip.classifying_jobs() == []
    assert trip.sources() == {"endpoint": 30}
    row = trip.row()
    assert (row["state"], row["way"], row["forecast_usd"], row["cost_usd"]) == ("complete", "endpoint", 0, 0)
    assert row["way_why"] == (
        "30 texts to send, fewer than batch.endpoint_below (50), and the endpoint is open: about 2 seconds "
        "at the pace that AWS documents"
    )
    assert [batch["source"] for batch in row["batches"]] == ["endpoint", "endpoint"]
    assert run.xcoms["prepare_batches", "forecast"][0]["text"] == (
        "Sent through the endpoint, for 0.00 USD instead of 0.0450 USD: 30 texts to send, fewer than "
        "batch.endpoint_below (50), and the endpoint is open: about 2 seconds at the pace that AWS documents."
    )
    # The export holds the same rows, and the views and pages know of batches without a job.
    assert (
        trip.query("SELECT attempt, job_id, status, source FROM nightsort.run_jobs")
        == [(0, None, "COMPLETED", "endpoint")] * 2
    )
    with psycopg.connect(trip.dsn) as connection:
        report = night_report(connection, trip.spec.name, row["run_key"])
    assert report is not None
    assert [job.source for job in report.jobs] == ["endpoint", "endpoint"]
    assert report.run.way == "endpoint"
    shown = CliRunner().invoke(app, ["night", trip.spec.name, DAY, trip.dsn], env={"COLUMNS": "200"})
    assert f"Sent through the endpoint: {row['way_why']}" in shown.output
    assert shown.output.count("  endpoint ") == 2
    with psycopg.connect(trip.dsn) as connection:
        page = night_file(connection, trip.spec.name, row["run_key"])
    assert page is not None
    assert f"through the endpoint<small>{row['way_why']}" in page
    assert page.count('data-label="Job" data-value="endpoint"') == 2


@pytest.mark.parametrize("trip", ["MULTI_CLASS", "MULTI_LABEL"], indirect=True)
def test_it_has_the_results_that_a_job_gives(trip: SmallTrip) -> None:
    trip.bring(30)
    trip.classify()
    of_job, jobs = trip.labelled(), trip.classifying_jobs()
    assert (trip.row()["way"], len(jobs)) == ("job", 2)
    assert trip.row()["way_why"] == "30 texts to send, but the endpoint is closed"
    with psycopg.connect(trip.dsn) as connection:
        connection.execute("TRUNCATE nightsort.predictions, nightsort.classification_runs")
    trip.set(work_uri=f"{trip.spec.work_uri}-of-the-endpoint")
    trip.open()
    counts = trip.classify(OperatorRun())
    assert counts["classified"] == 30
    assert trip.labelled() == of_job


def test_a_large_night_takes_jobs(trip: SmallTrip) -> None:
    trip.bring(BELOW)
    trip.open()
    counts = trip.classify()
    assert (counts["classified"], counts["units"]) == (BELOW, BELOW * UNITS)
    assert len(trip.classifying_jobs()) == 3
    row = trip.row()
    assert (row["way"], row["way_why"]) == (
        "job",
        "50 texts to send, not fewer than batch.endpoint_below (50)",
    )


def test_an_endpoint_of_another_version_is_not_asked(trip: SmallTrip) -> None:
    first = trip.active()
    trip.open(first)
    trip.label(44)
    trip.train()
    if trip.active() == first:
        with psycopg.connect(trip.dsn) as connection:
            connection.execute("UPDATE nightsort.classifier_versions SET active = NOT active")
    assert trip.active() != first
    trip.bring(10)
    trip.classify()
    row = trip.row()
    assert row["way"] == "job"
    assert row["way_why"] == f"10 texts to send, but the endpoint serves version {first.rpartition('/')[2]}"
    assert trip.sources() == {"job": 10}


def test_only_texts_that_are_still_to_be_sent_count(trip: SmallTrip) -> None:
    trip.bring(60)
    trip.classify()
    jobs = trip.classifying_jobs()
    assert trip.row()["way"] == "job"
    trip.open()
    trip.bring(70)
    counts = trip.classify(OperatorRun(run_id="manual__2"))
    assert (counts["classified"], counts["units"]) == (70, 60 * UNITS)
    assert trip.classifying_jobs() == jobs
    assert trip.sources() == {"job": 60, "endpoint": 10}
    assert trip.row()["way_why"].startswith("10 texts to send, fewer than")


def test_another_run_of_the_day_asks_nobody(trip: SmallTrip, monkeypatch: pytest.MonkeyPatch) -> None:
    trip.bring(30)
    trip.open()
    trip.classify()
    rows, row = trip.table(), trip.row()
    trip.close()
    asked = at_request(monkeypatch, 0, dies)
    counts = trip.classify(OperatorRun(run_id="manual__2"))
    assert (counts["classified"], counts["units"], asked) == (30, 0, [0])
    assert trip.table() == rows
    assert trip.classifying_jobs() == []
    again = trip.row()
    for key in ("way", "way_why", "cost_usd", "batches"):
        assert again[key] == row[key]
    assert all(batch["submitted_at"] and batch["ended_at"] for batch in again["batches"])
    # Nor without the key.
    trip.set(batch=BatchLimits(max_documents=20))
    trip.classify(OperatorRun(run_id="manual__3"))
    assert (trip.table(), trip.classifying_jobs()) == (rows, [])
    assert trip.row()["batches"] == row["batches"]


# --- what an endpoint does not take -------------------------------------------------------------------------


def test_a_text_that_is_too_long_for_the_endpoint_goes_as_a_job(trip: SmallTrip) -> None:
    trip.set(quality=Quality(retry_failed=False))
    rows = [{"id": f"d{n}", "text": f"refund invoice {n}"} for n in range(8)]
    rows.append({"id": "long", "text": "refund invoice " * 700})
    trip.put(f"incoming/{DAY}/a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    trip.open()
    counts = trip.classify()
    assert (counts["classified"], counts["failed"], counts["retried"]) == (9, 0, 1)
    assert trip.sources() == {"endpoint": 8, "job": 1}
    assert [
        row[0] for row in trip.query("SELECT document_id FROM nightsort.predictions WHERE source = 'job'")
    ] == ["long"]
    assert counts["units"] == 105


@pytest.mark.parametrize("form", ["ONE_DOC_PER_LINE", "ONE_DOC_PER_FILE"])
def test_equal_texts_and_files_are_as_in_a_job(trip: SmallTrip, form: str) -> None:
    trip.set(input_format=form)
    rows = [{"id": f"d{n}", "text": f"refund invoice {n % 4}"} for n in range(12)]
    trip.put(f"incoming/{DAY}/a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    trip.open()
    counts = trip.classify()
    assert (counts["classified"], counts["repeated"]) == (12, 8)
    assert trip.sources() == {"endpoint": 4, "repeat": 8}
    assert trip.row()["way_why"].startswith("4 texts to send")


# --- forgetting ---------------------------------------------------------------------------------------------


def test_what_an_endpoint_answered_is_forgotten_as_what_a_job_answered(
    trip: SmallTrip, tmp_path: Path
) -> None:
    trip.bring(15)
    trip.open()
    trip.classify()
    rows = trip.table()
    file = tmp_path / "spec.yaml"
    file.write_text(yaml.safe_dump(trip.spec.model_dump(mode="json", exclude_unset=True)))
    command = ["forget", str(file), "--dsn", trip.dsn, "--document-id", "d3", "--yes"]
    with trip.aws.for_this_process():
        told = CliRunner().invoke(app, command)
    assert told.exit_code == 0, told.output
    s3, work = trip.aws.client("s3"), f"{trip.spec.name}/work/"
    for found in s3.list_objects_v2(Bucket=BUCKET, Prefix=work)["Contents"]:
        body = s3.get_object(Bucket=BUCKET, Key=found["Key"])["Body"].read()
        if found["Key"].endswith("output.tar.gz"):
            with tarfile.open(fileobj=io.BytesIO(body)) as tar:
                (member,) = tar.getmembers()
                content = tar.extractfile(member)
                assert content is not None
                assert b'"Line":"3"' not in content.read()
        assert b"/answers/" not in body
    trip.put(f"incoming/{DAY}/a.jsonl", "".join(_line(n) for n in range(15) if n != 3))
    trip.close()
    counts = trip.classify(OperatorRun(run_id="manual__2"))
    assert (counts["classified"], counts["cost_usd"]) == (14, 0)
    assert trip.table() == [row for row in rows if row[3] not in ("d3", "blank")]
    assert trip.classifying_jobs() == []


def _line(number: int) -> str:
    text = f"{list(WORDS.values())[number % 3]} {number}"
    return json.dumps({"id": f"d{number}", "text": text}) + "\n"


# --- texts that are known already ---------------------------------------------------------------------------


def test_what_an_endpoint_answered_is_used_again_and_known_texts_do_not_count(trip: SmallTrip) -> None:
    trip.set(reuse=Reuse(days=30), batch=BatchLimits(endpoint_below=BELOW))
    trip.open()
    trip.bring(30)
    trip.classify()
    trip.bring(70, day="2026-11-19")
    counts = trip.classify(OperatorRun(run_id="manual__2"), day="2026-11-19")
    assert (counts["classified"], counts["reused"], counts["cost_usd"]) == (70, 30, 0)
    ((why,),) = trip.query("SELECT way_why FROM nightsort.classification_runs WHERE run_key = '20261119'")
    assert why.startswith("40 texts to send, fewer than batch.endpoint_below (50)")
    assert trip.classifying_jobs() == []
