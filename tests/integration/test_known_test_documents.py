"""A training pays for those test documents alone that the active version has not classified in a night."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.operator_trips import BUCKET, DAY, Trip, make_trip

# isort: split
from nightsort.arrow.hashing import as_column, hash_texts
from nightsort.batches.plan import RunPlan
from nightsort.classifier_spec.model import Reuse
from nightsort.comprehend.prices import forecast_training
from nightsort.evaluation import from_predictions
from nightsort.reuse.store import erase_from_store
from nightsort.storage import plain_access
from tests.integration.operator_runs import OperatorRun
from tests.made_texts import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration

RUN_KEY = DAY.replace("-", "")
LATER = 40
"""So many documents have each label when the second version is trained."""


@pytest.fixture
def trip(
    aws: LocalAwsServer, empty_database: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Trip]:
    with aws.for_this_process():
        made = make_trip(aws, empty_database, monkeypatch, request.node.name)
        made.spec = made.spec.model_copy(update={"reuse": Reuse(days=30)})
        yield made


def classified(trip: Trip, numbers: range) -> None:
    """Train, classify a night of documents that are labelled later; the results of some numbers are kept."""
    trip.label(12)
    trip.train()
    rows = [
        {"id": f"{label} {number}", "text": f"{words} {number}"}
        for number in range(LATER)
        for label, words in WORDS.items()
    ]
    trip.put(f"incoming/{DAY}/a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
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
    trip.label(LATER)
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
    said = dict(trip.query("SELECT document_id, label FROM nightsort.predictions WHERE label IS NOT NULL"))
    right = [row.partition(",")[0].strip('"') for row in lines_of(trip, training["test_uri"])]
    predicted = [{said[f"{label} {text.split()[-1]}"]} for label, text in zip(right, texts, strict=True)]
    expected = from_predictions([{label} for label in right], predicted, [*WORDS], mode="MULTI_CLASS")
    ((old,),) = trip.query("SELECT old FROM nightsort.promotion_decisions WHERE against <> ''")
    assert old == pytest.approx(getattr(expected, trip.spec.promotion.metric))
    assert decision["against"]
    units = 3 * len(new)
    documents = training["training_documents"] + training["test_documents"]
    assert training["forecast"]["most_usd"] == forecast_training(documents, units).most_usd
