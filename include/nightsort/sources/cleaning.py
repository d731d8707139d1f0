"""What happens to a document's text before Comprehend sees it: one rule for training and for classification.

Comprehend reads one document per line and one training example per CSV row, so nothing inside a document
may end a line, for any reader. The rule:

* a text that is not UTF-8 is rejected (``invalid_utf8``);
* a byte order mark (U+FEFF) is dropped, wherever it stands;
* every control character (U+0000 to U+001F, with tab, line feed and carriage return; U+007F; U+0080 to
  U+009F, with U+0085) and the two line separators U+2028 and U+2029 become a blank;
* white space at both ends is cut off;
* what is empty then, or holds nothing that can be seen, is rejected (``blank``);
* what is larger than Comprehend takes is rejected (``too_large``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from include.nightsort.columnar.columns import Column, to_numpy, without_nulls
from include.nightsort.limits import MAX_DOCUMENT_BYTES

GOOD: Final = 0
INVALID_UTF8: Final = 1
BLANK: Final = 2
TOO_LARGE: Final = 3
REASON_OF_FATE: Final = {INVALID_UTF8: "invalid_utf8", BLANK: "blank", TOO_LARGE: "too_large"}

if TYPE_CHECKING:
    from collections.abc import Callable

    Offsets = npt.NDArray[np.int32]

_CONTROLS: Final = bytes(range(0x20)) + b"\x7f"
_TO_BLANK: Final = bytes.maketrans(_CONTROLS, b" " * len(_CONTROLS))
# The bytes with which wide controls begin, and the controls: most texts lack the former, and that is quick
# to see.
_WIDE_CONTROLS: Final = (
    (b"\xc2", re.compile(rb"\xc2[\x80-\x9f]")),
    (b"\xe2", re.compile(rb"\xe2\x80[\xa8\xa9]")),
    (b"\xef", re.compile(rb"\xef\xbb\xbf")),
)
_BEYOND_ASCII: Final = 0x80
_BREAKS: Final = r"[\x{80}-\x{9f}\x{2028}\x{2029}]"
_MARK: Final = "\ufeff"
_NOTHING_TO_SEE: Final = r"^[\pZ\pC]*$"
# Longer texts of nothing but invisible characters do not occur; the bound keeps the check off ordinary text.
_LONGEST_INVISIBLE: Final = 4_096

_LABEL_BREAKS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class CleanedTexts:
    """Texts after cleaning.

    :param texts: one per row; empty where the fate is ``INVALID_UTF8``.
    :param fates: one per row: ``GOOD``, or why the document is rejected.
    """

    texts: Column
    fates: npt.NDArray[np.int8]


def clean_texts(raw: Column, *, max_bytes: int = MAX_DOCUMENT_BYTES) -> CleanedTexts:
    """Clean texts and say which of them cannot be used.

    :param raw: the bytes as they were read; null counts as empty.
    :param max_bytes: the largest text that is good, in bytes of UTF-8.
    """
    fates = np.zeros(len(raw), dtype=np.int8)
    texts, invalid = _decode(raw)
    fates[invalid] = INVALID_UTF8
    texts = _trim(_blank_controls(texts))
    sizes = to_numpy(pc.binary_length(texts))
    fates[(fates == GOOD) & ((sizes == 0) | _invisible(texts, sizes))] = BLANK
    fates[(fates == GOOD) & (sizes > max_bytes)] = TOO_LARGE
    return CleanedTexts(texts, fates)


def clean_label(label: str) -> str:
    """Clean one label by the rule for texts."""
    return _LABEL_BREAKS.sub(" ", label.replace(_MARK, "")).strip()


def _decode(raw: Column) -> tuple[Column, list[int]]:
    """Return the texts, with the rows that are no UTF-8 emptied, and the numbers of those rows."""
    raw = without_nulls(raw)
    try:
        return raw.cast(pa.string()), []
    except pa.ArrowInvalid:
        values: list[bytes] = raw.to_pylist()
    invalid = [row for row, value in enumerate(values) if not _is_utf8(value)]
    for row in invalid:
        values[row] = b""
    return pa.array(values, pa.binary()).cast(pa.string()), invalid


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _blank_controls(texts: Column) -> Column:
    """Return the texts without control characters."""
    _, offsets, values = texts.buffers()
    if offsets is None or values is None or not len(texts):
        return texts
    # One byte for one byte, and no byte of a longer UTF-8 sequence is a control character: offsets stay true.
    blanked = values.to_pybytes().translate(_TO_BLANK)
    texts = pa.StringArray.from_buffers(len(texts), offsets, pa.py_buffer(blanked), offset=texts.offset)
    if blanked.isascii() or not _holds_wide_controls(blanked):
        return texts
    return pc.replace_substring_regex(pc.replace_substring(texts, _MARK, ""), _BREAKS, " ")


def _holds_wide_controls(data: bytes) -> bool:
    return any(first in data and pattern.search(data) for first, pattern in _WIDE_CONTROLS)


def _trim(texts: Column) -> Column:
    """Cut white space off both ends; only texts that begin or end beyond ASCII need the slow way."""
    texts = pc.ascii_trim_whitespace(texts)
    beyond = _begins_beyond_ascii(texts) | _ends_beyond_ascii(texts)
    if not beyond.any():
        return texts
    flags = pa.array(beyond)
    return pc.replace_with_mask(texts, flags, pc.utf8_trim_whitespace(texts.filter(flags)))


def _invisible(texts: Column, sizes: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Return which trimmed texts hold only what cannot be seen; such a text begins beyond ASCII."""
    found = _begins_beyond_ascii(texts) & (sizes <= _LONGEST_INVISIBLE)
    if found.any():
        found[found] = to_numpy(pc.match_substring_regex(texts.filter(pa.array(found)), _NOTHING_TO_SEE))
    return found


def _begins_beyond_ascii(texts: Column) -> npt.NDArray[np.bool_]:
    return _beyond_ascii(texts, lambda offsets: offsets[:-1])


def _ends_beyond_ascii(texts: Column) -> npt.NDArray[np.bool_]:
    return _beyond_ascii(texts, lambda offsets: offsets[1:] - 1)


def _beyond_ascii(texts: Column, place: Callable[[Offsets], Offsets]) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(texts), dtype=bool)
    _, offsets_buffer, values_buffer = texts.buffers()
    if values_buffer is None or not len(texts):
        return found
    offsets = np.frombuffer(offsets_buffer, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    values = np.frombuffer(values_buffer, dtype=np.uint8)
    filled = offsets[1:] > offsets[:-1]
    found[filled] = values[place(offsets)[filled]] >= _BEYOND_ASCII
    return found
