"""Small steps on Arrow columns that several modules share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

if TYPE_CHECKING:
    import numpy.typing as npt

Column: TypeAlias = Any
"""An Arrow array. Any, because the stubs know no type that all kernels take and give."""


def one_column(column: Column) -> Column:
    """Return a column as one array."""
    if not isinstance(column, pa.ChunkedArray):
        return column
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
