"""Where the rows of CSV and TSV begin and end.

Quoted fields may hold delimiters and line ends. A quote that is never closed costs its own row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from nightsort.arrow.columns import true_indices
from nightsort.sources.row_blocks import RowBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

_QUOTE: Final = 0x22
_LINE_FEED: Final = 0x0A
_CARRIAGE_RETURN: Final = 0x0D
_QUOTES: Final = re.compile(rb'"+')
_MOST_QUOTES: Final = 4_000_000
"""With more of them in one piece the rows are found one by one, which takes no memory for each quote."""

_LONE_CARRIAGE_RETURN: Final = re.compile(rb"\r(?!\n|\Z)")
_LINE_END_SAMPLE: Final = 65_536
_NOT_CLOSED: Final = "a quote is opened and not closed in this row"
_GARBAGE: Final = (
    "a quoted field that spans lines is followed by other text; a quote before it was not closed"
)
_ESCAPED: Final = (
    "a quote follows a backslash; if backslashes escape quotes in this file, set escape in the spec"
)


@cache
def _plain(mark: bytes) -> re.Pattern[bytes]:
    """Return the pattern of a field without quotes."""
    return re.compile(rb"[^%s\r\n]*" % re.escape(mark))


@cache
def _before_field(mark: bytes) -> npt.NDArray[np.bool_]:
    """Return for each byte whether a field may begin behind it."""
    return np.isin(np.arange(256), [mark[0], _LINE_FEED, _CARRIAGE_RETURN])


def row_finder(delimiter: str) -> Callable[[bytes, bool], tuple[list[RowBlock], int]]:
    """Return what finds whole rows, for :func:`~nightsort.sources.row_blocks.split_into_row_blocks`."""
    mark = delimiter.encode()
    line_feeds = False

    def find(pending: bytes, at_end: bool) -> tuple[list[RowBlock], int]:
        nonlocal line_feeds
        line_feeds = line_feeds or b"\n" in pending
        if not line_feeds and not at_end and len(pending) < _LINE_END_SAMPLE:
            return [], 0
        if line_feeds and _has_lone_carriage_return(pending):
            # Among line feeds, a carriage return alone is text; pyarrow would end the row there.
            pending = _LONE_CARRIAGE_RETURN.sub(b" ", pending)
        return _find_rows(pending, mark, at_end)

    return find


def _has_lone_carriage_return(data: bytes) -> bool:
    if b"\r" not in data:
        return False
    values = np.frombuffer(data, dtype=np.uint8)
    returns = true_indices(values[:-1] == _CARRIAGE_RETURN)
    return bool((values[returns + 1] != _LINE_FEED).any())


def _find_rows(pending: bytes, mark: bytes, at_end: bool) -> tuple[list[RowBlock], int]:
    values = np.frombuffer(pending, dtype=np.uint8)
    are_quotes = values == _QUOTE
    if np.count_nonzero(are_quotes) > _MOST_QUOTES:
        return _scan(pending, mark, at_end)
    quotes = true_indices(are_quotes)
    if len(quotes) and (not _is_regular(values, quotes, mark) or (at_end and len(quotes) % 2)):
        return _scan(pending, mark, at_end)
    end = len(pending) if at_end else _last_row_end(pending, quotes)
    return ([RowBlock(pending[:end])] if end else []), end


def _last_row_end(data: bytes, quotes: npt.NDArray[np.intp]) -> int:
    """Return where the last whole row ends: after the last line end outside quotes, or 0."""
    # A carriage return at the very end may be the first half of a line end.
    line_end, end = (b"\n", len(data)) if b"\n" in data else (b"\r", len(data) - 1)
    while (end := data.rfind(line_end, 0, end)) >= 0:
        before = int(np.searchsorted(quotes, end))
        if before % 2 == 0:
            break
        end = int(quotes[before - 1])
    return end + 1


def _is_regular(values: npt.NDArray[np.uint8], quotes: npt.NDArray[np.intp], mark: bytes) -> bool:
    """Return whether every quote opens or closes a field or is doubled in one, so that counting is enough."""
    openers, closers = quotes[0::2], quotes[1::2]
    opens = (openers == 0) | _before_field(mark)[values[openers - 1]]
    opens[1:] |= openers[1:] == closers[: len(openers) - 1] + 1
    behind = values[closers[closers + 1 < len(values)] + 1]
    return bool(opens.all() and (_before_field(mark)[behind] | (behind == _QUOTE)).all())


@dataclass(frozen=True)
class Row:
    """Where a row ends; ``end`` 0 means: not within these bytes."""

    end: int
    detail: str | None = None


def _scan(data: bytes, mark: bytes, at_end: bool) -> tuple[list[RowBlock], int]:
    """Find the rows one by one, for bytes with quotes where RFC 4180 allows none."""
    found: list[RowBlock] = []
    good_from = position = 0
    while position < len(data):
        quote = data.find(b'"', position)
        if quote < 0:
            end = len(data) if at_end else data.rfind(b"\n") + 1
            position = max(position, end)
            break
        position = max(position, data.rfind(b"\n", position, quote) + 1)
        row = row_end(data, position, mark, at_end=at_end)
        if row.detail is not None:
            if position > good_from:
                found.append(RowBlock(data[good_from:position]))
            found.append(RowBlock(b"", row.detail))
            good_from = position = data.find(b"\n", position) + 1 or len(data)
        elif row.end:
            position = row.end
        else:
            break
    if position > good_from:
        found.append(RowBlock(data[good_from:position]))
    return found, position


def row_end(data: bytes, start: int, mark: bytes, *, at_end: bool) -> Row:
    """Return where a row ends, or what is wrong with its quotes."""
    plain = _plain(mark)
    position = start
    while True:
        opening = position
        quoted = data.startswith(b'"', position)
        if quoted:
            position = _closing(data, position)
            if not position:
                return Row(0, _why(data, start, _NOT_CLOSED) if at_end else None)
        field_end = plain.match(data, position).end()  # type: ignore[union-attr]  # matches the empty field too
        if quoted and field_end > position:
            if data.endswith(b"\\", opening + 1, position - 1):
                return Row(0, _ESCAPED)
            if data.find(b"\n", opening, position) >= 0:
                return Row(0, _why(data, start, _GARBAGE))
        position = field_end
        if position >= len(data):
            return Row(len(data) if at_end else 0)
        if data.startswith(mark, position):
            position += 1
            continue
        position += 2 if data.startswith(b"\r\n", position) else 1
        # A carriage return at the very end may be the first half of a line end.
        return Row(0 if position == len(data) and not at_end and data.endswith(b"\r") else position)


def _closing(data: bytes, opening: int) -> int:
    """Return where the quoted field ends that begins here, or 0: at a quote that is not one of a pair."""
    for quotes in _QUOTES.finditer(data, opening + 1):
        if (quotes.end() - quotes.start()) % 2:
            return quotes.end()
    return 0


def _why(data: bytes, start: int, detail: str) -> str:
    """Return what is wrong with a row's quotes: escapes that were not expected explain everything else."""
    line_end = data.find(b"\n", start)
    return _ESCAPED if data.find(b'\\"', start, line_end if line_end >= 0 else len(data)) >= 0 else detail
