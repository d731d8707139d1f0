"""Find the lengths of the documents of each label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nightsort.arrow.columns import split_by_size

if TYPE_CHECKING:
    import numpy.typing as npt

    from nightsort.training.document_labels import Flags
    from nightsort.training.labelled_documents import LabelledDocuments

_SORTED_AT_ONCE = 4_000_000

Lengths = dict[str, float]
"""``shortest``, ``median`` and ``longest`` document, in characters."""


def text_lengths(
    documents: LabelledDocuments, chosen: Flags, labels: Flags, *, max_pairs: int = _SORTED_AT_ONCE
) -> dict[str, Lengths]:
    """Return the lengths of the chosen documents of the chosen labels.

    :param documents: all documents.
    :param chosen: flags of documents.
    :param labels: flags of labels, by their numbers; each has a document that is chosen.
    :param max_pairs: how many lengths are sorted at a time, in 8 bytes each; those of one label always are.
    :returns: by label.
    """
    names = documents.names
    counts = np.zeros(len(names), dtype=np.intp)
    for block in documents:
        counts += np.bincount(block.labels.pairs(chosen[block.indices])[1], minlength=len(names))
    found: dict[str, Lengths] = {}
    for of_labels in split_by_size(counts, max_pairs):
        first, last = of_labels.start, of_labels.stop
        ends = np.cumsum(counts[of_labels])
        lengths = _sorted(documents, chosen, first, last, int(ends[-1]))
        for label in np.flatnonzero(labels[first:last]).tolist():
            of_label = lengths[ends[label] - counts[first + label] : ends[label]]
            found[names[first + label]] = {
                "shortest": int(of_label[0]),
                "median": float(np.median(of_label)),
                "longest": int(of_label[-1]),
            }
    return found


def _sorted(
    documents: LabelledDocuments, chosen: Flags, first: int, last: int, count: int
) -> npt.NDArray[np.int64]:
    """Return the lengths of a range of labels, label after label, the shortest first in each."""
    # One sort of one number per pair: the label above, the length below.
    found = np.empty(count, dtype=np.int64)
    end = 0
    for block in documents:
        owners, numbers = block.labels.pairs(chosen[block.indices])
        here = (numbers >= first) & (numbers < last)
        start, end = end, end + int(np.count_nonzero(here))
        found[start:end] = (numbers[here].astype(np.int64) << 32) | block.characters[owners[here]]
    found.sort()
    found &= 0xFFFFFFFF
    return found
