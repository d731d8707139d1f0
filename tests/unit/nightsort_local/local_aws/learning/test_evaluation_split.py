"""Without test data a tenth of each label is tested, as in every recorded training."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from nightsort_local.local_aws.learning.evaluation_split import documents_to_test, split
from nightsort_local.local_aws.learning.labelled_data import LabelledData

RECORDED = {
    "AWS CLI, describe-document-classifier (June 2023): 8 metrics with one solution": (
        [4_825, 747, 1],
        [483, 74, 0],
    ),
    "mohankumardhamu/intellegent-document-classification, confusion_matrix.json (December 2021)": (
        [14, 9, 3],
        [1, 1, 0],
    ),
    "gcaseycupp/AWSComprehendCustomClassification, confusion_matrix.json (January 2021)": (
        [100] * 5,
        [10] * 5,
    ),
    "hervenivon/aws-experiments-comprehend-custom-classifier, comprehend.ipynb, cell 77": (
        [100_000] * 10,
        [1_000] * 10,
    ),
    "AWS guide, testing-the-model: about 100, 90 and 0": ([1_000, 900, 1], [100, 90, 0]),
}


def labelled(sizes: list[int], *, also: int | None = None) -> LabelledData:
    """Documents label by label; with `also`, each has this label as well. A document's one term is itself."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    carries = np.eye(len(sizes), dtype=np.int8)[labels]
    if also is not None:
        carries[:, also] = 1
    return LabelledData(
        tuple(map(str, range(len(sizes)))),
        sparse.identity(len(labels), dtype=np.float32, format="csr"),
        sparse.csc_matrix(carries),
    )


def sizes_of_test(data: LabelledData) -> list[int]:
    return list(split(data)[1].documents_per_label().values())


@pytest.mark.parametrize("source", RECORDED)
def test_a_test_has_the_documents_of_the_recorded_one(source: str) -> None:
    sizes, expected = RECORDED[source]
    assert documents_to_test(np.array(sizes)).tolist() == expected


@given(st.lists(st.integers(1, 3_000), min_size=1, max_size=40))
def test_each_label_has_its_tenth_to_one_document(sizes: list[int]) -> None:
    chosen = documents_to_test(np.array(sizes))
    assert chosen.sum() == min(max(sum(sizes) // 10, 1), 10_000)
    assert (chosen <= sizes).all()
    if sum(sizes) < 100_000:
        assert (np.abs(chosen - np.array(sizes) / 10) <= 1).all()


def test_each_document_is_in_one_of_the_two_parts_and_always_in_the_same() -> None:
    data = labelled([25, 40, 3])
    training, test = split(data)
    assert len(training) + len(test) == 68
    assert sorted([*training.counts.indices, *test.counts.indices]) == list(range(68))
    assert (split(data)[1].counts != test.counts).nnz == 0
    assert sizes_of_test(data) == [2, 4, 0]


def test_the_documents_of_a_label_are_drawn_and_not_the_first_ones() -> None:
    test = split(labelled([100, 100]))[1]
    assert sorted(test.counts.indices) != [*range(10), *range(100, 110)]


def test_a_document_with_several_labels_counts_for_the_rarest() -> None:
    assert sizes_of_test(labelled([60, 30, 10], also=0)) == [10, 3, 1]


@pytest.mark.parametrize("sizes", [[1, 1], [2, 1], [5], [1] * 9])
def test_the_fewest_documents_leave_one_for_the_test(sizes: list[int]) -> None:
    training, test = split(labelled(sizes))
    assert (len(training), len(test)) == (sum(sizes) - 1, 1)
