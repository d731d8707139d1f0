"""Where the rows of a JSON file are cut: at its lines, or behind each object where lines do not do.

Three kinds of files are not one object per line, and yet hold nothing but objects: those whose objects spread
over several lines (pretty-printed), those that are one endless line, as delivery streams write them, and
arrays of either kind.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Final

import numpy as np

from nightsort.arrow.columns import true_indices
from nightsort.sources.json_values import BETWEEN_OBJECTS, LONG_LINE, JsonError, parse_value
from nightsort.sources.row_blocks import MAX_ROW_BYTES, RowBlock, find_lines
from nightsort.sources.source_files import CHUNK_BYTES, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from nightsort.arrow.columns import Bytes, Flags

_SEVERAL_OBJECTS: Final = re.compile(rb'\s*\[|.*?\}\s*\{\s*"', re.DOTALL)
_WINDOW: Final = 1_000_000
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
            self._by_objects = _spreads_over_lines(pending)
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
        return ([RowBlock(data)] if data else []), taken


def lines_of(data: bytes) -> Iterator[bytes]:
    """Yield the lines of a block; of a long one each object as a line, so that little is parsed at once."""
    for line in io.BytesIO(data):
        if len(line) <= LONG_LINE:
            yield line
        else:
            yield from io.BytesIO(_as_lines(line, at_end=True)[0])


def _spreads_over_lines(beginning: bytes) -> bool:
    """Return whether the first object of a file takes more than one line."""
    start = len(beginning) - len(beginning.lstrip(BETWEEN_OBJECTS))
    try:
        value, end = parse_value(beginning[: start + _WINDOW], start)
    except JsonError:
        return False
    # An empty one is more likely two damaged lines.
    return bool(value) and b"\n" in beginning[start:end]


def _as_lines(pending: bytes, at_end: bool) -> tuple[bytes, int]:
    """Return each whole object as a line of its own, and how many bytes they took."""
    lines = bytearray()
    taken = 0
    for ends in _ends_of_objects(pending):
        for end in ends.tolist():
            lines += pending[taken:end].strip(BETWEEN_OBJECTS).translate(_LINE_ENDS) + b"\n"
            taken = end
    if at_end:
        # What is left is a damaged object, or the end of an array.
        lines += pending[taken:].translate(_LINE_ENDS)
        taken = len(pending)
    return bytes(lines), taken


def _ends_of_objects(data: bytes) -> Iterator[npt.NDArray[np.intp]]:
    """Yield where each outer object ends, in data that begins outside of objects, some at a time."""
    escaped = in_text = False
    depth = lowest = 0
    for start in range(0, len(data), _WINDOW):
        values = np.frombuffer(data, dtype=np.uint8, count=min(_WINDOW, len(data) - start), offset=start)
        quotes = values == ord('"')
        quotes, escaped = _without_escaped(quotes, values, escaped)
        quotes_before = np.cumsum(quotes, dtype=np.int32) + in_text
        # No text goes on in the next line, so one that is not closed does no harm there.
        line_ends = true_indices(values == ord("\n"))
        lengths = np.diff(line_ends, prepend=-1, append=len(values) - 1)
        outside = (quotes_before - np.repeat(np.append(0, quotes_before[line_ends]), lengths)) % 2 == 0
        closing = (values == ord("}")) & outside
        depths = depth + np.cumsum(((values == ord("{")) & outside).astype(np.int8) - closing, dtype=np.int32)
        # Below zero there were too many ends; what follows is counted from there.
        lowests = np.minimum.accumulate(np.minimum(depths, lowest))
        yield true_indices(closing & (depths == lowests)) + (start + 1)
        in_text, depth, lowest = not outside[-1], int(depths[-1]), int(lowests[-1])


def _without_escaped(quotes: Flags, values: Bytes, escaped: bool) -> tuple[Flags, bool]:
    """Return the quotes that no backslash escapes.

    :param escaped: whether a backslash escapes the first byte.
    :returns: the quotes, and whether a backslash escapes what follows.
    """
    backslashes = true_indices(values == ord("\\"))
    if escaped:
        quotes[0] = False
        backslashes = backslashes[1:] if values[0] == ord("\\") else backslashes
    first = np.flatnonzero(np.diff(backslashes, prepend=-2) != 1)
    lengths = np.diff(first, append=len(backslashes))
    behind = (backslashes[first] + lengths)[lengths % 2 == 1]
    inside = behind[behind < len(values)]
    quotes[inside] = False
    return quotes, len(inside) < len(behind)
