"""What becomes of each labelled document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from nightsort.training import checks as training_checks
from nightsort.training.duplicates import Doubles
from nightsort.training.split import choose_test

if TYPE_CHECKING:
    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.training.checks import Counts
    from nightsort.training.labelled_documents import LabelledDocuments
    from nightsort.training.row_labels import Flags

TRAINING: Final = 0
TEST: Final = 1
AGAIN: Final = 2
CONFLICTING: Final = 3
LEFT_OUT: Final = 4


@dataclass(frozen=True)
class Decided:
    """What becomes of each document.

    :param fates: one of the five per document.
    :param labels: which labels, by their numbers, are trained on.
    :param counts: the documents of each of these.
    :param left_out_labels: the other labels.
    :param differing: documents to train on or to test whose text stands elsewhere with other labels.
    """

    fates: npt.NDArray[np.int8]
    labels: Flags
    counts: Counts
    left_out_labels: list[str]
    differing: int

    def count(self, fate: int) -> int:
        """Return how many documents share a fate."""
        return int(np.count_nonzero(self.fates == fate))


def decide(spec: ClassifierSpec, documents: LabelledDocuments) -> Decided:
    """Decide what becomes of each document.

    :raises TrainingDataError: Comprehend could not train on what is left.
    """
    training_checks.check_delimiter(sorted(documents.names), spec.label_delimiter)
    doubles = Doubles.of(documents)
    fates = np.full(len(documents), TRAINING, dtype=np.int8)
    fates[doubles.again] = AGAIN
    if spec.mode == "MULTI_CLASS":
        fates[doubles.differing] = CONFLICTING
    kept = fates == TRAINING
    differing = int(np.count_nonzero(doubles.differing & kept))
    fates[choose_test(documents, kept, len(documents.names), spec.test_share)] = TEST
    counts = _counts(documents, fates)
    left_out: list[str] = []
    if spec.small_labels == "leave_out":
        left_out = training_checks.small_labels(counts, spec.min_documents_per_label)
        for label in left_out:
            del counts[label]
    labels = np.array([name in counts for name in documents.names], dtype=bool)
    if left_out:
        _leave_out(documents, fates, labels)
    training_checks.check_small_labels(spec, counts)
    decided = Decided(fates, labels, counts, left_out, differing)
    training_checks.check_limits(spec, counts, training=decided.count(TRAINING), test=decided.count(TEST))
    return decided


def _counts(documents: LabelledDocuments, fates: npt.NDArray[np.int8]) -> Counts:
    found = np.zeros((2, len(documents.names)), dtype=np.intp)
    for stretch in documents:
        for place, fate in enumerate((TRAINING, TEST)):
            numbers = stretch.labels.pairs(fates[stretch.places] == fate)[1]
            found[place] += np.bincount(numbers, minlength=len(documents.names))
    number = {name: number for number, name in enumerate(documents.names)}
    return {
        name: {"training": int(found[0, number[name]]), "test": int(found[1, number[name]])}
        for name in sorted(number)
    }


def _leave_out(documents: LabelledDocuments, fates: npt.NDArray[np.int8], labels: Flags) -> None:
    """Leave documents out that have none of the labels."""
    for stretch in documents:
        fates_here = fates[stretch.places]
        fates_here[((fates_here == TRAINING) | (fates_here == TEST)) & ~stretch.labels.having(labels)] = (
            LEFT_OUT
        )
