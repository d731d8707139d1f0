"""Files as streams of text in UTF-8: what is no text is refused, and other encodings are decoded."""

from __future__ import annotations

import codecs
from typing import IO, TYPE_CHECKING, Final, cast

import numpy as np

from nightsort.sources.file_kinds import LOOK_BYTES, Kind, binary_kind, kind_of, unlike_format
from nightsort.sources.source_files import SourceError
from nightsort.sources.streams import PartStream, parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nightsort.classifier_spec.source import Format
    from nightsort.sources.streams import OpenedFile

_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    # The mark of UTF-32 begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ZEROS_OF: Final = {
    "utf-32-le": (4, [2, 3], 0),
    "utf-32-be": (4, [0, 1], 3),
    "utf-16-le": (2, [1], 0),
    "utf-16-be": (2, [0], 1),
}
"""Bytes of a character; which of them are zero in nearly all European texts; which is hardly ever."""

_MOST: Final = 0.8
_UTF8_BYTES: Final = 1_000_000
"""This much of a file is looked at for signs of UTF-8 where its spec says another encoding."""

_LEAST_UTF8_BYTES: Final = 64
"""Fewer bytes may be UTF-16 of another script and UTF-8 as well."""

_LEAST_UTF8_LETTERS: Final = 8
"""Fewer letters that are not ASCII may be UTF-8 and another encoding with several bytes a letter as well."""

_OF_NO_CHARACTER: Final = "nightsort-of-no-character"
_AS_UTF8: Final = {"utf-8", "utf-8-sig"}


def as_texts(opened: Iterable[OpenedFile], declared: Format, encoding: str) -> Iterator[OpenedFile]:
    """Yield files with their bytes as text in UTF-8.

    :param opened: the files, each with its bytes, unpacked.
    :param declared: the spec's format, for files that are plainly of another.
    :param encoding: the spec's encoding.
    :raises SourceError: a file is no text, or plainly not of its format.
    """
    for file, stream in opened:
        text, kind = text_of(stream, encoding)
        kind = kind or unlike_format(text.peek(LOOK_BYTES), declared)
        if kind is not None:
            raise SourceError(f"{file.uri} {kind}")
        yield file, cast("IO[bytes]", text)


def text_of(stream: IO[bytes], encoding: str) -> tuple[PartStream, Kind | None]:
    """Return a file as text in UTF-8, and its kind if it is no text.

    What is no character in the file's encoding becomes a byte that is none in UTF-8, so that it costs its
    row. A byte order mark counts more than the spec; zero bytes show UTF-16 and UTF-32 without such a mark.
    A file that shows that it is UTF-8 is read as UTF-8: in the spec's encoding each ü would become Ã¼.

    :param encoding: the spec's encoding.
    """
    packed = PartStream(parts_of(stream))
    beginning = packed.peek(LOOK_BYTES)
    kind = kind_of(beginning)
    if kind is not None:
        return packed, kind
    if encoding not in _AS_UTF8 and _is_utf8(packed.peek(_UTF8_BYTES), encoding):
        encoding = "utf-8"
    encoding = _encoding_of(beginning, encoding)
    text = (
        packed
        if encoding in _AS_UTF8
        else PartStream(_decoded(parts_of(cast("IO[bytes]", packed)), encoding))
    )
    return text, binary_kind(text.peek(LOOK_BYTES))


def _encoding_of(beginning: bytes, declared: str) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if beginning.startswith(mark):
            return encoding
    if declared.startswith(("utf-16-", "utf-32-")):
        return declared
    found = next((name for name, zeros in _ZEROS_OF.items() if _has_zeros(beginning, *zeros)), None)
    # Without a mark, utf-16 would mean the byte order of this machine.
    return found or {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(declared, declared)


def _is_utf8(beginning: bytes, declared: str) -> bool:
    """Return whether a file is UTF-8, although its spec says another encoding.

    Zero bytes are in nearly all texts of UTF-16 and UTF-32. What is UTF-8 in other encodings, too, has one or
    two letters, as 联通 in GBK.
    """
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(beginning, len(beginning) < _UTF8_BYTES)
    except UnicodeDecodeError:
        return False
    if declared.startswith(("utf-16", "utf-32")):
        return len(beginning) >= _LEAST_UTF8_BYTES and 0 not in beginning
    letters = len(text) - len(text.encode("ascii", "ignore"))
    one_byte_each = len(bytes(range(256)).decode(declared, "replace")) == 256
    return letters >= (1 if one_byte_each else _LEAST_UTF8_LETTERS)


def _has_zeros(beginning: bytes, width: int, zeros: list[int], other: int) -> bool:
    """Return whether the bytes of characters are zero where they are in an encoding, and only there."""
    if len(beginning) < 2 * width or (len(beginning) < LOOK_BYTES and len(beginning) % width):
        return False
    whole = len(beginning) // width * width
    share = (np.frombuffer(beginning[:whole], np.uint8).reshape(-1, width) == 0).mean(axis=0)
    return bool((share[zeros] >= _MOST).all() and share[other] <= 1 - _MOST)


def _decoded(parts: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(_OF_NO_CHARACTER)
    for part in parts:
        if text := decoder.decode(part):
            yield text.encode("utf-8", _OF_NO_CHARACTER)
    if text := decoder.decode(b"", True):
        yield text.encode("utf-8", _OF_NO_CHARACTER)


def _of_no_character(error: UnicodeError) -> tuple[str | bytes, int]:
    """Go on behind what is no character: it becomes a lone surrogate, and that a byte which is no UTF-8."""
    if isinstance(error, UnicodeDecodeError):
        return "\udcff", error.end
    if isinstance(error, UnicodeEncodeError):
        return b"\xff" * (error.end - error.start), error.end
    raise error


codecs.register_error(_OF_NO_CHARACTER, _of_no_character)
