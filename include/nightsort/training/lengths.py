"""How long the documents of each label are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nightsort.arrow.columns import split_by_size

if TYPE_CHECKING:
    import numpy.typing as npt

    from nightsort.training.labelled_documents import LabelledDocuments
    from nightsort.training.row_labels import Flags

_AT_ONCE = 4_000_000

Lengths = dict[str, float]
"""``shortest``, ``median`` and ``longest`` document, in characters."""


def text_lengths(
    documents: LabelledDocuments, chosen: Flags, labels: Flags, *, at_once: int = _AT_ONCE
) -> dict[str, Lengths]:
    """Return how long the chosen documents of the chosen labels are.

    :param chosen: documents.
    :param labels: labels by their numbers; each has a document that is chosen.
    :param at_once: so many lengths are sorted at a time, in 8 bytes each, or those of one label.
    """
    names = documents.names
    counts = np.zeros(len(names), dtype=np.intp)
    for stretch in documents:
        counts += np.bincount(stretch.labels.pairs(chosen[stretch.places])[1], minlength=len(names))
    found: dict[str, Lengths] = {}
    for of_labels in split_by_size(counts, at_once):
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
    for stretch in documents:
        owners, numbers = stretch.labels.pairs(chosen[stretch.places])
        here = (numbers >= first) & (numbers < last)
        start, end = end, end + int(np.count_nonzero(here))
        found[start:end] = (numbers[here].astype(np.int64) << 32) | stretch.characters[owners[here]]
    found.sort()
    found &= 0xFFFFFFFF
    return found
