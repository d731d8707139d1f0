"""CSV and TSV: quoted fields may hold delimiters and line ends, and a damaged row costs only itself.

pyarrow parses the rows; this module finds where they begin and end, for two reasons: pyarrow refuses the
whole file if a row does not fit its blocks, and it reads a quote that is never closed as one document that
holds the rest of the file.
"""

from __future__ import annotations

import csv
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from nightsort.arrow.columns import (
    from_offsets_and_bytes,
    is_utf8,
    offsets_and_bytes,
    one_column,
)
from nightsort.sources.csv_dialects import Dialect
from nightsort.sources.csv_headers import (
    SAMPLE_BYTES,
    check_dialect,
    remedy_for_header,
    split_header,
    without_excel_line,
)
from nightsort.sources.csv_row_ends import row_finder
from nightsort.sources.row_blocks import (
    BYTE_ORDER_MARK,
    BadRow,
    ColumnSelection,
    RawRows,
    split_into_row_blocks,
)
from nightsort.sources.source_files import SourceError
from nightsort.sources.streams import PartStream, parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO

    from nightsort.arrow.columns import Column
    from nightsort.sources.source_files import SourceFile
    from nightsort.sources.streams import OpenedFile

_BAD_ROWS_AT_ONCE: Final = 1_000
_BLOCK_BYTES: Final = 131_072
"""pyarrow parses blocks that fit into a core's own cache twice as fast."""


def read_csv(
    opened: Iterable[OpenedFile], selection: ColumnSelection, *, delimiter: str = ","
) -> Iterator[RawRows]:
    """Read CSV or TSV files: fields may be quoted (``"``, doubled inside); empty lines are no rows.

    :param opened: the files, each with its bytes.
    :param delimiter: between two fields, where the selection names none.
    :raises SourceError: a selected column is missing, the header row cannot be read, or a file is written
        in another dialect.
    """
    dialect = Dialect(selection.delimiter or delimiter, selection.escape)
    for file, stream in opened:
        yield from _read_file(file, stream, selection, dialect)


def _read_file(
    file: SourceFile, stream: IO[bytes], selection: ColumnSelection, dialect: Dialect
) -> Iterator[RawRows]:
    names = None if selection.header is None else list(selection.header)
    if names is not None:
        selection.check(names, file.uri)
    text = PartStream(dialect.unescaped(parts_of(stream)))
    sample = text.peek(SAMPLE_BYTES).removeprefix(BYTE_ORDER_MARK)
    check_dialect(sample, dialect, None if names is None else len(names), file.uri)
    at_beginning = True
    number = 0
    bad: list[BadRow] = []
    for block in split_into_row_blocks(cast("IO[bytes]", text), row_finder(dialect.delimiter)):
        if block.detail is not None:
            if names is None:
                raise SourceError(
                    f"{file.uri}: the header row cannot be read ({block.detail}); correct the first line"
                )
            bad.append(BadRow(number, block.detail))
            number += 1
            if len(bad) == _BAD_ROWS_AT_ONCE:
                yield RawRows.only_bad(file.name, *bad)
                bad = []
            continue
        data = without_excel_line(block.data) if at_beginning else block.data
        data = data.lstrip(b"\r\n")
        at_beginning = False
        if data and names is None:
            names, data = split_header(data, dialect, file.uri)
            remedy = remedy_for_header(names, selection.names, dialect)
            selection.check(names, file.uri, remedy)
        if not data or names is None:
            continue
        table, unfit = _parse(data, names, dialect.delimiter, selection)
        count = len(table) + len(unfit)
        rows = np.delete(np.arange(count), [row.row for row in unfit]) + number
        columns = {name: dialect.restored(one_column(table[name])) for name in selection.names}
        bad += (replace(row, row=number + row.row) for row in unfit)
        yield RawRows.from_columns(file.name, rows, columns, selection, bad)
        bad = []
        number += count
    if bad:
        yield RawRows.only_bad(file.name, *bad)


def _parse(
    data: bytes, names: list[str], delimiter: str, selection: ColumnSelection
) -> tuple[pa.Table, list[BadRow]]:
    """Parse whole rows; also return those with a wrong number of fields, numbered from 0."""
    if not is_utf8(data):
        # pyarrow passes a bad row to its handler as text, and loses the row if it is not UTF-8. One character
        # per byte keeps delimiters, quotes and line ends, and can be reversed.
        table, bad = _parse(data.decode("latin-1").encode(), names, delimiter, selection)
        columns = {name: _from_latin_1(table[name]) for name in selection.names}
        return pa.table(columns), [replace(row, labels=()) for row in bad]
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
) -> tuple[pa.Table, list[BadRow]]:
    bad = []

    def skip(row: pa_csv.InvalidRow) -> Literal["skip"]:
        detail = f"has {row.actual_columns} fields instead of {row.expected_columns}"
        labels = _labels_of_bad_row(row.text, names, delimiter, selection)
        bad.append(BadRow(int(row.number or 0) - 1, detail, labels=labels))
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


def _labels_of_bad_row(
    text: str, names: list[str], delimiter: str, selection: ColumnSelection
) -> tuple[str, ...]:
    """Return what are probably the labels of a row with a wrong number of fields.

    Its text has a delimiter too many or too few, so only the first and the last field are where they belong.
    """
    if selection.label not in (names[0], names[-1]):
        return ()
    with suppress(csv.Error):
        for fields in csv.reader([text], delimiter=delimiter):
            cell = fields[0] if selection.label == names[0] else fields[-1]
            return tuple(cell.split(selection.label_delimiter)) if selection.label_delimiter else (cell,)
    return ()


def _from_latin_1(column: Column) -> Column:
    """Return the original bytes of texts that were decoded as Latin-1."""
    offsets, values = offsets_and_bytes(one_column(column))
    begins_character = (values & 0xC0) != 0x80
    ends = np.concatenate(([0], np.cumsum(begins_character)))[offsets]
    return from_offsets_and_bytes(pa.binary(), ends, values.tobytes().decode().encode("latin-1"))
