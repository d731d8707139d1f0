"""Parquet files, row group by row group."""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nightsort.sources.file_kinds import LOOK_BYTES, kind_of, text_kind
from nightsort.sources.row_blocks import ColumnSelection, RawRows
from nightsort.sources.source_files import CHUNK_BYTES, SourceError
from nightsort.sources.streams import PART_BYTES, compression_of, is_damage, packed_parquet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nightsort.arrow.columns import Column
    from nightsort.sources.source_files import SourceFile
    from nightsort.sources.streams import OpenedFile

PARQUET_ROWS = 8_192


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
    number = 0
    batch_rows = _batch_rows(parquet.metadata)
    for batch in parquet.iter_batches(batch_rows, columns=selection.names, use_threads=False):
        columns = {}
        for name in selection.names:
            where = f"{file.uri}: column {name}"
            column = batch.column(name)
            if name == selection.label:
                columns[name] = _label_column(column, where)
            else:
                columns[name] = _text_column(column, where, numbers=name != selection.text)
        rows = np.arange(number, number + len(batch))
        yield RawRows.from_columns(file.name, rows, columns, selection)
        number += len(batch)


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """Return how many rows take a few megabytes, in the row group with the largest rows."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    largest = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=0)
    return min(PARQUET_ROWS, max(CHUNK_BYTES // max(largest, 1), 1))


@contextmanager
def _damage_named(where: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if not is_damage(error):
            raise
        what = (str(error).splitlines() or ["no reason given"])[0]
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
        return _text_column(column, where)
    labels = _text_column(column.flatten(), where)
    lengths = column.value_lengths().fill_null(0)
    offsets = np.concatenate(([0], np.cumsum(lengths.to_numpy(zero_copy_only=False))))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), labels)
