"""Where the rows of a JSON file are cut: at its lines, or behind each object where lines do not do.

Three kinds of files are not one object per line, and yet hold nothing but objects: those whose objects spread
over several lines (pretty-printed), those that are one endless line, as delivery streams write them, and
arrays of either kind.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from nightsort.arrow.columns import true_indices
from nightsort.sources.json_values import BETWEEN_OBJECTS, JsonError, parse_value
from nightsort.sources.row_blocks import MAX_ROW_BYTES, RowBlock, find_lines
from nightsort.sources.source_files import CHUNK_BYTES, SourceError

if TYPE_CHECKING:
    import numpy.typing as npt

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


def _spreads_over_lines(beginning: bytes) -> bool:
    """Return whether the first object of a file takes more than one line."""
    start = len(beginning) - len(beginning.lstrip(BETWEEN_OBJECTS))
    try:
        value, end = parse_value(beginning, start)
    except JsonError:
        return False
    # An empty one is more likely two damaged lines.
    return bool(value) and b"\n" in beginning[start:end]


def _as_lines(pending: bytes, at_end: bool) -> tuple[bytes, int]:
    """Return each whole object as a line of its own, and how many bytes they took."""
    ends = _ends_of_objects(pending).tolist()
    lines = [pending[start:end].strip(BETWEEN_OBJECTS) for start, end in zip([0, *ends], ends, strict=False)]
    taken = ends[-1] if ends else 0
    if at_end:
        # What is left is a damaged object, or the end of an array.
        lines.append(pending[taken:])
        taken = len(pending)
    return b"\n".join(line.translate(_LINE_ENDS) for line in lines), taken


def _ends_of_objects(data: bytes) -> npt.NDArray[np.intp]:
    """Return where each outer object ends, in data that begins outside of objects."""
    values = np.frombuffer(data, dtype=np.uint8)
    quotes = values == ord('"')
    if b"\\" in data:
        quotes[_behind_odd_runs(true_indices(values == ord("\\")), len(values))] = False
    before = np.cumsum(quotes, dtype=np.int32)
    # No text goes on in the next line, so one that is not closed does no harm there.
    line_ends = true_indices(values == ord("\n"))
    lengths = np.diff(line_ends, prepend=-1, append=len(values) - 1)
    outside = (before - np.repeat(np.append(0, before[line_ends]), lengths)) % 2 == 0
    closing = (values == ord("}")) & outside
    depth = np.cumsum(((values == ord("{")) & outside).astype(np.int8) - closing, dtype=np.int32)
    # Below zero there were too many ends; what follows is counted from there.
    return true_indices(closing & (depth == np.minimum.accumulate(np.minimum(depth, 0)))) + 1


def _behind_odd_runs(backslashes: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.intp]:
    """Return what is escaped: the places behind an odd number of backslashes."""
    first = np.flatnonzero(np.diff(backslashes, prepend=-2) != 1)
    lengths = np.diff(first, append=len(backslashes))
    behind = backslashes[first] + lengths
    return behind[(lengths % 2 == 1) & (behind < size)]
