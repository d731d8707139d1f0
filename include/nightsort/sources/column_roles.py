"""Guess which columns hold the text, the label and the id, and whether documents have several labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nightsort.comprehend.limits import LABEL_DELIMITERS
from nightsort.sources.column_names import ID_WORDS, LABEL_WORDS, TEXT_WORDS, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST_LABELS_SHARE: Final = 0.5
_SEPARATORS: Final = ("|", ";", ",", "#", "~")
_LEAST_JOINED: Final = 0.05


@dataclass(frozen=True)
class ColumnRoles:
    """Names of columns; ``None`` where no column looks like it."""

    text: str | None
    label: str | None
    id: str | None


def guess_roles(columns: Mapping[str, Sequence[Any]], given: ColumnRoles) -> ColumnRoles:
    """Return the columns of text, label and id.

    :param columns: values of the first rows, by column.
    :param given: what a person has said already; it counts.
    """
    free = {name: values for name, values in columns.items() if any(map(_is_there, values))}
    for name in (given.text, given.label, given.id):
        free.pop(name or "", None)
    text = given.text or max(
        (name for name, values in free.items() if _are_texts(values)),
        key=lambda name: (bool(words_of(name) & TEXT_WORDS), _mean_length(free[name])),
        default=None,
    )
    free.pop(text or "", None)
    ids = [
        name
        for name, values in free.items()
        if words_of(name) & ID_WORDS and _different(values) == len(values) and all(map(_is_there, values))
    ]
    document_id = given.id or next(iter(ids), None)
    free.pop(document_id or "", None)
    label = given.label or min(
        (name for name, values in free.items() if _may_be_label(name, values)),
        key=lambda name: (not words_of(name) & LABEL_WORDS, _different(free[name])),
        default=None,
    )
    return ColumnRoles(text, label, document_id)


def joined_by(cells: Sequence[Any]) -> str | None:
    """Return what joins several labels in a cell: a delimiter, an empty text for lists, or ``None``.

    :param cells: labels of the first rows.
    """
    if any(isinstance(cell, list | tuple) and len(cell) != 1 for cell in cells):
        return ""
    texts = [cell for cell in cells if isinstance(cell, str)]
    for separator in _SEPARATORS:
        joined = [cell for cell in texts if separator in cell]
        parts = Counter(part.strip() for cell in joined for part in cell.split(separator))
        alone = {cell.strip() for cell in texts if separator not in cell}
        known = sum(count > 1 or part in alone for part, count in parts.items())
        if joined and len(joined) >= _LEAST_JOINED * len(texts) and known >= 0.5 * len(parts):
            return separator
    return None


def can_join(separator: str) -> bool:
    """Return whether Comprehend takes a separator between labels."""
    return separator in LABEL_DELIMITERS


def _is_there(value: Any) -> bool:
    return value is not None and value != ""


def _are_texts(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str) for value in values if _is_there(value))


def _mean_length(values: Sequence[Any]) -> float:
    return sum(len(str(value)) for value in values) / max(1, len(values))


def _different(values: Sequence[Any]) -> int:
    return len({repr(value) for value in values})


def _may_be_label(name: str, values: Sequence[Any]) -> bool:
    if any(isinstance(value, float | dict) for value in values):
        return False
    few = 2 <= _different(values) <= max(2, _MOST_LABELS_SHARE * len(values))
    return few or bool(words_of(name) & LABEL_WORDS)
