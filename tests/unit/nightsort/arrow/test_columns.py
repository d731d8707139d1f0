"""Steps on Arrow columns."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from nightsort.arrow.columns import from_numpy, from_records, one_column, to_numpy, without_nulls


def test_a_column_of_several_chunks_becomes_one() -> None:
    chunked = pa.chunked_array([["a"], ["b", None]])

    assert one_column(chunked).to_pylist() == ["a", "b", None]
    assert one_column(pa.chunked_array([], pa.string())).to_pylist() == []
    assert one_column(pa.array(["a"])).to_pylist() == ["a"]


def test_nulls_become_empty() -> None:
    assert without_nulls(pa.array(["a", None])).to_pylist() == ["a", ""]
    assert without_nulls(pa.array([None, b"a"])).to_pylist() == [b"", b"a"]


def test_numbers_and_texts_become_numpy() -> None:
    assert to_numpy(pa.array([1, 2])).tolist() == [1, 2]
    assert to_numpy(pa.array([True, False])).tolist() == [True, False]
    assert to_numpy(pa.array(["a"])).tolist() == ["a"]


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.float32, np.float64])
def test_numbers_come_through(kind: npt.DTypeLike) -> None:
    values: npt.NDArray[Any] = np.array([3, 1, 2, 5, 4], kind)
    for view in (values, values[1:4], values[::2], values[::-1], values[:0]):
        assert from_numpy(view).to_pylist() == view.tolist()
        assert from_numpy(view).type == pa.from_numpy_dtype(np.dtype(kind))


def test_records_become_their_bytes() -> None:
    records = np.zeros(3, np.dtype([("length", ">i4"), ("value", ">f4")]))
    records["length"], records["value"] = 4, [0.5, 0.25, 1.0]
    expected = [struct.pack(">if", 4, value) for value in (0.5, 0.25, 1.0)]
    assert from_records(records).to_pylist() == expected
    assert from_records(records[::2]).to_pylist() == expected[::2]
    assert from_records(records[:0]).to_pylist() == []
