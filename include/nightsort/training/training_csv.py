"""The rows of the two files that Comprehend trains and tests on, and the lines of the test documents alone.

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

from nightsort.arrow.columns import from_offsets_and_bytes, offsets_and_bytes, true_indices

if TYPE_CHECKING:
    from nightsort.arrow.columns import Column
    from nightsort.training.document_labels import Numbers

_QUOTE = 0x22
_ROW_END = '"\n'


def row_starts(cells: Column) -> Column:
    """Return what stands before each document.

    :param cells: the labels of each document, as one text.
    """
    return pc.binary_join_element_wise(_quoted(cells), pa.scalar(',"'), "")


def csv_rows(starts: Column, texts: Column) -> Column:
    """Return whole rows of the CSV.

    :param starts: of each row, as :func:`row_starts` gives them.
    :param texts: the cleaned documents.
    """
    return pc.binary_join_element_wise(starts, _double_quotes(texts), pa.scalar(_ROW_END), "")


def text_lines(texts: Column) -> Column:
    """Return the cleaned documents, each as a line."""
    return pc.binary_join_element_wise(texts, pa.scalar("\n"), "")


def texts_of_rows(rows: Column, starts: Column) -> Column:
    """Return the documents in whole rows of the CSV.

    :param rows: as :func:`csv_rows` makes them.
    :param starts: what they were made with.
    """
    offsets, _ = offsets_and_bytes(rows)
    documents = _cut(rows, offsets[:-1] + _sizes(starts), offsets[1:] - len(_ROW_END))
    return pc.replace_substring(documents, '""', '"')


def with_starts(rows: Column, old: Column, new: Column) -> Column:
    """Return rows of the CSV with other labels.

    :param old: what the rows were made with.
    :param new: what they begin with from now on.
    """
    offsets, _ = offsets_and_bytes(rows)
    return pc.binary_join_element_wise(new, _cut(rows, offsets[:-1] + _sizes(old), offsets[1:]), "")


def values(texts: Column) -> memoryview:
    """Return the bytes of all texts, one behind the other."""
    return offsets_and_bytes(texts)[1].data


def rows_of(data: bytes, sizes: Numbers) -> Column:
    """Return rows of a file as a column; the reverse of :func:`values`.

    :param sizes: of each, in bytes.
    """
    return from_offsets_and_bytes(pa.string(), np.concatenate(([0], np.cumsum(sizes))), data)


def _quoted(cells: Column) -> Column:
    if not any(mark in bytes(values(cells)) for mark in (b",", b'"')):
        return cells
    doubled = pc.replace_substring(cells, '"', '""')
    quoted = pc.binary_join_element_wise(pa.scalar('"'), doubled, pa.scalar('"'), "")
    return pc.if_else(pc.match_substring_regex(cells, '[,"]'), quoted, cells)


def _double_quotes(texts: Column) -> Column:
    """Double every quote: in all texts at once, as their bytes lie one behind the other."""
    offsets, content = offsets_and_bytes(texts)
    quotes = true_indices(content == _QUOTE)
    if not len(quotes):
        return texts
    moved = offsets + np.searchsorted(quotes, offsets)
    return from_offsets_and_bytes(pa.string(), moved, content.tobytes().replace(b'"', b'""'))


def _cut(texts: Column, begins: Numbers, ends: Numbers) -> Column:
    """Return a part of each text.

    :param begins: where each part begins among the bytes of all texts.
    :param ends: where it ends.
    """
    borders = np.column_stack((begins, ends)).ravel()
    if not len(borders):
        return texts
    pieces = from_offsets_and_bytes(pa.string(), borders, offsets_and_bytes(texts)[1])
    return pieces.take(pa.array(np.arange(0, len(pieces), 2)))


def _sizes(texts: Column) -> Numbers:
    return np.diff(offsets_and_bytes(texts)[0])
