"""Training data as CSV: the label cell and the document, without header.

What no source tells about the real service's reading was decided here; the page on the local AWS lists it.
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
"""A line that no file has: after it, a quoted cell that was never closed ends in the wrong place."""


def read_csv(stream: BinaryIO, file: str, mode: Mode, delimiter: str) -> Iterator[Example | Unusable]:
    """Yield the rows of a file in order; a row of other than two cells, or without document, is unusable.

    Labels are the exact strings of the file: a header is data, a BOM belongs to the first label, and blanks
    around the comma belong to the cells.

    :param file: what messages call it.
    :param delimiter: what joins the labels of a MULTI_LABEL cell.
    :raises TaskError: no UTF-8, an empty label, a quoted cell that does not end.
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
    # A cell over the limit has to be read to be refused with a clear message, hence twice the size.
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
        # The one error left to a reader that is not strict: a cell beyond the limit of the field's size.
        raise document_too_big(following, file) from None
    if (line, cells) != (reader.line_num, [""]):
        raise invalid_input(f"The file {file} has a quoted cell in the row at line {line} that does not end.")


def _lines(stream: BinaryIO) -> Iterator[str]:
    # Python 3.10 refuses a NUL, later ones keep it.
    yield from (line.replace("\0", " ") for line in io.TextIOWrapper(stream, encoding="utf-8", newline=""))
    yield _END
