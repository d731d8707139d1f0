"""What a CSV or TSV file separates its fields with, and how it writes a quote inside a text.

A file may escape quotes with a backslash before them, as Spark does, instead of doubling them. The rest
of the reader knows doubled quotes only. So an escaped character is replaced by a control character before the
rows are parsed, and put back in the columns that were parsed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from nightsort.arrow.columns import from_offsets_and_bytes, offsets_and_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nightsort.arrow.columns import Column

# Cleaning would make a blank of these control characters, so no text loses anything by their use.
_QUOTE_MARK: Final = b"\x0e"
_DELIMITER_MARK: Final = b"\x0f"
_MARKS: Final = bytes.maketrans(_QUOTE_MARK + _DELIMITER_MARK, b"  ")


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    :param delimiter: the one character between two fields.
    :param escape: the character that makes the quote, delimiter, line end or escape character behind it a
        part of the text; ``None``: quotes are doubled.
    """

    delimiter: str = ","
    escape: str | None = None

    @property
    def mark(self) -> bytes:
        """The delimiter as bytes."""
        return self.delimiter.encode()

    def unescaped(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the bytes of a file with escaped characters replaced."""
        if self.escape is None:
            yield from parts
            return
        rest = b""
        for part in parts:
            data = rest + part.translate(_MARKS)
            rest = _open_end(data, self.escape.encode())
            yield self._without_escapes(data[: len(data) - len(rest)])
        if rest:
            yield rest

    def restored(self, column: Column) -> Column:
        """Return a column with the characters put back that were escaped."""
        if self.escape is None:
            return column
        offsets, values = offsets_and_bytes(column)
        return from_offsets_and_bytes(column.type, offsets, values.tobytes().translate(self._restoring))

    def restored_names(self, names: list[str]) -> list[str]:
        """Return the names in a header with the characters put back that were escaped."""
        return [name.encode().translate(self._restoring).decode() for name in names]

    def _without_escapes(self, data: bytes) -> bytes:
        escape = (self.escape or "").encode()
        becomes = {
            escape + b"\r\n": b" ",
            escape + b"\n": b" ",
            escape + b"\r": b" ",
            escape + b'"': _QUOTE_MARK,
            escape + self.mark: _DELIMITER_MARK,
            escape + escape: escape,
        }
        if escape + escape in data:
            # Which of several escapes in a row belong together is known from the left only.
            return re.sub(b"|".join(map(re.escape, becomes)), lambda found: becomes[found[0]], data)
        for escaped, plain in becomes.items():
            data = data.replace(escaped, plain)
        return data

    @cached_property
    def _restoring(self) -> bytes:
        return bytes.maketrans(_QUOTE_MARK + _DELIMITER_MARK, b'"' + self.mark)


def _open_end(data: bytes, escape: bytes) -> bytes:
    """Return the end of these bytes that what follows may change: an escape, or one and half a line end."""
    body = data.removesuffix(b"\r")
    escapes = len(body) - len(body.rstrip(escape))
    return data[len(body) - 1 :] if escapes % 2 else b""
