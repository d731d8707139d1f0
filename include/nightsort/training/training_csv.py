"""The two files that Comprehend trains and tests on, and the test documents alone, as bytes.

A row is ``label,"document"``: no header, UTF-8 without byte order mark, line feed at the end, quotes
doubled, no blank around the comma. The document always stands in quotes; a label does where it has a comma
or a quote. Comprehend reads what ``pandas.read_csv`` reads (awsdocs/amazon-comprehend-developer-guide,
issue 18).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from include.nightsort.columnar.columns import Column

_QUOTE = 0x22


def row_starts(cells: Iterable[str]) -> Column:
    """Return what stands before the document, for each cell of labels."""
    return pa.array([f'{_quoted(cell)},"' for cell in cells], pa.string())


def csv_rows(starts: Column, texts: Column) -> memoryview:
    """Return whole rows of the CSV.

    :param starts: of each row, as :func:`row_starts` gives them.
    :param texts: the cleaned documents.
    """
    end = pa.scalar('"\n')
    return _values(pc.binary_join_element_wise(starts, _double_quotes(texts), end, ""))


def text_lines(texts: Column) -> memoryview:
    """Return the cleaned documents, one per line."""
    return _values(pc.binary_join_element_wise(texts, pa.scalar("\n"), ""))


def _quoted(cell: str) -> str:
    if any(mark in cell for mark in ',"'):
        doubled = cell.replace('"', '""')
        return f'"{doubled}"'
    return cell


def _double_quotes(texts: Column) -> Column:
    """Double every quote: in all texts at once, as their bytes lie one behind the other."""
    data = bytes(_values(texts))
    if b'"' not in data:
        return texts
    offsets = _offsets(texts)
    quotes = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == _QUOTE)
    ends = offsets - offsets[0]
    moved = (ends + np.searchsorted(quotes, ends)).astype(np.int32)
    doubled = data.replace(b'"', b'""')
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(moved.tobytes()), pa.py_buffer(doubled))


def _values(texts: Column) -> memoryview:
    """Return the bytes of all texts, one behind the other."""
    if not len(texts) or texts.buffers()[2] is None:
        return memoryview(b"")
    offsets = _offsets(texts)
    return memoryview(texts.buffers()[2])[offsets[0] : offsets[-1]]


def _offsets(texts: Column) -> npt.NDArray[np.int32]:
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int32)
    return offsets[texts.offset : texts.offset + len(texts) + 1]
