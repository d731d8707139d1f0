"""Steps on Arrow columns."""

from __future__ import annotations

import pyarrow as pa

from nightsort.arrow.columns import one_column, to_numpy, without_nulls


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
