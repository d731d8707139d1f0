"""Parquet files, row group by row group."""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nightsort.arrow.columns import to_numpy
from nightsort.sources.file_kinds import LOOK_BYTES, kind_of, text_kind
from nightsort.sources.labels import MOST_LABELS
from nightsort.sources.row_blocks import ColumnSelection, RawRows
from nightsort.sources.source_files import CHUNK_BYTES, SourceError
from nightsort.sources.streams import PART_BYTES, check_unpacked, compression_of, is_damage, packed_parquet
from nightsort.wording import first_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nightsort.arrow.columns import Column
    from nightsort.sources.source_files import SourceFile
    from nightsort.sources.streams import OpenedFile

PARQUET_ROWS = 8_192
_DECODED_BYTES = 16_000_000
_LARGEST_LABEL = 100_000
_DELTA_ROWS = 32
_DENSE = 8
"""Texts pack three to six times; where a delta packs better, its values may be as large as all of it."""


def read_parquet(opened: Iterable[OpenedFile], selection: ColumnSelection) -> Iterator[RawRows]:
    """Read Parquet files, row group by row group.

    :param opened: the files, each with its bytes, which can be read in any order.
    :raises SourceError: a file is not a Parquet file or is damaged, or a selected column is missing or is
        not text.
    """
    for file, stream in opened:
        beginning = stream.read(LOOK_BYTES)
        if beginning:
            _check_kind(beginning, file.uri)
            stream.seek(0)
            with _damage_named(file.uri):
                yield from _read_file(file, stream, selection)


def _check_kind(beginning: bytes, where: str) -> None:
    """Check that a file is not plainly of another format."""
    if beginning.startswith(b"PAR1"):
        return
    if compression_of(beginning) is not None:
        raise packed_parquet(where)
    kind = kind_of(beginning) or text_kind(beginning)
    if kind is not None:
        raise SourceError(f"{where} is not a Parquet file: it {kind}")


def _read_file(file: SourceFile, stream: IO[bytes], selection: ColumnSelection) -> Iterator[RawRows]:
    # A row group may be as large as the file, so it is read in pieces, and none of them is cached.
    parquet = pq.ParquetFile(stream, buffer_size=PART_BYTES, pre_buffer=False)
    selection.check(parquet.schema_arrow.names, file.uri)
    _check_sizes(file, parquet.metadata, selection)
    number = 0
    batch_rows = min(
        _batch_rows(parquet.metadata), _rows_of_largest(stream, parquet.metadata, selection, file.uri)
    )
    decoded = 0
    for batch in parquet.iter_batches(batch_rows, columns=selection.names, use_threads=False):
        columns = {}
        for name in selection.names:
            where = f"{file.uri}: column {name}"
            column = batch.column(name)
            if name == selection.label:
                columns[name] = _label_column(column, where)
            else:
                columns[name] = _text_column(column, where, numbers=name != selection.text)
        decoded += sum(column.nbytes for column in columns.values())
        check_unpacked(file, decoded)
        rows = np.arange(number, number + len(batch))
        yield RawRows.from_columns(file.name, rows, columns, selection)
        number += len(batch)


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """Return how many rows take a few megabytes, in the row group with the largest rows."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    largest = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=0)
    return min(PARQUET_ROWS, max(CHUNK_BYTES // max(largest, 1), 1))


def _check_sizes(file: SourceFile, metadata: pq.FileMetaData, selection: ColumnSelection) -> None:
    """Check that the columns do not unpack, and lists do not grow, out of all proportion."""
    leaves = [
        leaf for group in range(metadata.num_row_groups) for leaf in _leaves(metadata, group, selection)
    ]
    check_unpacked(file, sum(leaf.total_uncompressed_size for leaf in leaves))
    most = max(MOST_LABELS * metadata.num_rows, CHUNK_BYTES)
    if any(leaf.num_values > most for leaf in leaves):
        raise SourceError(
            f"{file.uri}: column {selection.label} has more than {MOST_LABELS} labels a document; "
            "Comprehend takes 100 at most"
        )


def _rows_of_largest(
    stream: IO[bytes], metadata: pq.FileMetaData, selection: ColumnSelection, where: str
) -> int:
    """Return how many rows fit into memory if each holds the largest value of a dictionary, or of a delta.

    A dictionary has each value once, and a few bytes can repeat a large one thousands of times. Reading one
    row of a row group as dictionary reads the group's whole dictionary, and no more. In a delta a value
    repeats the beginning of the one before, so the largest is no larger than the encoded values together.
    """
    rows = PARQUET_ROWS
    for group in range(metadata.num_row_groups):
        for leaf in _leaves(metadata, group, selection):
            size = leaf.total_uncompressed_size
            if min(leaf.num_values, PARQUET_ROWS) * size <= _DECODED_BYTES:
                continue
            if leaf.has_dictionary_page:
                largest = _largest_in_dictionary(stream, metadata, group, leaf.path_in_schema)
                rows = min(rows, max(_DECODED_BYTES // max(largest, 1), 1))
                if leaf.path_in_schema not in selection.names and largest > _LARGEST_LABEL:
                    raise SourceError(
                        f"{where}: column {selection.label} has a label of {largest:,} bytes; "
                        "Comprehend takes 5,000 characters"
                    )
            if "DELTA_BYTE_ARRAY" in leaf.encodings:
                dense = size > _DENSE * max(leaf.total_compressed_size, 1)
                rows = min(rows, max(_DECODED_BYTES // size, 1) if dense else _DELTA_ROWS)
    return rows


def _largest_in_dictionary(stream: IO[bytes], metadata: pq.FileMetaData, group: int, name: str) -> int:
    parquet = pq.ParquetFile(
        stream, metadata=metadata, read_dictionary=[name], buffer_size=PART_BYTES, pre_buffer=False
    )
    for batch in parquet.iter_batches(1, row_groups=[group], columns=[name], use_threads=False):
        column: Column = batch.column(0)
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            column = column.values
        if pa.types.is_dictionary(column.type) and len(column.dictionary):
            lengths: Column = pc.binary_length(column.dictionary)
            return int(to_numpy(lengths).max())
        break
    return 0


def _leaves(metadata: pq.FileMetaData, group: int, selection: ColumnSelection) -> list[Any]:
    """Return what the metadata say of the selected columns in a row group."""
    row_group = metadata.row_group(group)
    leaves = [row_group.column(number) for number in range(row_group.num_columns)]
    return [
        leaf
        for leaf in leaves
        if any(f"{leaf.path_in_schema}.".startswith(f"{name}.") for name in selection.names)
    ]


@contextmanager
def _damage_named(where: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if not is_damage(error):
            raise
        what = first_line(error)
        raise SourceError(f"{where} is not a Parquet file, or is damaged ({what}); upload it again") from None


def _text_column(column: Column, where: str, *, numbers: bool = True) -> Column:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_null(kind) or (numbers and pa.types.is_integer(kind)):
        return column.cast(pa.string()).cast(pa.binary())
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if not binary and not text:
        raise SourceError(
            f"{where} has the type {kind}; it must be text{' or whole numbers' if numbers else ''}"
        )
    if kind is not column.type:
        column = column.cast(kind)
    return column.cast(pa.binary())


def _label_column(column: Column, where: str) -> Column:
    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return _text_column(_true_as_text(column), where)
    labels = _text_column(_true_as_text(column.flatten()), where)
    lengths = column.value_lengths().fill_null(0)
    offsets = np.concatenate(([0], np.cumsum(lengths.to_numpy(zero_copy_only=False))))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), labels)


def _true_as_text(column: Column) -> Column:
    """Return a column of booleans as ``true`` and ``false``, any other unchanged."""
    return column.cast(pa.string()) if pa.types.is_boolean(column.type) else column
