"""Small steps on Arrow columns that several modules share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    Flags: TypeAlias = npt.NDArray[np.bool_]
    Indices: TypeAlias = npt.NDArray[np.intp]
    Offsets: TypeAlias = npt.NDArray[np.int32]
    Bytes: TypeAlias = npt.NDArray[np.uint8]

    TextColumn: TypeAlias = pa.StringArray | pa.BinaryArray
    """Text, or bytes that may become text; at most 2 GB."""

Column: TypeAlias = Any
"""An Arrow array of any type. Any, because the stubs have no type that all kernels accept and return."""


def one_column(column: pa.Array[Any] | pa.ChunkedArray[Any]) -> Column:
    """Return a column as one array."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        # combine_chunks would copy it.
        return column.chunk(0)
    combined: Column = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined


def one_batch(batches: Sequence[pa.RecordBatch]) -> Any:
    """Return record batches of one schema as one."""
    (whole,) = pa.Table.from_batches(batches).combine_chunks().to_batches()
    return whole


def joined(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[Any]:
    """Join the small record batches of a stream to ones of at least so many rows, but for the last one."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= rows:
            yield one_batch(waiting)
            waiting = []
    if waiting:
        yield one_batch(waiting)


def to_numpy(column: Column) -> npt.NDArray[Any]:
    """Return a column without nulls as a numpy array (strings as objects)."""
    values: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values


def from_numpy(values: npt.NDArray[Any]) -> Column:
    """Return numbers as an Arrow array that shares their memory.

    ``pyarrow.array`` does the same, but its type stubs know no arrays of NumPy.

    :param values: int or float, in the machine's byte order; shape ``(n,)``.
    """
    buffer: Any = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(buffer)])


def without_nul(text: str) -> str:
    """Return a text as PostgreSQL can store it: U+FFFD in the place of each NUL."""
    return text.replace("\0", "\ufffd")


def from_records(values: npt.NDArray[Any]) -> pa.BinaryArray:
    """Return values of one size as an Arrow array of their bytes.

    :param values: of any dtype, also structured, in any byte order; shape ``(n,)``.
    """
    width = values.dtype.itemsize
    offsets = np.arange(0, (len(values) + 1) * width, width, dtype=np.int32)
    column: pa.BinaryArray = from_offsets_and_bytes(pa.binary(), offsets, np.ascontiguousarray(values))
    return column


def as_bytes(column: Column) -> pa.BinaryArray:
    """Return text as bytes of UTF-8, or bytes as they are."""
    values: pa.BinaryArray = column.cast(pa.binary())
    return values


def without_nulls(column: TextColumn) -> Column:
    """Return a column of bytes or text with nulls made empty."""
    if not column.null_count:
        return column
    empty: Any = b"" if pa.types.is_binary(column.type) else ""
    return column.fill_null(empty)


def offsets_and_bytes(column: TextColumn) -> tuple[Offsets, Bytes]:
    """Return where each value begins and the last one ends, and the bytes of all values.

    :param column: ``n`` values without nulls.
    :returns: offsets from 0, shape ``(n + 1,)``; the bytes, which share the column's memory.
    """
    buffers: list[Any] = column.buffers()
    _, offsets, values = buffers
    if offsets is None or values is None:
        return np.zeros(len(column) + 1, dtype=np.int32), np.empty(0, dtype=np.uint8)
    ends = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    return ends - ends[0], np.frombuffer(values, dtype=np.uint8)[ends[0] : ends[-1]]


def from_offsets_and_bytes(kind: pa.DataType, offsets: npt.NDArray[np.integer], values: Any) -> Column:
    """Return a column of bytes or text; the reverse of :func:`offsets_and_bytes`.

    :param kind: ``pa.string()`` or ``pa.binary()``.
    :param offsets: shape ``(n + 1,)``.
    :param values: anything with a buffer of bytes.
    """
    ends: Any = np.ascontiguousarray(offsets, dtype=np.int32)
    return pa.Array.from_buffers(kind, len(ends) - 1, [None, pa.py_buffer(ends), pa.py_buffer(values)])


def is_utf8(data: bytes) -> bool:
    """Return whether bytes are UTF-8, without a copy of them as text."""
    whole = from_offsets_and_bytes(pa.string(), np.array([0, len(data)]), data)
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def true_indices(flags: Flags) -> Indices:
    """Return the indices of the flags that are set: :func:`numpy.flatnonzero`, twice as fast if few are.

    :param flags: shape ``(n,)``.
    """
    # View 8 flags as one uint64 to skip groups in which none is set.
    whole = len(flags) // 8 * 8
    groups = flags[:whole].view(np.uint64)
    nonzero = np.flatnonzero(groups != 0)
    among = np.flatnonzero(groups[nonzero].view(np.bool_))
    return np.concatenate((nonzero[among >> 3] * 8 + (among & 7), whole + np.flatnonzero(flags[whole:])))


def split_by_size(sizes: npt.NDArray[np.integer], limit: int) -> Iterator[slice]:
    """Split items into consecutive slices that have at most a size together; a larger item is alone.

    :param sizes: of each item; shape ``(n,)``.
    :param limit: the largest sum of sizes in a slice.
    """
    ends = np.cumsum(sizes, dtype=np.int64)
    start = 0
    while start < len(ends):
        before = int(ends[start]) - int(sizes[start])
        end = max(start + 1, int(np.searchsorted(ends, before + limit, side="right")))
        yield slice(start, end)
        start = end
