"""Assign each labelled document to the training, to the test, or to neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from nightsort.training.checks import small_labels
from nightsort.training.duplicates import find_duplicates
from nightsort.training.split import choose_test

if TYPE_CHECKING:
    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.training.checks import Counts
    from nightsort.training.document_labels import Flags
    from nightsort.training.labelled_documents import LabelledDocuments

TRAINING: Final = 0
TEST: Final = 1
DUPLICATE: Final = 2
CONFLICTING: Final = 3
LEFT_OUT: Final = 4


@dataclass(frozen=True)
class SplitAssignment:
    """The role of each document.

    :param roles: of each document: TRAINING, TEST, DUPLICATE, CONFLICTING or LEFT_OUT.
    :param labels: flags of the labels that are trained on, by their numbers.
    :param counts: the documents of each of these labels.
    :param conflicting: the conflicting documents of each label that has some.
    :param left_out: the other labels, likewise.
    :param differing: training and test documents with the same text as another document, but other labels.
    """

    roles: npt.NDArray[np.int8]
    labels: Flags
    counts: Counts
    conflicting: dict[str, int]
    left_out: Counts
    differing: int

    def count(self, role: int) -> int:
        """Return how many documents have a role."""
        return int(np.count_nonzero(self.roles == role))


def assign_splits(spec: ClassifierSpec, documents: LabelledDocuments) -> SplitAssignment:
    """Assign a role to each document.

    :param spec: with the mode, the test share and the limits for small labels.
    :param documents: all documents.
    :returns: the role of each.
    """
    duplicates = find_duplicates(documents)
    roles = np.full(len(documents), TRAINING, dtype=np.int8)
    roles[duplicates.is_duplicate] = DUPLICATE
    if spec.mode == "MULTI_CLASS":
        roles[duplicates.has_other_labels] = CONFLICTING
    kept = roles == TRAINING
    differing = int(np.count_nonzero(duplicates.has_other_labels & kept))
    roles[choose_test(documents, kept, len(documents.names), spec.test_share)] = TEST
    training, test, conflicting = (_counts(documents, roles, role) for role in (TRAINING, TEST, CONFLICTING))
    counts = {label: {"training": training[label], "test": test[label]} for label in sorted(documents.names)}
    left_out: Counts = {}
    if spec.small_labels == "leave_out":
        small = small_labels(counts, spec.min_documents_per_label)
        left_out = {label: counts.pop(label) for label in small}
    labels = np.array([name in counts for name in documents.names], dtype=bool)
    if left_out:
        _leave_out(documents, roles, labels)
    rejected = {label: count for label, count in conflicting.items() if count}
    return SplitAssignment(roles, labels, counts, rejected, left_out, differing)


def _counts(documents: LabelledDocuments, roles: npt.NDArray[np.int8], role: int) -> dict[str, int]:
    """Return how many documents with a role each label has."""
    found = np.zeros(len(documents.names), dtype=np.intp)
    for block in documents:
        numbers = block.labels.pairs(roles[block.indices] == role)[1]
        found += np.bincount(numbers, minlength=len(documents.names))
    return dict(zip(documents.names, found.tolist(), strict=True))


def _leave_out(documents: LabelledDocuments, roles: npt.NDArray[np.int8], labels: Flags) -> None:
    """Leave out the documents that have none of the flagged labels."""
    for block in documents:
        block_roles = roles[block.indices]
        is_used = (block_roles == TRAINING) | (block_roles == TEST)
        block_roles[is_used & ~block.labels.have_any(labels)] = LEFT_OUT
