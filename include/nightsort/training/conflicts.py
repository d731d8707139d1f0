"""Reject documents whose text has several labels, where a document may have one."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nightsort.training.checks import named
from nightsort.training.split_assignment import CONFLICTING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nightsort.arrow.hashing import Hashes
    from nightsort.sources.rejects import RejectLog
    from nightsort.training.document_labels import Numbers
    from nightsort.training.labelled_documents import LabelledDocuments
    from nightsort.training.split_assignment import SplitAssignment


def reject_conflicts(documents: LabelledDocuments, assignment: SplitAssignment, rejects: RejectLog) -> None:
    """Reject the documents with conflicting labels, in their order, each with all labels of its text.

    :param documents: of one label each, with their ids.
    :param assignment: with the conflicting documents.
    :param rejects: the conflicting documents are added to it.
    """
    if not assignment.count(CONFLICTING):
        return
    labels = _labels_of_texts(documents, assignment)
    for indices, batch in documents.ids():
        rows = np.flatnonzero(assignment.roles[indices] == CONFLICTING)
        for row in batch.take(rows).to_pylist():
            rejects.add(
                **row,
                reason="conflicting_labels",
                detail=f"the same text has the labels {next(labels)}",
            )


def _labels_of_texts(documents: LabelledDocuments, assignment: SplitAssignment) -> Iterator[str]:
    """Yield, for each document with conflicting labels, all labels of its text."""
    found: list[tuple[Hashes, Hashes, Numbers]] = []
    for block in documents:
        rows = assignment.roles[block.indices] == CONFLICTING
        found.append((block.first[rows], block.second[rows], block.labels.numbers[rows]))
    first, second, labels = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((labels, second, first))
    first, second, labels = first[order], second[order], labels[order]
    new_text = np.append(True, (first[1:] != first[:-1]) | (second[1:] != second[:-1]))
    text_of = np.empty(len(order), dtype=np.intp)
    text_of[order] = np.cumsum(new_text) - 1
    # Keep each label of a text once: a text may occur a hundred thousand times.
    different = np.flatnonzero(new_text | np.append(True, labels[1:] != labels[:-1]))
    labels, starts = labels[different], np.append(np.flatnonzero(new_text[different]), len(different))

    @lru_cache(maxsize=1_000)
    def labels_of(text: int) -> str:
        return named(sorted(documents.names[label] for label in labels[starts[text] : starts[text + 1]]))

    return map(labels_of, text_of.tolist())
