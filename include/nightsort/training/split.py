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

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nightsort.training.document_labels import Flags
    from nightsort.training.labelled_documents import DocumentBlock


def choose_test(documents: Iterable[DocumentBlock], kept: Flags, labels: int, test_share: float) -> Flags:
    """Return which documents are held back for the test.

    :param documents: all documents; iterated twice.
    :param kept: flags of the documents that are used; the others are on neither side.
    :param labels: how many labels there are.
    :param test_share: between 0 and 0.5.
    :returns: flags of the test documents.
    """
    limit = np.uint64(min(int(test_share * 2.0**64), 2**64 - 1))
    test = np.zeros(len(kept), dtype=bool)
    lowest = np.full(labels, np.iinfo(np.uint64).max, dtype=np.uint64)
    for block in documents:
        test[block.indices] = kept[block.indices] & (block.first < limit)
        owners, numbers = block.labels.pairs(kept[block.indices])
        np.minimum.at(lowest, numbers, block.first[owners])
    for block in documents:
        owners, numbers = block.labels.pairs(kept[block.indices])
        test[block.indices][owners[block.first[owners] == lowest[numbers]]] = True
    return test
