"""Nights with known texts, by the operators and a Comprehend that learns: the bill is what the rows say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.operator_trips import BUCKET, DAY, Trip

# isort: split
from nightsort.classifier_spec.model import Reuse
from nightsort.comprehend.prices import document_units
from nightsort.tables.versions import active_version, promote, record_version
from tests.integration.trip_fixtures import bare_trip
from tests.made_texts import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["bare_trip"]

pytestmark = pytest.mark.integration

NIGHTS, DOCUMENTS, KNOWN = 3, 20, 4
RESULTS = """
SELECT run_key, document_id, status, label, score, labels, scores, accepted, reason
FROM nightsort.predictions WHERE classifier = %s ORDER BY run_key, document_id
"""


@pytest.fixture
def trip(bare_trip: Trip) -> Trip:
    bare_trip.label(12)
    bare_trip.train()
    bare_trip.spec = bare_trip.spec.model_copy(update={"reuse": Reuse(days=30)})
    return bare_trip


def nights_of(texts: Iterator[str]) -> list[list[str]]:
    """Return the texts of some nights: a fifth is of earlier nights, and the first one comes twice."""
    nights: list[list[str]] = []
    for _ in range(NIGHTS):
        earlier = [text for night in nights for text in night]
        new = [next(texts) for _ in range(DOCUMENTS - min(KNOWN, len(earlier)))]
        nights.append([*new, *earlier[:: max(1, len(earlier) // KNOWN)][:KNOWN], new[0]])
    return nights


def without_reuse(trip: Trip) -> Trip:
    """Return a trip of another classifier with the same version and documents, which pays for all."""
    name = f"{trip.spec.name}-pays"
    keys = {"name": name, "work_uri": f"{trip.spec.work_uri}-pays", "reuse": Reuse(same_night=False)}
    with psycopg.connect(trip.dsn, autocommit=True) as connection:
        version = active_version(connection, trip.spec.name)
        assert version is not None
        record_version(connection, replace(version, classifier=name))
        promote(connection, classifier=name, version=version.version)
    return replace(trip, spec=trip.spec.model_copy(update=keys))


def bill(trip: Trip) -> int:
    """The units that Comprehend has really classified for a classifier, from the inputs of its jobs."""
    comprehend, s3 = trip.aws.client("comprehend"), trip.aws.client("s3")
    pages = comprehend.get_paginator("list_document_classification_jobs").paginate()
    units = 0
    for job in [job for page in pages for job in page["DocumentClassificationJobPropertiesList"]]:
        _, _, key = job["InputDataConfig"]["S3Uri"].partition(f"{BUCKET}/")
        if f"{trip.spec.work_uri}/".endswith(f"{key.partition('/runs/')[0]}/"):
            lines = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode().splitlines()
            units += int(document_units(pa.array(lines)).sum())
    return units


def classify(trip: Trip, days: Sequence[str]) -> list[dict[str, Any]]:
    return [trip.classify(day=day) for day in days]


def results(trip: Trip) -> list[tuple[Any, ...]]:
    with psycopg.connect(trip.dsn) as connection:
        return connection.execute(RESULTS, (trip.spec.name,)).fetchall()


def test_the_bill_is_what_the_rows_say_and_the_tables_are_the_same(trip: Trip) -> None:
    texts = (f"{words} {number}" for number in range(1_000) for words in WORDS.values())
    nights = nights_of(texts)
    days = [str(date.fromisoformat(DAY) + timedelta(number)) for number in range(NIGHTS)]
    for day, night in zip(days, nights, strict=True):
        rows = [{"id": f"{day} {number}", "text": text} for number, text in enumerate(night)]
        trip.put(f"incoming/{day}/a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    others = without_reuse(trip)

    counts, paid = classify(trip, days), classify(others, days)

    assert results(trip) == results(others)
    assert sum(run["units"] for run in counts) == bill(trip)
    assert sum(run["units"] for run in paid) == bill(others)
    different = {text for night in nights for text in night}
    assert bill(trip) == int(document_units(pa.array(sorted(different))).sum())
    assert [run["units"] + run["saved_units"] for run in counts] == [run["units"] for run in paid]
    assert [run["reused"] for run in counts] == [0, *[KNOWN] * (NIGHTS - 1)]
    assert [run["repeated"] for run in counts] == [1] * NIGHTS
