"""Small steps on Arrow columns that several modules share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Offsets: TypeAlias = npt.NDArray[np.int32]
    Bytes: TypeAlias = npt.NDArray[np.uint8]

Column: TypeAlias = Any
"""An Arrow array. Any, because the stubs know no type that all kernels take and give."""


def one_column(column: Column) -> Column:
    """Return a column as one array."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        # combine_chunks would copy it.
        return column.chunk(0)
    combined: Column = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined


def to_numpy(column: Any) -> npt.NDArray[Any]:
    """Return a column without nulls as a numpy array (strings as objects)."""
    values: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values


def without_nulls(column: Column) -> Column:
    """Return a column of bytes or text with nulls made empty."""
    if not column.null_count:
        return column
    filled: Column = column.fill_null(b"" if pa.types.is_binary(column.type) else "")
    return filled


def offsets_and_bytes(column: Column) -> tuple[Offsets, Bytes]:
    """Return where each value of a column of bytes or text begins and the last one ends, and all their bytes.

    The bytes share the column's memory.
    """
    _, offsets, values = column.buffers()
    if offsets is None or values is None:
        return np.zeros(len(column) + 1, dtype=np.int32), np.empty(0, dtype=np.uint8)
    ends = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    return ends - ends[0], np.frombuffer(values, dtype=np.uint8)[ends[0] : ends[-1]]


def from_offsets_and_bytes(kind: pa.DataType, offsets: Any, values: Any) -> Column:
    """Return the column of bytes or text that :func:`offsets_and_bytes` would take apart like this.

    :param kind: ``pa.string()`` or ``pa.binary()``.
    """
    ends: Any = np.ascontiguousarray(offsets, dtype=np.int32)
    return pa.Array.from_buffers(kind, len(ends) - 1, [None, pa.py_buffer(ends), pa.py_buffer(values)])


def true_indices(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Return where flags are set, as :func:`numpy.flatnonzero` does, in half of its time where few are."""
    # Eight flags are looked at as one number, and only the eights that are not all zero once more.
    whole = len(flags) // 8 * 8
    eights = flags[:whole].view(np.uint64)
    some = np.flatnonzero(eights != 0)
    among = np.flatnonzero(eights[some].view(np.bool_))
    return np.concatenate((some[among >> 3] * 8 + (among & 7), whole + np.flatnonzero(flags[whole:])))


def split_by_size(sizes: npt.NDArray[Any], most: int) -> Iterator[slice]:
    """Yield, one behind the other, as many items as together have at most a size, or one that is larger.

    :param sizes: of each item, in whole numbers.
    """
    ends = np.cumsum(sizes, dtype=np.int64)
    start = 0
    while start < len(ends):
        before = int(ends[start]) - int(sizes[start])
        end = max(start + 1, int(np.searchsorted(ends, before + most, side="right")))
        yield slice(start, end)
        start = end


def from_numpy(values: npt.NDArray[Any]) -> Any:
    """Return numbers as an Arrow array that shares their memory.

    :param values: one dimension, int or float, in the machine's byte order.
    """
    buffer: Any = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(buffer)])


def from_records(values: npt.NDArray[Any]) -> Any:
    """Return values of one size, in whatever byte order and structure, as an Arrow array of binary values."""
    width = values.dtype.itemsize
    offsets: Any = np.arange(0, (len(values) + 1) * width, width, dtype=np.int32)
    content: Any = np.ascontiguousarray(values)
    return pa.Array.from_buffers(
        pa.binary(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(content)]
    )
