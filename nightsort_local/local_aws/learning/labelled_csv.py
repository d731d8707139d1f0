"""Read training data from CSV: a label cell and a document cell, without header.

Where no source describes how the real service reads a file, the choice made here is listed in
docs/local-comprehend.md.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, BinaryIO

from nightsort.comprehend.limits import MAX_DOCUMENT_BYTES
from nightsort_local.local_aws.learning.examples import (
    Example,
    Unusable,
    document_too_big,
    empty_label,
    invalid_input,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nightsort.comprehend.limits import Mode

_END = '"'
"""A sentinel line. A quoted cell that is never closed swallows it or ends on it, and so is detected."""


def read_csv(stream: BinaryIO, file: str, mode: Mode, delimiter: str) -> Iterator[Example | Unusable]:
    """Yield the rows of a file, in order.

    A row without exactly two cells, or with an empty document, is unusable. Labels are the exact strings of
    the file: a header counts as data, a BOM belongs to the first label, and spaces around the comma belong to
    the cells.

    :param file: the file's name in messages.
    :param delimiter: the separator of labels in a MULTI_LABEL cell.
    :raises TaskError: the file is not UTF-8, a label is empty, or a quoted cell does not end.
    """
    for line, cells in _rows(stream, file):
        if len(cells) != 2:
            yield Unusable(line, f"not 2 columns but {len(cells)}")
        elif not cells[1].strip():
            yield Unusable(line, "an empty document")
        else:
            labels = (cells[0],) if mode == "MULTI_CLASS" else tuple(cells[0].split(delimiter))
            if not all(label.strip() for label in labels):
                raise empty_label(line, file)
            yield Example(line, labels, cells[1])


def _rows(stream: BinaryIO, file: str) -> Iterator[tuple[int, list[str]]]:
    # Twice the limit: a cell that is too large must be readable to be refused with a clear message.
    csv.field_size_limit(2 * MAX_DOCUMENT_BYTES)
    reader = csv.reader(_lines(stream))
    line, cells = 0, [""]
    following = 1
    try:
        for row in reader:
            if line and cells:
                yield line, cells
            line, cells, following = following, row, reader.line_num + 1
    except UnicodeDecodeError as error:
        raise invalid_input(f"The file {file} is not UTF-8 after line {following - 1}.") from error
    except csv.Error:
        # A reader that is not strict raises only one error: a cell exceeds the field size limit.
        raise document_too_big(following, file) from None
    if (line, cells) != (reader.line_num, [""]):
        raise invalid_input(f"The file {file} has a quoted cell in the row at line {line} that does not end.")


def _lines(stream: BinaryIO) -> Iterator[str]:
    # Python 3.10 refuses a NUL character; later versions keep it.
    yield from (line.replace("\0", " ") for line in io.TextIOWrapper(stream, encoding="utf-8", newline=""))
    yield _END
