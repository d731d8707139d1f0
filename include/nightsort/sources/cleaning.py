"""Clean the texts of documents, by one rule for training and for classification.

Comprehend reads one document per line and one training example per CSV row, so no character inside a document
may end a line, for any reader. The rule:

* a text that is not UTF-8 is rejected (``invalid_utf8``);
* a byte order mark (U+FEFF) is dropped, wherever it is;
* every control character (U+0000 to U+001F, with tab, line feed and carriage return; U+007F; U+0080 to
  U+009F, with U+0085) and the two line separators U+2028 and U+2029 become a blank;
* white space at both ends is cut off;
* a text that is empty then, or has no visible character, is rejected (``blank``);
* a text that is larger than Comprehend takes is rejected (``too_large``).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nightsort.arrow.columns import (
    from_offsets_and_bytes,
    offsets_and_bytes,
    true_indices,
    without_nulls,
)
from nightsort.comprehend.limits import MAX_DOCUMENT_BYTES

GOOD: Final = 0
INVALID_UTF8: Final = 1
BLANK: Final = 2
TOO_LARGE: Final = 3
REASON_OF_STATUS: Final = {INVALID_UTF8: "invalid_utf8", BLANK: "blank", TOO_LARGE: "too_large"}

if TYPE_CHECKING:
    from collections.abc import Callable

    from nightsort.arrow.columns import Bytes, Column, Flags, Indices, TextColumn

    Status: TypeAlias = npt.NDArray[np.int8]

_SPACE: Final = 0x20
_DELETE: Final = 0x7F
_BEYOND_ASCII: Final = 0x80
# In UTF-8: U+0080 to U+009F; U+2028 and U+2029; U+FEFF. First byte, and the range of each other byte.
_WIDE_CONTROLS: Final = (
    (0xC2, ((0x80, 0x9F),)),
    (0xE2, ((0x80, 0x80), (0xA8, 0xA9))),
    (0xEF, ((0xBB, 0xBB), (0xBF, 0xBF))),
)
_BREAKS: Final = r"[\x{80}-\x{9f}\x{2028}\x{2029}]"
_MARK: Final = "\ufeff"
_INVISIBLE: Final = r"^[\pZ\pC]*$"
# Longer texts of invisible characters alone do not occur; the limit spares ordinary texts the check.
_LONGEST_INVISIBLE: Final = 4_096

_INVISIBLE_CATEGORIES: Final = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Co", "Cs"})
# Joiners, fillers and variation selectors show nothing, although their categories are those of letters.
_FILLERS: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
_LABEL_BREAKS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class CleanedTexts:
    """Texts after cleaning.

    :param texts: ``n`` texts; empty where the status is ``INVALID_UTF8``.
    :param status: ``GOOD``, or why the document is rejected; shape ``(n,)``.
    """

    texts: pa.StringArray
    status: Status


def clean_texts(raw: TextColumn, *, max_bytes: int = MAX_DOCUMENT_BYTES) -> CleanedTexts:
    """Clean texts and find those that cannot be used.

    :param raw: the bytes as they were read, or text that is known to be UTF-8; null counts as empty.
    :param max_bytes: the largest text that can be used, in bytes of UTF-8.
    """
    status = np.zeros(len(raw), dtype=np.int8)
    texts, invalid = _decode(raw)
    status[invalid] = INVALID_UTF8
    texts = _trim(_blank_controls(texts))
    sizes = np.asarray(pc.binary_length(texts))
    status[(status == GOOD) & ((sizes == 0) | _invisible(texts, sizes))] = BLANK
    status[(status == GOOD) & (sizes > max_bytes)] = TOO_LARGE
    return CleanedTexts(texts, status)


def clean_label(label: str) -> str:
    """Clean one label by the rule for texts, and compose its characters (NFC).

    An accent may be a part of its letter or a character of its own; both look the same.

    :returns: the label; empty if it has no visible character.
    """
    cleaned = unicodedata.normalize("NFC", _LABEL_BREAKS.sub(" ", label.replace(_MARK, "")).strip())
    return cleaned if any(map(is_visible, cleaned)) else ""


def is_visible(character: str) -> bool:
    """Return whether a character of a label shows something."""
    return unicodedata.category(character) not in _INVISIBLE_CATEGORIES and character not in _FILLERS


def _decode(raw: TextColumn) -> tuple[pa.StringArray, list[int]]:
    """Return the texts, empty where a row is not UTF-8, and the numbers of those rows."""
    filled = without_nulls(raw)
    if pa.types.is_string(filled.type):
        return filled, []
    try:
        return filled.cast(pa.string()), []
    except pa.ArrowInvalid:
        invalid = _invalid_rows(filled)
    flags = np.zeros(len(filled), dtype=bool)
    flags[invalid] = True
    return pc.replace_with_mask(filled, pa.array(flags), pa.scalar(b"")).cast(pa.string()), invalid


def _invalid_rows(raw: pa.BinaryArray, start: int = 0) -> list[int]:
    """Return the rows that are not UTF-8, found by halving, since there are few of them."""
    try:
        raw.cast(pa.string())
    except pa.ArrowInvalid:
        if len(raw) == 1:
            return [start]
        half = len(raw) // 2
        return _invalid_rows(raw[:half], start) + _invalid_rows(raw[half:], start + half)
    return []


def _blank_controls(texts: pa.StringArray) -> pa.StringArray:
    """Return the texts without control characters."""
    offsets, values = offsets_and_bytes(texts)
    if not len(values):
        return texts
    largest = values.max()
    controls = values < _SPACE
    if largest >= _DELETE:
        controls |= values == _DELETE
    narrow = true_indices(controls)
    if len(narrow):
        # One byte for one byte, and no byte of a longer UTF-8 sequence is a control character.
        values = values.copy()
        values[narrow] = _SPACE
        texts = from_offsets_and_bytes(pa.string(), offsets, values)
    if largest < _BEYOND_ASCII:
        return texts
    wide = np.concatenate(
        [_sequences(values, *control) for control in _WIDE_CONTROLS if control[0] <= largest]
    )
    if not len(wide):
        return texts
    affected = np.zeros(len(texts), dtype=bool)
    affected[np.searchsorted(offsets, wide, side="right") - 1] = True
    return _replaced(
        texts,
        affected,
        lambda part: pc.replace_substring_regex(pc.replace_substring(part, _MARK, ""), _BREAKS, " "),
    )


def _sequences(values: Bytes, first: int, others: tuple[tuple[int, int], ...]) -> Indices:
    """Return where a sequence of bytes begins; the values hold whole characters only."""
    indices = true_indices(values == first)
    for distance, (minimum, maximum) in enumerate(others, 1):
        following = values[indices + distance]
        indices = indices[(following >= minimum) & (following <= maximum)]
    return indices


def _replaced(
    texts: pa.StringArray, rows: Flags, change: Callable[[pa.StringArray], Column]
) -> pa.StringArray:
    """Return the texts with the texts of the given rows changed."""
    if not rows.any():
        return texts
    flags: Column = pa.array(rows)
    before = texts.filter(flags)
    after = change(before)
    # Replacing copies all texts, so it is done only if there is a change.
    return texts if after.equals(before) else pc.replace_with_mask(texts, flags, after)


def _trim(texts: pa.StringArray) -> pa.StringArray:
    """Cut white space off both ends; only texts that begin or end beyond ASCII need the slow way."""
    first, last = _edges(texts)
    if (first == _SPACE).any() or (last == _SPACE).any():
        texts = pc.ascii_trim_whitespace(texts)
        first, last = _edges(texts)
    return _replaced(texts, (first >= _BEYOND_ASCII) | (last >= _BEYOND_ASCII), pc.utf8_trim_whitespace)


def _invisible(texts: pa.StringArray, sizes: npt.NDArray[np.int32]) -> Flags:
    """Return which trimmed texts have invisible characters alone; such a text begins beyond ASCII."""
    found = (_edges(texts)[0] >= _BEYOND_ASCII) & (sizes <= _LONGEST_INVISIBLE)
    if found.any():
        found[found] = np.asarray(pc.match_substring_regex(texts.filter(pa.array(found)), _INVISIBLE))
    return found


def _edges(texts: pa.StringArray) -> tuple[Bytes, Bytes]:
    """Return the first and the last byte of each text, 0 for empty ones."""
    offsets, values = offsets_and_bytes(texts)
    filled = offsets[1:] > offsets[:-1]
    first, last = np.zeros((2, len(texts)), dtype=np.uint8)
    first[filled] = values[offsets[:-1][filled]]
    last[filled] = values[offsets[1:][filled] - 1]
    return first, last
