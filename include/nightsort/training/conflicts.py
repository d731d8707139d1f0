"""Documents whose text stands under several labels, where a document may have one."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nightsort.training.checks import named
from nightsort.training.decisions import CONFLICTING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nightsort.arrow.hashing import Hashes
    from nightsort.sources.rejects import RejectLog
    from nightsort.training.decisions import Decided
    from nightsort.training.labelled_documents import LabelledDocuments
    from nightsort.training.row_labels import Numbers


def reject_conflicts(documents: LabelledDocuments, decided: Decided, rejects: RejectLog) -> None:
    """Reject the documents with conflicting labels, in their order, each with all labels of its text.

    :param documents: of one label each, with their ids.
    """
    if not decided.count(CONFLICTING):
        return
    labels = _labels_of_texts(documents, decided)
    for places, batch in documents.ids():
        rows = np.flatnonzero(decided.fates[places] == CONFLICTING)
        for row in batch.take(rows).to_pylist():
            rejects.add(
                **row,
                reason="conflicting_labels",
                detail=f"the same text has the labels {next(labels)}",
            )


def _labels_of_texts(documents: LabelledDocuments, decided: Decided) -> Iterator[str]:
    """Yield, for each document with conflicting labels, all labels of its text."""
    found: list[tuple[Hashes, Hashes, Numbers]] = []
    for stretch in documents:
        rows = decided.fates[stretch.places] == CONFLICTING
        found.append((stretch.first[rows], stretch.second[rows], stretch.labels.numbers[rows]))
    first, second, labels = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((labels, second, first))
    first, second, labels = first[order], second[order], labels[order]
    new_text = np.append(True, (first[1:] != first[:-1]) | (second[1:] != second[:-1]))
    text_of = np.empty(len(order), dtype=np.intp)
    text_of[order] = np.cumsum(new_text) - 1
    # Each label of a text once: one text may stand there a hundred thousand times.
    different = np.flatnonzero(new_text | np.append(True, labels[1:] != labels[:-1]))
    labels, starts = labels[different], np.append(np.flatnonzero(new_text[different]), len(different))

    @lru_cache(maxsize=1_000)
    def labels_of(text: int) -> str:
        return named(sorted(documents.names[label] for label in labels[starts[text] : starts[text + 1]]))

    return map(labels_of, text_of.tolist())
