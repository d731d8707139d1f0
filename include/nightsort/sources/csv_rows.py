"""CSV and TSV: quoted fields may hold delimiters and line ends, and a damaged row costs only itself.

pyarrow parses the rows; this module finds where they begin and end, for two reasons: pyarrow refuses the
whole file if a row does not fit its blocks, and it reads a quote that is never closed as one document that
holds the rest of the file.
"""

from __future__ import annotations

import csv
import io
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from nightsort.arrow.columns import (
    from_offsets_and_bytes,
    is_utf8,
    offsets_and_bytes,
    one_column,
    true_indices,
)
from nightsort.sources.row_blocks import BadRow, ColumnSelection, RawRows, RowBlock, split_into_row_blocks
from nightsort.sources.source_files import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import IO

    import numpy.typing as npt

    from nightsort.arrow.columns import Column
    from nightsort.sources.source_files import SourceFile
    from nightsort.sources.streams import OpenedFile

_QUOTE: Final = 0x22
_LINE_FEED: Final = 0x0A
_CARRIAGE_RETURN: Final = 0x0D
_QUOTED: Final = re.compile(rb'"([^"]*(?:""[^"]*)*)"')
_PLAIN: Final = {mark: re.compile(rb"[^%s\r\n]*" % mark) for mark in (b",", b"\t")}
_BEFORE_FIELD: Final = {
    mark: np.isin(np.arange(256), [mark[0], _LINE_FEED, _CARRIAGE_RETURN]) for mark in (b",", b"\t")
}

_LONE_CARRIAGE_RETURN: Final = re.compile(rb"\r(?!\n|\Z)")
_LINE_END_SAMPLE: Final = 65_536
_BLOCK_BYTES: Final = 131_072
"""pyarrow parses blocks that fit into a core's own cache twice as fast."""

_NOT_CLOSED: Final = "a quote is opened and not closed in this row"
_GARBAGE: Final = (
    "a quoted field that spans lines is followed by other text; a quote before it was not closed"
)


def read_csv(
    opened: Iterable[OpenedFile], selection: ColumnSelection, *, delimiter: str = ","
) -> Iterator[RawRows]:
    """Read CSV or TSV files: fields may be quoted (``"``, doubled inside); empty lines are no rows.

    :param opened: the files, each with its bytes.
    :raises SourceError: a selected column is missing, or the header row cannot be read.
    """
    for file, stream in opened:
        yield from _read_file(file, stream, selection, delimiter)


def _read_file(
    file: SourceFile, stream: IO[bytes], selection: ColumnSelection, delimiter: str
) -> Iterator[RawRows]:
    names = None if selection.header is None else list(selection.header)
    if names is not None:
        selection.check(names, file.uri)
    number = 0
    for block in split_into_row_blocks(stream, _row_finder(delimiter)):
        if block.detail is not None:
            if names is None:
                raise SourceError(
                    f"{file.uri}: the header row cannot be read ({block.detail}); correct the first line"
                )
            yield RawRows.only_bad(file.name, BadRow(number, block.detail))
            number += 1
            continue
        data = block.data.lstrip(b"\r\n")
        if data and names is None:
            names, data = _split_header(data, delimiter, file.uri)
            selection.check(names, file.uri)
        if not data or names is None:
            continue
        table, bad = _parse(data, names, delimiter, selection)
        count = len(table) + len(bad)
        rows = np.delete(np.arange(count), [row for row, _ in bad]) + number
        columns = {name: one_column(table[name]) for name in selection.names}
        bad_rows = (BadRow(number + row, detail) for row, detail in bad)
        yield RawRows.from_columns(file.name, rows, columns, selection, bad_rows)
        number += count


def _split_header(data: bytes, delimiter: str, where: str) -> tuple[list[str], bytes]:
    """Return the names in the first row, and the rows after it."""
    row = _row_end(data, 0, delimiter.encode(), at_end=True)
    end = row.end if row.detail is None else data.find(b"\n") + 1 or len(data)
    try:
        text = data[:end].decode()
    except UnicodeDecodeError:
        raise SourceError(f"{where}: the header row is not UTF-8; save the file as UTF-8") from None
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)), data[end:].lstrip(b"\r\n")


def _parse(
    data: bytes, names: list[str], delimiter: str, selection: ColumnSelection
) -> tuple[pa.Table, list[tuple[int, str]]]:
    """Parse whole rows; also return the index and the problem of each with a wrong number of fields."""
    if not is_utf8(data):
        # pyarrow passes a bad row to its handler as text, and loses the row if it is not UTF-8. One character
        # per byte keeps delimiters, quotes and line ends, and can be reversed.
        table, bad = _parse(data.decode("latin-1").encode(), names, delimiter, selection)
        columns = {name: _from_latin_1(table[name]) for name in selection.names}
        return pa.table(columns), bad
    # pyarrow refuses a row that spans more than two blocks.
    with suppress(pa.ArrowInvalid):
        return _parse_blocks(data, names, delimiter, selection, block_bytes=_block_bytes(data))
    return _parse_blocks(data, names, delimiter, selection, block_bytes=len(data) + 1)


def _block_bytes(data: bytes) -> int:
    """Return a block size with which no block ends between a carriage return and its line feed.

    pyarrow takes a line feed after such an end for a part of a row's end, and drops it even in quoted text.
    """
    for size in range(_BLOCK_BYTES, _BLOCK_BYTES // 2, -1):
        if not any(data.startswith(b"\r\n", end - 1) for end in range(size, len(data), size)):
            return size
    return len(data) + 1


def _parse_blocks(
    data: bytes, names: list[str], delimiter: str, selection: ColumnSelection, *, block_bytes: int
) -> tuple[pa.Table, list[tuple[int, str]]]:
    bad = []

    def skip(row: pa_csv.InvalidRow) -> Literal["skip"]:
        bad.append(
            (int(row.number or 0) - 1, f"has {row.actual_columns} fields instead of {row.expected_columns}")
        )
        return "skip"

    table = pa_csv.read_csv(
        cast("IO[bytes]", pa.BufferReader(data)),
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=block_bytes, column_names=names),
        parse_options=pa_csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip
        ),
        convert_options=pa_csv.ConvertOptions(
            include_columns=selection.names,
            column_types={name: pa.string() for name in selection.names},
            strings_can_be_null=False,
            check_utf8=False,
        ),
    )
    return table, bad


def _from_latin_1(column: Column) -> Column:
    """Return the original bytes of texts that were decoded as Latin-1."""
    offsets, values = offsets_and_bytes(one_column(column))
    begins_character = (values & 0xC0) != 0x80
    ends = np.concatenate(([0], np.cumsum(begins_character)))[offsets]
    return from_offsets_and_bytes(pa.binary(), ends, values.tobytes().decode().encode("latin-1"))


def _row_finder(delimiter: str) -> Callable[[bytes, bool], tuple[list[RowBlock], int]]:
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
    quotes = true_indices(values == _QUOTE)
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
    opens = (openers == 0) | _BEFORE_FIELD[mark][values[openers - 1]]
    opens[1:] |= openers[1:] == closers[: len(openers) - 1] + 1
    behind = values[closers[closers + 1 < len(values)] + 1]
    return bool(opens.all() and (_BEFORE_FIELD[mark][behind] | (behind == _QUOTE)).all())


@dataclass(frozen=True)
class _Row:
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
        row = _row_end(data, position, mark, at_end=at_end)
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


def _row_end(data: bytes, start: int, mark: bytes, *, at_end: bool) -> _Row:
    plain = _PLAIN[mark]
    position = start
    while True:
        quoted = None
        if data.startswith(b'"', position):
            quoted = _QUOTED.match(data, position)
            if quoted is None:
                return _Row(0, _NOT_CLOSED if at_end else None)
            position = quoted.end()
        field_end = plain.match(data, position).end()  # type: ignore[union-attr]  # matches the empty field too
        if quoted is not None and field_end > position and b"\n" in quoted[1]:
            return _Row(0, _GARBAGE)
        position = field_end
        if position >= len(data):
            return _Row(len(data) if at_end else 0)
        if data.startswith(mark, position):
            position += 1
            continue
        position += 2 if data.startswith(b"\r\n", position) else 1
        # A carriage return at the very end may be the first half of a line end.
        return _Row(0 if position == len(data) and not at_end and data.endswith(b"\r") else position)
