"""A training pays for those test documents alone that the active version has not classified in a night."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.operator_trips import BUCKET, DAY, Trip

# isort: split
from nightsort.arrow.hashing import as_column, hash_texts
from nightsort.batches.plan import RunPlan
from nightsort.classifier_spec.model import Reuse
from nightsort.comprehend.prices import forecast_training
from nightsort.evaluation import from_predictions
from nightsort.reuse.store import erase_from_store
from nightsort.storage import plain_access
from tests.integration.operator_runs import OperatorRun
from tests.integration.trip_fixtures import bare_trip
from tests.made_texts import WORDS

__all__ = ["bare_trip"]

pytestmark = pytest.mark.integration

RUN_KEY = DAY.replace("-", "")
LATER = 40
"""So many documents have each label when the second version is trained."""


TOPICS = {
    "MULTI_CLASS": WORDS,
    "MULTI_LABEL": {**WORDS, "billing|delivery": "invoice refund parcel courier"},
}
"""What documents with these labels are about."""


@pytest.fixture(params=TOPICS)
def trip(bare_trip: Trip, request: pytest.FixtureRequest) -> Trip:
    keys = {"reuse": Reuse(days=30), "mode": request.param}
    if request.param == "MULTI_LABEL":
        keys["label_delimiter"] = "|"
    bare_trip.spec = bare_trip.spec.model_copy(update=keys)
    return bare_trip


def documents(trip: Trip, of_each: int) -> list[dict[str, str]]:
    return [
        {"id": f"{label} {number}", "label": label, "text": f"{words} {number}"}
        for number in range(of_each)
        for label, words in TOPICS[trip.spec.mode].items()
    ]


def put(trip: Trip, key: str, rows: list[dict[str, str]]) -> None:
    trip.put(key, "".join(json.dumps(row) + "\n" for row in rows))


def classified(trip: Trip, numbers: range) -> None:
    """Train, classify a night of documents that are labelled later; the results of some numbers are kept."""
    put(trip, "labelled/a.jsonl", documents(trip, 20))
    trip.train()
    rows = documents(trip, LATER)
    put(trip, f"incoming/{DAY}/a.jsonl", rows)
    trip.classify()
    access, layout = plain_access(), trip.spec.layout
    texts = pa.array([row["text"] for row in rows if int(row["id"].split()[-1]) not in numbers], pa.string())
    digests = {digest.as_py() for digest in as_column(*hash_texts(texts))}
    for batch in RunPlan.read(layout.run(RUN_KEY), "ONE_DOC_PER_LINE", access).batches:
        erase_from_store(access, layout, RUN_KEY, batch.name, digests)


def lines_of(trip: Trip, uri: str) -> list[str]:
    key = uri.removeprefix(f"s3://{BUCKET}/")
    content: bytes = trip.aws.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return content.decode().splitlines()


@pytest.mark.parametrize("numbers", [range(0), range(LATER // 2), range(LATER)], ids=["none", "some", "all"])
def test_known_test_documents_are_not_sent_and_count_as_if_they_were(trip: Trip, numbers: range) -> None:
    classified(trip, numbers)
    put(trip, "labelled/a.jsonl", documents(trip, LATER))
    run = OperatorRun()

    decision = trip.train(run)

    training = run.xcoms["prepare_training_data", "return_value"][0]
    evaluation = run.xcoms["evaluate_classifier", "return_value"][0]
    texts = lines_of(trip, training["test_documents_uri"])
    new = [text for text in texts if int(text.split()[-1]) not in numbers]
    jobs = [name for name in trip.jobs() if "-score-" in name]
    assert len(jobs) == bool(new)
    if new:
        assert lines_of(trip, evaluation["score_input_uri"]) == new
    else:
        assert "has classified all test documents before" in evaluation["nothing_to_score"]
    # What a job over all test documents would say is in the table of the night.
    said = dict(trip.query("SELECT document_id, accepted FROM nightsort.predictions WHERE label IS NOT NULL"))
    right = [row.partition(",")[0].strip('"') for row in lines_of(trip, training["test_uri"])]
    predicted = [said[f"{label} {text.split()[-1]}"] for label, text in zip(right, texts, strict=True)]
    expected = from_predictions(
        [label.split("|") for label in right], predicted, [*WORDS], mode=trip.spec.mode
    )
    ((old,),) = trip.query("SELECT old FROM nightsort.promotion_decisions WHERE against <> ''")
    assert old == pytest.approx(getattr(expected, trip.spec.promotion.metric))
    assert decision["against"]
    units = 3 * len(new)
    trained_on = training["training_documents"] + training["test_documents"]
    assert training["forecast"]["most_usd"] == forecast_training(trained_on, units).most_usd
