"""The samples are real, the same on every machine, and dirty where they are meant to be."""

from __future__ import annotations

import csv
import io
from collections import Counter

import orjson
import pytest
from upath import UPath

from nightsort.storage import Access
from nightsort_local import sample_corpus


@pytest.fixture(scope="module")
def services() -> sample_corpus.Sample:
    return sample_corpus.aws_services()


@pytest.fixture(scope="module")
def topics() -> sample_corpus.Sample:
    return sample_corpus.aws_topics()


@pytest.fixture(scope="module")
def bucket() -> Access:
    """The sample bucket in memory, with both samples uploaded."""
    access = Access(path=lambda uri: UPath(uri.replace("s3://", "memory://sample-corpus/", 1)))
    sample_corpus.upload(access)
    return access


def test_services_have_enough_documents_to_train_and_several_days_of_new_ones(
    services: sample_corpus.Sample,
) -> None:
    per_label = Counter(document.labels for document in services.labelled)

    assert len(per_label) == 36
    assert min(per_label.values()) >= 50
    assert len(services.labelled) > 6_000
    assert [len(documents) > 250 for documents in services.incoming.values()] == [True] * 14


def test_topics_carry_an_action_and_at_least_one_field_but_never_more_than_comprehend_answers(
    topics: sample_corpus.Sample,
) -> None:
    for document in topics.labelled:
        action, *fields = document.labels
        assert action in sample_corpus.ACTIONS_OF_VERBS
        assert set(fields) <= set(sample_corpus.FIELDS_OF_SERVICES)
        assert 2 <= len(document.labels) <= 3


def test_building_twice_gives_the_same_documents(services: sample_corpus.Sample) -> None:
    assert sample_corpus.aws_services() == services


def test_no_document_is_both_labelled_and_new(services: sample_corpus.Sample) -> None:
    labelled = {document.text for document in services.labelled}

    assert not any(document.text in labelled for day in services.incoming.values() for document in day)


def test_every_day_of_services_holds_the_announced_dirt(
    bucket: Access, services: sample_corpus.Sample
) -> None:
    for day, clean in services.incoming.items():
        lines = bucket.path(f"{services.root}/incoming/{day}/documents.jsonl").read_bytes().splitlines()
        documents = [orjson.loads(line) for line in lines]
        ids = Counter(document["id"] for document in documents)

        assert len(documents) == len(clean) + 2
        assert [count for count in ids.values() if count > 1] == [2]
        assert sum(not document["text"].strip() for document in documents) == 1
        assert any("\r\n" in document["text"].strip() for document in documents)
        assert any("\u2028" in document["text"] for document in documents)


def test_every_new_document_has_its_known_labels_in_the_truth_file(
    bucket: Access, topics: sample_corpus.Sample
) -> None:
    for day, documents in topics.incoming.items():
        truth = bucket.path(sample_corpus.truth_uri(topics.name, day)).read_text()
        names = {path.name for path in bucket.path(f"{topics.root}/incoming/{day}").iterdir()}

        rows = list(csv.DictReader(io.StringIO(truth)))
        assert {row["id"] for row in rows} == names == {document.document_id for document in documents}
        assert all(row["label"] for row in rows)
