"""Labelled documents of all files together: their labels, their limits, and the room they take."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np
import pytest

from nightsort_local.local_aws.learning import labelled_data
from nightsort_local.local_aws.learning.labelled_csv import read_csv
from nightsort_local.local_aws.learning.labelled_data import (
    LabelledData,
    check_test_data,
    check_training_data,
)
from nightsort_local.local_aws.learning.text_features import count_terms
from nightsort_local.local_aws.s3.location import S3Location
from nightsort_local.local_aws.task_errors import TaskError
from nightsort_local.local_aws.work import training_data
from nightsort_local.local_aws.work.training_data import read_labelled_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nightsort.comprehend.limits import Mode
    from nightsort_local.local_aws.learning.examples import Example, Unusable
    from nightsort_local.local_aws.work.object_store import ObjectStore


class Objects:
    """A bucket "b" of a few objects."""

    def __init__(self, contents: dict[str, str]) -> None:
        self._contents = {key: text.encode() for key, text in contents.items()}

    def list(self, uri: str) -> list[tuple[S3Location, int]]:
        prefix = S3Location.parse(uri).key
        return [
            (S3Location("b", key), len(body))
            for key, body in sorted(self._contents.items())
            if key.startswith(prefix)
        ]

    @contextmanager
    def open(self, location: S3Location) -> Iterator[BinaryIO]:
        yield io.BytesIO(self._contents[location.key])


def as_csv(stream: BinaryIO, file: str) -> Iterator[Example | Unusable]:
    return read_csv(stream, file, "MULTI_LABEL", "|")


def read(*uris: str, **contents: str) -> LabelledData:
    store = cast("ObjectStore", Objects(contents))
    return read_labelled_data(store, [(uri, as_csv) for uri in uris or ("s3://b/",)])


def refused(text: str) -> str:
    with pytest.raises(TaskError) as caught:
        read(one=text)
    return str(caught.value)


def test_files_are_read_in_the_order_of_their_keys_and_labels_are_sorted() -> None:
    data = read(b="B,two words\n", a="C,first text\nB|A,second text\n")
    assert data.labels == ("A", "B", "C")
    assert data.carries.toarray().tolist() == [[0, 0, 1], [1, 1, 0], [0, 1, 0]]
    assert (data.counts != count_terms(["first text", "second text", "two words"])).nnz == 0


def test_several_sources_are_one_data_set() -> None:
    data = read("s3://b/x", "s3://b/y", x1="A,one\n", x2="B,two\n", y="A,three\n", z="C,four\n")
    assert (len(data), data.labels) == (3, ("A", "B"))


def test_labels_are_exact_strings_and_a_doubled_one_counts_once() -> None:
    data = read(one="Bug|bug|Bug,a\nBug ,b\n")
    assert data.documents_per_label() == {"Bug": 1, "Bug ": 1, "bug": 1}


def test_the_same_document_may_stand_under_several_labels() -> None:
    assert len(read(one="A,same\nB,same\nA,same\n")) == 3


def test_unusable_rows_are_counted_and_the_first_is_named() -> None:
    data = read(a="A,one\n", b="A,two\nA\nA,\n")
    assert (len(data), data.skipped) == (2, 2)
    assert data.first_skipped == "line 2 of s3://b/b: not 2 columns but 1"


def test_a_label_and_a_document_can_be_as_long_as_the_limit_and_no_longer() -> None:
    assert len(read(one="L" * 5_000 + ",text\nB," + "é" * 5_000_000)) == 2
    assert refused("A,one\n" + "L" * 5_001 + ",two\n") == (
        "CLASSIFIER_INVALID_INPUT: The maximum size of an individual label is 5000 characters. The label on "
        "line: 2 of file: s3://b/one was greater than the maximum size."
    )
    assert refused("A," + "é" * 5_000_001) == (
        "CLASSIFIER_INVALID_INPUT: The maximum size of an individual document is 10MB. The document on "
        "line: 1 of file: s3://b/one was greater than the maximum size."
    )


def test_more_documents_or_bytes_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelled_data, "MAX_TRAINING_DOCUMENTS", 2)
    assert "more than 2 documents" in refused("A,one\nA,two\nA,three\n")
    monkeypatch.setattr(training_data, "MAX_TRAINING_BYTES", 17)
    assert "larger than 17 bytes" in refused("A,one\nA,two\nA,three\n")


def test_of_large_data_long_documents_are_cut_and_short_ones_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.RandomState(0)
    lengths = [5 if short else 100 for short in random.uniform(size=10_000) < 0.5]
    documents = [" ".join(f"{word:05}" for word in random.randint(0, 99_999, n)) for n in lengths]
    content = "".join(f"A,{document}\n" for document in documents)
    whole = read(one=content).counts
    monkeypatch.setattr(labelled_data, "LEARNT_CHARACTERS", len(content) // 4)
    cut = read(one=content).counts
    kept = np.diff(cut.indptr) / np.diff(whole.indptr)
    short = np.asarray(lengths) == 5
    assert (kept[short] == 1).all()
    assert 0.1 < kept[~short].min() < 0.3
    assert cut.nnz < 0.3 * whole.nnz


def test_the_numbers_of_labels_and_documents_have_limits() -> None:
    def checked(mode: Mode, labels: int, documents: int) -> None:
        rows = "".join(f"L{number % labels},text {number}\n" for number in range(documents))
        check_training_data(read(one=rows), mode, 10)

    checked("MULTI_CLASS", 1_000, 10_000)
    checked("MULTI_LABEL", 100, 1_000)
    refused: tuple[tuple[Mode, int, int, str], ...] = (
        ("MULTI_CLASS", 1_001, 10_010, "at most 1,000 labels in MULTI_CLASS mode, not 1,001"),
        ("MULTI_LABEL", 101, 1_010, "at most 100 labels in MULTI_LABEL mode, not 101"),
        ("MULTI_CLASS", 1, 20, "at least 2 labels, not 1"),
        ("MULTI_LABEL", 4, 49, "at least 50 documents, not 49"),
        ("MULTI_CLASS", 4, 39, "at least 10 documents. Too few for: L3 (9)."),
    )
    for mode, labels, documents, reason in refused:
        with pytest.raises(TaskError, match="CLASSIFIER_INVALID_INPUT") as caught:
            checked(mode, labels, documents)
        assert reason in str(caught.value)


def test_a_message_names_twenty_labels_and_counts_the_rest() -> None:
    with pytest.raises(TaskError) as caught:
        check_training_data(read(one="".join(f"L{n:02},text\n" for n in range(30))), "MULTI_CLASS", 10)
    assert "L19 (1) and 10 more." in str(caught.value)


def test_a_test_set_has_the_labels_of_the_training_set() -> None:
    data = read(one="A,x\nB,y\n")
    check_test_data(data, ["A", "B"])
    with pytest.raises(TaskError, match=r"at least one document of every label .* Missing: C\."):
        check_test_data(data, ["A", "B", "C"])
    with pytest.raises(TaskError, match=r"labels that the training data lacks: B\."):
        check_test_data(data, ["A"])
