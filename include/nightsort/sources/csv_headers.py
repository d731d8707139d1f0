"""The beginning of a CSV or TSV file: its header row, and signs that it is written in another dialect."""

from __future__ import annotations

import csv
import io
import re
from itertools import islice
from typing import TYPE_CHECKING, Final

from nightsort.classifier_spec.problems import shown
from nightsort.sources.csv_row_ends import row_end
from nightsort.sources.missing_columns import NAME_THE_RIGHT_ONE, look_like_names, names_alike
from nightsort.sources.source_files import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nightsort.sources.csv_dialects import Dialect

MOST_COLUMNS: Final = 20_000
"""Excel writes 16,384 at most; parsing takes memory for each."""

SAMPLE_BYTES: Final = 1_000_000
"""This much of a file is looked at before its rows are read."""

_DELIMITERS: Final = (";", "\t", "|", ",", "\x01")
_SAMPLE_ROWS: Final = 10
_SAMPLE_ROWS_BYTES: Final = 65_536
_EXCEL: Final = re.compile(rb'"?sep=([\x01-\x09\x0b\x0c\x0e-\x7f])"?(\r?\n|\r|$)', re.IGNORECASE)
_NO_HEADER: Final = (
    "The first row does not look like a header: if it is none, say header: false and give the columns "
    "their names by position, for instance  columns: [label, text]"
)


def check_dialect(sample: bytes, dialect: Dialect, columns: int | None, where: str) -> None:
    """Check that a file is written as its spec says, as far as its beginning shows.

    :param sample: what the file begins with, without a byte order mark.
    :param columns: how many columns the spec names; ``None``: the first row names them.
    :param where: the file's URI, for errors.
    :raises SourceError: it has another delimiter, or escapes its quotes.
    """
    excel = _EXCEL.match(sample)
    if excel is not None and excel[1] != dialect.mark:
        other = excel[1].decode()
        raise SourceError(f"{where} begins with the line sep={shown(other)}: {_say(other)}")
    if dialect.escape is None and escapes_quotes(sample, dialect):
        raise SourceError(
            f"{where} looks as if it escapes the quotes in its texts with a backslash, as Spark does; "
            'say  escape: "\\\\"  in the spec'
        )
    if columns is not None and columns > 1:
        counts = {other: _columns(sample, other) for other in (*_DELIMITERS, dialect.delimiter)}
        fits = [other for other, found in counts.items() if found == {columns}]
        if fits and columns not in counts[dialect.delimiter]:
            raise SourceError(
                f"{where}: its rows do not have {columns} columns with the delimiter "
                f"{shown(dialect.delimiter)}; {_say(fits[0])}"
            )


def without_excel_line(data: bytes) -> bytes:
    """Return the rows of a file without a first line that tells Excel the delimiter."""
    excel = _EXCEL.match(data)
    return data[excel.end() :] if excel is not None else data


def split_header(data: bytes, dialect: Dialect, where: str) -> tuple[list[str], bytes]:
    """Return the names in the first row, and the rows after it.

    :raises SourceError: the first row cannot be read.
    """
    row = row_end(data, 0, dialect.mark, at_end=True)
    end = row.end if row.detail is None else data.find(b"\n") + 1 or len(data)
    try:
        text = data[:end].decode()
    except UnicodeDecodeError:
        raise SourceError(
            f"{where}: the header row is not UTF-8; say which encoding the file has (encoding: cp1252 for "
            "a file from Excel on Windows), or save it as UTF-8"
        ) from None
    rows = _split(text, dialect.delimiter)
    if not rows:
        raise SourceError(f"{where}: the first row has {len(text):,} characters. {_NO_HEADER}")
    if len(rows[0]) > MOST_COLUMNS:
        raise SourceError(f"{where}: the first row has {len(rows[0]):,} columns. {_NO_HEADER}")
    return dialect.restored_names(rows[0]), data[end:].lstrip(b"\r\n")


def remedy_for_header(names: Sequence[str], wanted: Sequence[str], dialect: Dialect) -> str:
    """Return what to do about a header row without a wanted column.

    :param names: the header row's fields.
    :param wanted: the columns that the spec names.
    """
    row = dialect.delimiter.join(names)
    for other in _DELIMITERS:
        if other == dialect.delimiter or other not in row:
            continue
        found = next(iter(_split(row, other)), [])
        if set(wanted) <= set(found) or (len(names) == 1 and look_like_names(found)):
            return f"Its first row is separated by {shown(other)}: {_say(other)}"
    if look_like_names(names):
        return f"{NAME_THE_RIGHT_ONE}, or say header: false"
    return NAME_THE_RIGHT_ONE if any(names_alike(names, name) for name in wanted) else _NO_HEADER


def escapes_quotes(sample: bytes, dialect: Dialect) -> bool:
    """Return whether a quoted field goes on behind a backslash and a quote, and no quote is doubled.

    :param sample: what a file begins with.
    :param dialect: with the delimiter.
    """
    if b'\\"' not in sample:
        return False
    ends = re.escape(dialect.mark) + rb"\r\n"
    escaped = re.search(rb'(?:^|[%s])"[^"]*\\"[^"%s]' % (ends, ends), sample)
    return escaped is not None and re.search(rb'[^"%s]""[^"%s]' % (ends, ends), sample) is None


def _columns(sample: bytes, delimiter: str) -> set[int]:
    """Return the numbers of columns that the first rows have with a delimiter."""
    rows = _split(sample[:_SAMPLE_ROWS_BYTES].decode("latin-1"), delimiter)
    whole = rows[:-1] if len(sample) >= _SAMPLE_ROWS_BYTES else rows
    return {len(row) for row in whole[:_SAMPLE_ROWS]}


def _split(text: str, delimiter: str) -> list[list[str]]:
    """Return the first rows of a text, or none where a field is too long for a header."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return list(islice(filter(None, rows), _SAMPLE_ROWS + 1))
    except csv.Error:
        return []


def _say(delimiter: str) -> str:
    match delimiter:
        case "\t":
            return "say  format: tsv  in the spec"
        case ",":
            return "say  format: csv  in the spec, and no delimiter"
    return f"say  delimiter: {shown(delimiter)}  in the spec"
