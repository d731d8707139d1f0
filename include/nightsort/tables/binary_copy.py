"""Record batches as PostgreSQL's binary COPY format, built column by column.

A million rows take 0.3 s this way, against 2.5 s row by row in Python.

The format is that of https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". A value is what
the type's ``recv`` function reads: numbers in network byte order, text as it is, an array as number of
dimensions, null flag, OID of the element type, size, lower bound, and length and value of each element.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nightsort.arrow.columns import from_records, offsets_and_bytes, without_nul

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
"""What a binary COPY begins with."""

TRAILER = struct.pack(">h", -1)
"""What it ends with."""

_NULL = struct.pack(">i", -1)
_TEXT_OID = 25
_FLOAT4_OID = 700
_ARRAY_HEADER = np.dtype(
    [(name, ">i4") for name in ("length", "dimensions", "nulls", "oid", "size", "lower")]
)


def encode_rows(prefix: Sequence[bytes | None], batch: pa.RecordBatch) -> memoryview:
    """Return the rows of a record batch as COPY data, without header and trailer.

    :param prefix: values of the first columns, the same in every row: encoded already, ``None`` is null.
    :param batch: the other columns: int64, float32, string, dictionary of strings, or lists of float32 or of
        such a dictionary. A NUL, which PostgreSQL does not store, becomes U+FFFD.
    """
    if not batch.num_rows:
        return memoryview(b"")
    start = struct.pack(">h", len(prefix) + batch.num_columns) + b"".join(map(_field, prefix))
    pieces: list[Any] = [pa.repeat(_scalar(start), batch.num_rows)]
    for column in batch.columns:
        pieces += _encode_column(column)
    return offsets_and_bytes(_joined(pieces))[1].data


def encode_text(value: str) -> bytes:
    """Return a text value as COPY holds it."""
    return without_nul(value).encode()


def encode_date(days: int) -> bytes:
    """Return a date as COPY holds it.

    :param days: since 2000-01-01, PostgreSQL's epoch.
    """
    return struct.pack(">i", days)


def _field(value: bytes | None) -> bytes:
    return _NULL if value is None else struct.pack(">i", len(value)) + value


def _encode_column(column: Any) -> list[Any]:
    """Return the column's fields, as pieces to be joined row by row."""
    if column.null_count == len(column):
        return [_scalar(_NULL)]
    kind = column.type
    if pa.types.is_string(kind):
        text: Any = _without_nul(column).cast(pa.binary())
        return [from_records(_lengths(text, null=-1).astype(">i4")), pc.fill_null(text, b"")]
    if pa.types.is_dictionary(kind):
        return [_dictionary_fields(column)]
    if pa.types.is_list(kind):
        pieces = _arrays(column)
    elif pa.types.is_int64(kind):
        pieces = [_numbers(column, ">i8")]
    elif pa.types.is_float32(kind):
        pieces = [_numbers(column, ">f4")]
    else:
        raise TypeError(f"no binary COPY for columns of type {kind}")
    if column.null_count:
        return [pc.if_else(column.is_null(), _scalar(_NULL), _joined(pieces))]
    return pieces


def _numbers(column: Any, kind: str) -> Any:
    values: Any = pc.fill_null(column, 0)
    return from_records(_with_lengths(values.to_numpy(), kind))


def _with_lengths(values: npt.NDArray[Any], kind: str) -> npt.NDArray[Any]:
    fields = np.empty(len(values), np.dtype([("length", ">i4"), ("value", kind)]))
    fields["length"] = np.dtype(kind).itemsize
    fields["value"] = values
    return fields


def _dictionary_fields(column: Any) -> Any:
    fields = [_field(encode_text(value)) for value in column.dictionary.to_pylist()]
    encoded: Any = pa.array(fields, pa.binary())
    return pc.fill_null(encoded.take(column.indices), _NULL)


def _arrays(column: Any) -> list[Any]:
    """One-dimensional arrays of text or float4; an empty list has no dimension at all."""
    values = column.values
    if pa.types.is_float32(column.type.value_type):
        oid = _FLOAT4_OID
        elements = from_records(_with_lengths(values.to_numpy(), ">f4"))
    else:
        oid = _TEXT_OID
        elements = _dictionary_fields(values)
    lists: Any = pa.ListArray.from_arrays(column.offsets, elements)
    content: Any = pc.binary_join(lists, _scalar(b""))
    header = np.zeros(len(column), _ARRAY_HEADER)
    header["length"] = _ARRAY_HEADER.itemsize - 4 + _lengths(content, null=0)
    header["dimensions"] = 1
    header["oid"] = oid
    header["size"] = np.diff(column.offsets.to_numpy())
    header["lower"] = 1
    head = from_records(header)
    empty: Any = pc.equal(pc.list_value_length(column), pa.scalar(0))
    if pc.any(empty).as_py():
        head = pc.if_else(empty, _scalar(_field(struct.pack(">iii", 0, 0, oid))), head)
    return [head, pc.fill_null(content, b"")]


def _lengths(values: Any, *, null: int) -> npt.NDArray[np.int32]:
    lengths: Any = pc.fill_null(pc.binary_length(values), pa.scalar(null, pa.int32()))
    return np.asarray(lengths)


def _without_nul(column: Any) -> Any:
    nul: Any = "\0"
    if pc.any(pc.match_substring(column, nul)).as_py():
        return pc.replace_substring(column, nul, "\ufffd")
    return column


def _joined(pieces: list[Any]) -> Any:
    return pc.binary_join_element_wise(*pieces, _scalar(b""))


def _scalar(value: bytes) -> Any:
    return pa.scalar(value, pa.binary())
