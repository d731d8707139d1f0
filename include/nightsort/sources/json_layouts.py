"""Where the rows of a JSON file are cut: at its lines, or behind each object where lines do not do.

Three kinds of files are not one object per line, and yet hold nothing but objects: those whose objects spread
over several lines (pretty-printed), those that are one endless line, as delivery streams write them, and
arrays of either kind.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Final

from nightsort.sources.json_structure import ends_of_objects
from nightsort.sources.json_values import BETWEEN_OBJECTS, LONG_LINE, JsonError, parse_value
from nightsort.sources.row_blocks import BYTE_ORDER_MARK, MAX_ROW_BYTES, RowBlock, find_lines, some_lines
from nightsort.sources.source_files import CHUNK_BYTES, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SEVERAL_OBJECTS: Final = re.compile(rb'\s*\[|.*?\}\s*\{\s*"', re.DOTALL)
_LINE_ENDS: Final = bytes.maketrans(b"\r\n", b"  ")


class JsonRowFinder:
    """Finds the rows of one file, for :func:`nightsort.sources.row_blocks.split_into_row_blocks`.

    :param where: the file's URI, for errors.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._by_objects: bool | None = None
        self._in_line = False

    def __call__(self, pending: bytes, at_end: bool) -> tuple[list[RowBlock], int]:
        """Return blocks of whole rows, and how many bytes they take.

        :raises SourceError: there is no end of an object where there should be several.
        """
        if self._by_objects is None:
            self._by_objects = _spreads_over_lines(pending, at_end)
            if self._by_objects is None and pending.strip(BETWEEN_OBJECTS):
                return [], 0
        if not self._by_objects:
            found, taken = find_lines(pending, at_end)
            if taken or at_end or len(pending) < CHUNK_BYTES:
                self._in_line = self._in_line and not taken
                return found, taken
        data, taken = _as_lines(pending, at_end)
        if taken:
            self._in_line = True
        elif len(pending) > MAX_ROW_BYTES and (self._in_line or _SEVERAL_OBJECTS.match(pending)):
            raise SourceError(
                f"{self._where} has JSON objects that are not one a line, and one of them is damaged: it has "
                f"no end within {MAX_ROW_BYTES // 1_000_000} MB; mend it, or write one object a line"
            )
        return list(_in_blocks(data)), taken


def lines_of(data: bytes) -> Iterator[bytes]:
    """Yield the lines of a block that are not blank; of a long one each object by itself."""
    for line in io.BytesIO(data):
        if line.isspace():
            continue
        if len(line) <= LONG_LINE:
            # Files that were joined keep the marks at their beginnings.
            yield line.removeprefix(BYTE_ORDER_MARK)
            continue
        start = 0
        for ends in ends_of_objects(line):
            for end in ends.tolist():
                yield line[start:end]
                start = end
        yield line[start:]


def _in_blocks(data: bytes) -> Iterator[RowBlock]:
    while data:
        part = some_lines(data)
        yield RowBlock(part)
        data = data[len(part) :]


def _spreads_over_lines(beginning: bytes, at_end: bool) -> bool | None:
    """Return whether the first object of a file takes more than one line; ``None``: more has to be read."""
    start = len(beginning) - len(beginning.lstrip(BETWEEN_OBJECTS))
    if start == len(beginning):
        return None
    try:
        value, end = parse_value(beginning[: start + LONG_LINE], start)
    except JsonError:
        return False if at_end or len(beginning) - start >= LONG_LINE else None
    # An empty one is more likely two damaged lines.
    return bool(value) and b"\n" in beginning[start:end]


def _as_lines(pending: bytes, at_end: bool) -> tuple[bytes, int]:
    """Return each whole object as a line of its own, and how many bytes they took."""
    lines = bytearray()
    taken = 0
    for ends in ends_of_objects(pending):
        for end in ends.tolist():
            lines += pending[taken:end].strip(BETWEEN_OBJECTS).translate(_LINE_ENDS) + b"\n"
            taken = end
    if at_end:
        # What is left is a damaged object, or the end of an array.
        lines += pending[taken:].translate(_LINE_ENDS)
        taken = len(pending)
    return bytes(lines), taken
