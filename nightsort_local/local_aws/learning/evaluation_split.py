"""Choose the documents of the test where a training has no test data: about a tenth of each label.

The rules reproduce every recorded split (tests/unit/…/learning/test_evaluation_split.py names the sources).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from nightsort_local.local_aws.learning.labelled_data import LabelledData

SHARE = 10
"""One of so many documents is for the test."""

MAX_DOCUMENTS = 10_000
"""A test has no more documents (real trainings: 557 of 5,573 documents and 10,000 of 1,000,000)."""

_SEED = 0


def split(data: LabelledData) -> tuple[LabelledData, LabelledData]:
    """Split data that has no test set into training and test documents."""
    groups = _rarest_labels(data.carries)
    sizes = np.bincount(groups, minlength=len(data.labels))
    shuffled = np.random.RandomState(_SEED).permutation(len(data))
    by_group = shuffled[np.argsort(groups[shuffled], kind="stable")]
    place = np.arange(len(data)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    is_test = np.zeros(len(data), dtype=bool)
    is_test[by_group] = place < np.repeat(documents_to_test(sizes), sizes)
    return data.rows(np.flatnonzero(~is_test)), data.rows(np.flatnonzero(is_test))


def documents_to_test(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many documents of each label are for the test.

    It is a tenth, rounded down. The total is a tenth of all documents, so some are left to give: one each to
    the labels whose tenth rounds up, then to the others, the labels with more documents first. So a label
    with few documents is in no test.

    :param sizes: the number of documents of each label; shape (labels,).
    :returns: shape (labels,).
    """
    documents = int(sizes.sum())
    total = min(max(documents // SHARE, 1), MAX_DOCUMENTS)
    share = (MAX_DOCUMENTS, documents) if total == MAX_DOCUMENTS else (1, SHARE)
    chosen, rest = np.divmod(sizes * share[0], share[1])
    given = np.lexsort((-sizes, 2 * rest < share[1]))[: total - int(chosen.sum())]
    chosen[given] += 1
    return np.asarray(chosen)


def _rarest_labels(carries: sparse.csc_matrix) -> NDArray[np.int64]:
    """Return the column of each document's label; of several labels the rarest (assumed)."""
    sizes = np.diff(carries.indptr)
    groups = np.zeros(carries.shape[0], dtype=np.int64)
    # Frequent labels first: a rarer one replaces them.
    for label in np.argsort(-sizes, kind="stable"):
        groups[carries.indices[carries.indptr[label] : carries.indptr[label + 1]]] = label
    return groups
