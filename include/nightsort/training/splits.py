"""Which labelled documents are trained on and which are held back for the test, for ever.

The rule, for the 64-bit hash ``h`` of a document's cleaned text:

* a document whose ``h`` lies in the lowest ``test_share`` of all hashes is a test document;
* of each label, the document with the lowest ``h`` is a test document too, so that every label is tested
  (Comprehend wants each label in the test set). Where a label has a document by the first rule, the second
  adds none.

What this promises:

* The side depends on text and labels alone: not on the order, the files, the run or the machine. The same
  text is always on one side, whatever its labels, so no test document is ever trained on under another name.
* While documents are only added, a document that was trained on is never tested later: its ``h`` does not
  change, and an addition can only lower the lowest ``h`` of a label. The other way round it happens: the
  lowest of a label without a document by the first rule goes over to training when a lower one arrives.
* Only when documents go away (removed, or rejected because their text now has two labels) can a trained
  document become a test document: the one that is now the lowest of a label which has lost all its test
  documents. Changing ``test_share`` upward or giving a document other labels may move documents too.

Labels that are left out of the training for want of documents count here like all others, so that leaving
one out or taking it back moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from include.nightsort.columnar.hashing import Hashes

    Flags = npt.NDArray[np.bool_]
    Numbers = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Labelling:
    """Which labels each document has: a table of the different label sets, and each document's set.

    :param set_of_document: for each document the number of its set.
    :param set_starts: where each set begins in ``set_labels``, and the end (one more than there are sets).
    :param set_labels: the labels' numbers, set after set.
    :param labels: how many labels there are.
    """

    set_of_document: Numbers
    set_starts: Numbers
    set_labels: Numbers
    labels: int

    @classmethod
    def of(cls, set_of_document: Numbers, sets: Sequence[Sequence[int]], labels: int) -> Labelling:
        """Build the table from the sets as lists of label numbers."""
        starts = np.concatenate(([0], np.cumsum([len(numbers) for numbers in sets]))).astype(np.intp)
        flat = np.array([number for numbers in sets for number in numbers], dtype=np.intp)
        return cls(set_of_document, starts, flat, labels)

    def pairs(self, documents: Flags) -> tuple[Numbers, Numbers]:
        """Return every pair of a document and one of its labels, for the documents that are flagged."""
        chosen = np.flatnonzero(documents)
        sets = self.set_of_document[chosen]
        if len(self.set_labels) == len(self.set_starts) - 1:
            # One label each, as always in multi-class.
            return chosen, self.set_labels[sets]
        lengths = np.diff(self.set_starts)[sets]
        repeated = np.repeat(chosen, lengths)
        within = np.arange(len(repeated)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return repeated, self.set_labels[np.repeat(self.set_starts[sets], lengths) + within]

    def count(self, documents: Flags) -> Numbers:
        """Return how many of the flagged documents each label has."""
        return np.bincount(self.pairs(documents)[1], minlength=self.labels)


def choose_test(hashes: Hashes, labelling: Labelling, documents: Flags, test_share: float) -> Flags:
    """Return which documents are held back for the test.

    :param hashes: one per document, of its cleaned text.
    :param documents: the documents that count; the others are on neither side.
    :param test_share: between 0 and 0.5.
    """
    limit = np.uint64(min(int(test_share * 2.0**64), 2**64 - 1))
    test = documents & (hashes < limit)
    owners, labels = labelling.pairs(documents)
    lowest = np.full(labelling.labels, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(lowest, labels, hashes[owners])
    test[owners[hashes[owners] == lowest[labels]]] = True
    return test
