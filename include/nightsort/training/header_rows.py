"""Find header rows that were read as documents: each would become a class, and be paid for.

A header row is in the data where the spec says ``header: false`` of a file with a header, and where files
with headers were joined. Its label occurs with no other text, and its text looks like the name of a column.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from nightsort.sources.column_names import LABEL_WORDS, TEXT_WORDS, words_of
from nightsort.training.checks import TrainingDataError, named

if TYPE_CHECKING:
    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.training.labelled_documents import LabelledDocuments
    from nightsort.training.training_files import TrainingFileWriter

_MAX_LOOKED_AT: Final = 1_000
_MAX_CHARACTERS: Final = 60
_MOST_HEADERS: Final = 3
"""More labels of one short text are labels that differ in each document, as an id does."""

_NAMES: Final = re.compile(r"[^\W\d][\w.#-]*([ ,;|\t]+[\w.#-]+){0,3}")


def looks_like_header(label: str, text: str, *, columns: frozenset[str] = frozenset()) -> bool:
    """Return whether a document is a header row.

    :param label: its only label.
    :param text: its text.
    :param columns: names that the spec gives to columns.
    """
    if len(text) > _MAX_CHARACTERS or not _NAMES.fullmatch(text):
        return False
    of_text, of_label = words_of(text), words_of(label)
    if text in columns and label in columns:
        return True
    if of_label & LABEL_WORDS:
        return bool(of_text & TEXT_WORDS) or " " not in text
    return (
        bool(of_text & TEXT_WORDS)
        and ("_" in text or len(of_text) == 1)
        and _NAMES.fullmatch(label) is not None
    )


def check_header_rows(spec: ClassifierSpec, documents: LabelledDocuments, writer: TrainingFileWriter) -> None:
    """Check that no label comes from a header row.

    :param spec: with the names of columns.
    :param documents: all documents.
    :param writer: with their rows.
    :raises TrainingDataError: a label does.
    """
    columns = frozenset(
        {spec.labelled.text_column, spec.labelled.label_column, *(spec.labelled.columns or ())}
    )
    found = []
    numbers = _labels_of_one_text(documents)[:_MAX_LOOKED_AT]
    for number, place in _first_documents(documents, numbers).items():
        text = writer.text(*place)
        if looks_like_header(documents.names[number], text, columns=columns):
            found.append(documents.names[number])
    if not 0 < len(found) <= _MOST_HEADERS:
        return
    if spec.labelled.columns is not None and not spec.labelled.header:
        remedy = "Say header: true in labelled and remove columns"
    else:
        remedy = "Remove this row from the files"
    raise TrainingDataError(
        f"the only text of the label {named(sorted(found))} looks like the name of a column, so a header row "
        f"was read as a document. {remedy}"
    )


def _labels_of_one_text(documents: LabelledDocuments) -> list[int]:
    """Return the numbers of the labels all of whose documents have the same text."""
    lowest = np.full(len(documents.names), np.iinfo(np.uint64).max, dtype=np.uint64)
    highest = np.zeros(len(documents.names), dtype=np.uint64)
    for block in documents:
        owners, numbers = block.labels.pairs(np.ones(len(block.first), dtype=bool))
        np.minimum.at(lowest, numbers, block.first[owners])
        np.maximum.at(highest, numbers, block.first[owners])
    return np.flatnonzero(lowest == highest).tolist()


def _first_documents(documents: LabelledDocuments, labels: list[int]) -> dict[int, tuple[int, int]]:
    """Return where the row of each label's first document is in the training file, and its size in bytes.

    Labels whose documents are longer than a name are left out.
    """
    found: dict[int, tuple[int, int]] = {}
    offset = 0
    for block in documents if labels else ():
        owners, numbers = block.labels.pairs(block.characters <= _MAX_CHARACTERS)
        wanted = np.isin(numbers, labels)
        different, first = np.unique(numbers[wanted], return_index=True)
        begins = offset + np.cumsum(block.size, dtype=np.int64) - block.size
        for number, owner in zip(different.tolist(), owners[wanted][first].tolist(), strict=True):
            found.setdefault(number, (int(begins[owner]), int(block.size[owner])))
        offset += int(block.size.sum())
    return found
