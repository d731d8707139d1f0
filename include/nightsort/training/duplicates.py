"""Documents whose text stands more than once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nightsort.arrow.hashing import Hashes
    from nightsort.training.labelled_documents import LabelledDocuments
    from nightsort.training.row_labels import Flags, Places

_AT_ONCE = 500_000


@dataclass(frozen=True)
class Doubles:
    """Documents whose text stands more than once.

    :param again: the same text with the same labels as an earlier document.
    :param differing: the same text as another document, with other labels; all of them.
    """

    again: Flags
    differing: Flags

    @classmethod
    def of(cls, documents: LabelledDocuments, *, at_once: int = _AT_ONCE) -> Doubles:
        """Find them by their hashes, a range of hashes at a time.

        :param at_once: how many documents are compared at a time, more or less, in some 50 bytes each.
        """
        found = cls(np.zeros(len(documents), dtype=bool), np.zeros(len(documents), dtype=bool))
        parts = -(-len(documents) // at_once)
        for part in range(parts):
            found._compare(*_of_part(documents, part, parts))
        return found

    def _compare(self, places: Places, first: Hashes, second: Hashes, sets: Hashes) -> None:
        """Compare documents given in their order, sorting only what shares a hash with another."""
        if len(first) < 2:
            return
        order = np.argsort(first)
        equal = first[order][1:] == first[order][:-1]
        shared = order[np.append(equal, False) | np.insert(equal, 0, False)]
        if not len(shared):
            return
        shared = shared[np.lexsort((shared, sets[shared], second[shared], first[shared]))]
        places, first, second, sets = places[shared], first[shared], second[shared], sets[shared]
        same_text = (first[1:] == first[:-1]) & (second[1:] == second[:-1])
        same_labels = sets[1:] == sets[:-1]
        self.again[places[1:][same_text & same_labels]] = True
        group = np.insert(np.cumsum(~same_text), 0, 0)
        mixed = np.zeros(group[-1] + 1, dtype=bool)
        mixed[group[1:][same_text & ~same_labels]] = True
        self.differing[places[mixed[group]]] = True


def _of_part(documents: LabelledDocuments, part: int, parts: int) -> tuple[Places, Hashes, Hashes, Hashes]:
    """Return places, both hashes and the hash of the labels of the documents in one range of hashes."""
    found: list[tuple[Places, Hashes, Hashes, Hashes]] = []
    for stretch in documents:
        # The upper half of a hash, so that its product with the number of parts stays within 64 bits.
        parts_of = ((stretch.first >> np.uint64(32)) * np.uint64(parts)) >> np.uint64(32)
        here = np.flatnonzero(parts_of == part)
        sets = stretch.labels.hashes(documents.label_hashes)
        found.append((here + stretch.places.start, stretch.first[here], stretch.second[here], sets[here]))
    places, *hashes = zip(*found, strict=True)
    first, second, sets = map(np.concatenate, hashes)
    return np.concatenate(places), first, second, sets
