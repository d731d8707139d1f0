"""Find documents with the same text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nightsort.arrow.hashing import Hashes
    from nightsort.training.document_labels import Flags, Indices
    from nightsort.training.labelled_documents import LabelledDocuments

_COMPARED_AT_ONCE = 500_000


@dataclass(frozen=True)
class Duplicates:
    """Documents with the same text as another one.

    :param is_duplicate: the same text with the same labels as an earlier document.
    :param has_other_labels: the same text as another document, with other labels; all of them.
    """

    is_duplicate: Flags
    has_other_labels: Flags

    def _compare(self, indices: Indices, first: Hashes, second: Hashes, sets: Hashes) -> None:
        """Compare documents in their order; sort only those that share a hash with another."""
        if len(first) < 2:
            return
        order = np.argsort(first)
        equal = first[order][1:] == first[order][:-1]
        shared = order[np.append(equal, False) | np.insert(equal, 0, False)]
        if not len(shared):
            return
        shared = shared[np.lexsort((shared, sets[shared], second[shared], first[shared]))]
        indices, first, second, sets = indices[shared], first[shared], second[shared], sets[shared]
        same_text = (first[1:] == first[:-1]) & (second[1:] == second[:-1])
        same_labels = sets[1:] == sets[:-1]
        self.is_duplicate[indices[1:][same_text & same_labels]] = True
        group = np.insert(np.cumsum(~same_text), 0, 0)
        mixed = np.zeros(group[-1] + 1, dtype=bool)
        mixed[group[1:][same_text & ~same_labels]] = True
        self.has_other_labels[indices[mixed[group]]] = True


def find_duplicates(documents: LabelledDocuments, *, block_size: int = _COMPARED_AT_ONCE) -> Duplicates:
    """Find the documents with the same text as another one by their hashes, one range of hashes at a time.

    :param documents: all documents.
    :param block_size: about how many documents are compared at a time, in some 50 bytes each.
    :returns: two flags for each document.
    """
    count = len(documents)
    found = Duplicates(np.zeros(count, dtype=bool), np.zeros(count, dtype=bool))
    parts = -(-count // block_size)
    for part in range(parts):
        found._compare(*_of_part(documents, part, parts))
    return found


def _of_part(documents: LabelledDocuments, part: int, parts: int) -> tuple[Indices, Hashes, Hashes, Hashes]:
    """Return indices, both hashes and the hash of the labels of the documents in one range of hashes."""
    found: list[tuple[Indices, Hashes, Hashes, Hashes]] = []
    for block in documents:
        # The upper half of a hash, so that its product with the number of parts stays within 64 bits.
        parts_of = ((block.first >> np.uint64(32)) * np.uint64(parts)) >> np.uint64(32)
        here = np.flatnonzero(parts_of == part)
        sets = block.labels.hashes(documents.label_hashes)
        found.append((here + block.indices.start, block.first[here], block.second[here], sets[here]))
    indices, *hashes = zip(*found, strict=True)
    first, second, sets = map(np.concatenate, hashes)
    return np.concatenate(indices), first, second, sets
