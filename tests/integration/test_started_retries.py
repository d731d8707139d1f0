"""A run dies between the job of a retry and its load, and the source has changed when the day is run again.

On a local Comprehend and a real PostgreSQL, task by task.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from typer.testing import CliRunner

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.operator_trips import DAY, Trip

# isort: split
from nightsort.batches.manifest import Manifest
from nightsort.cli import app
from nightsort.storage import plain_access
from nightsort_airflow.exceptions import RunIncompleteError
from tests.integration.operator_runs import OperatorRun
from tests.integration.trip_fixtures import bare_trip
from tests.made_texts import WORDS

if TYPE_CHECKING:
    from pathlib import Path

    from nightsort_local.local_aws.control.client import LocalAwsControl

__all__ = ["bare_trip"]

pytestmark = pytest.mark.integration

DOCUMENTS, LOST, UNITS = 20, 8, 3
WORDS_OF = [*WORDS.values()]


@pytest.fixture(params=["ONE_DOC_PER_LINE", "ONE_DOC_PER_FILE"])
def trip(bare_trip: Trip, control: LocalAwsControl, request: pytest.FixtureRequest) -> Trip:
    bare_trip.spec = bare_trip.spec.model_copy(update={"input_format": request.param})
    bare_trip.label(12)
    bare_trip.train()
    control.inject("lost_lines", resource="job", name=bare_trip.spec.name, times=1, share=0.4)
    return bare_trip


def arrive(trip: Trip, ids: set[str]) -> None:
    """Put documents into the source, in the place of those that are there."""
    numbers = sorted(int(document.removeprefix("d")) for document in ids)
    rows = [{"id": f"d{number}", "text": f"{WORDS_OF[number % 3]} {number}"} for number in numbers]
    trip.put(f"incoming/{DAY}/a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


EVERY = {f"d{number}" for number in range(DOCUMENTS)}


def dies(trip: Trip, ids: set[str], run: OperatorRun | None = None, *, before: bool = False) -> list[str]:
    """Run a night that dies once its retry is paid for, or before; return the ids of what is sent again."""
    arrive(trip, ids)
    run = run or OperatorRun()
    (mapped,) = trip.prepare(run)
    trip.classify_batch(run, 0, mapped)
    (retry,) = trip.prepare_retries(run)
    if not before:
        trip.start_job(run, 0, retry, "retry_batch")
    manifest = plain_access().path(retry["batch"]["retry"]["manifest_uri"])
    found: list[str] = Manifest.read(manifest).document_ids.to_pylist()
    return found


def labels(trip: Trip) -> dict[str, str]:
    return dict(trip.query("SELECT document_id, label FROM nightsort.predictions"))


def test_a_retry_that_was_started_is_not_paid_for_twice_where_a_document_has_left(trip: Trip) -> None:
    sent = dies(trip, EVERY)
    jobs = trip.jobs()
    arrive(trip, EVERY - {sent[0]})

    again = OperatorRun(run_id="manual__2")
    counts = trip.classify(again)

    assert trip.jobs() == jobs
    assert (counts["classified"], counts["failed"]) == (DOCUMENTS - 1, 0)
    assert (counts["retried"], counts["units"]) == (LOST, (DOCUMENTS + LOST) * UNITS)
    assert labels(trip).keys() == EVERY - {sent[0]}
    assert trip.prepare_retries(again) == trip.prepare_retries(again)

    arrive(trip, EVERY)
    counts = trip.classify(OperatorRun(run_id="manual__3"))
    assert (trip.jobs(), counts["classified"]) == (jobs, DOCUMENTS)
    assert labels(trip).keys() == EVERY


def test_a_retry_that_was_started_is_not_paid_for_twice_where_a_document_was_forgotten(
    trip: Trip, tmp_path: Path
) -> None:
    died = OperatorRun()
    sent = dies(trip, EVERY, died)
    with pytest.raises(RunIncompleteError):
        trip.reconcile(died)
    jobs = trip.jobs()
    spec = tmp_path / "spec.yaml"
    spec.write_text(yaml.safe_dump(trip.spec.model_dump(mode="json", exclude_unset=True)))
    said = CliRunner().invoke(
        app, ["forget", str(spec), "--dsn", trip.dsn, "--document-id", sent[0], "--yes"]
    )
    assert said.exit_code == 0, said.output
    arrive(trip, EVERY - {sent[0]})

    counts = trip.classify(OperatorRun(run_id="manual__2"))

    assert trip.jobs() == jobs
    assert (counts["classified"], counts["failed"]) == (DOCUMENTS - 1, 0)
    assert labels(trip).keys() == EVERY - {sent[0]}


def test_a_document_that_no_started_retry_has_is_sent_with_the_others(trip: Trip) -> None:
    lost = dies(trip, EVERY, before=True)
    dies(trip, EVERY - {lost[0]})
    arrive(trip, EVERY)

    counts = trip.classify(OperatorRun(run_id="manual__2"))

    assert (counts["classified"], counts["failed"], counts["retried"]) == (DOCUMENTS, 0, LOST)
    assert labels(trip).keys() == EVERY
