"""Parquet files are read row by row in their order; damage is named."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightsort.sources import parquet
from nightsort.sources.parquet import read_parquet
from nightsort.sources.row_blocks import ColumnSelection, RawRows
from nightsort.sources.source_files import SourceError, SourceFile

if TYPE_CHECKING:
    from nightsort.sources.streams import OpenedFile


def opened(stream: IO[bytes]) -> list[OpenedFile]:
    return [(SourceFile("s3://b/x", "x"), stream)]


def test_rows_of_parquet_are_numbered_through_all_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "PARQUET_ROWS", 3)
    file = io.BytesIO()
    pq.write_table(pa.table({"text": [f"t{n}" for n in range(10)]}), file, row_group_size=4)
    file.seek(0)

    parts = list(read_parquet(opened(file), ColumnSelection("text")))

    assert [row for part in parts for row in part.rows.tolist()] == list(range(10))
    assert [text for part in parts for text in part.texts.to_pylist()] == [
        f"t{n}".encode() for n in range(10)
    ]


def test_large_texts_of_parquet_come_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "CHUNK_BYTES", 5_000)
    file = io.BytesIO()
    texts = [np.random.default_rng(n).bytes(1_000) for n in range(20)]
    pq.write_table(pa.table({"text": texts}), file)
    file.seek(0)

    parts = list(read_parquet(opened(file), ColumnSelection("text")))

    assert max(len(part.rows) for part in parts) <= 5
    assert [text for part in parts for text in part.texts.to_pylist()] == texts


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", "b"]).dictionary_encode(),
        pa.array([b"a", b"b"]),
        pa.array(["a", "b"], pa.large_string()),
    ],
)
def test_texts_of_parquet_come_in_several_types(column: Any) -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"text": column}), file)
    file.seek(0)

    (part,) = read_parquet(opened(file), ColumnSelection("text"))

    assert part.texts.to_pylist() == [b"a", b"b"]


@pytest.mark.parametrize("as_list", [False, True])
def test_true_and_false_are_labels_as_json_writes_them(as_list: bool) -> None:
    file = io.BytesIO()
    labels = [[True], [False], None] if as_list else [True, False, None]
    pq.write_table(pa.table({"text": ["a", "b", "c"], "label": labels}), file)
    file.seek(0)

    [rows] = read_parquet(opened(file), ColumnSelection("text", label="label"))

    assert rows.labels is not None
    expected = [[b"true"], [b"false"], []] if as_list else [b"true", b"false", None]
    assert rows.labels.to_pylist() == expected


def parquet_file(compression: Literal["none", "snappy"]) -> bytes:
    file = io.BytesIO()
    columns = {"id": range(40), "text": [f"text {n}" for n in range(40)], "label": [["a", "b"]] * 40}
    pq.write_table(pa.table(columns), file, row_group_size=15, compression=compression)
    return file.getvalue()


PARQUET_FILES = [parquet_file("none"), parquet_file("snappy")]


# 200 damaged files: 1 s.
@settings(max_examples=200)
@given(
    st.sampled_from(PARQUET_FILES),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=3),
    st.integers(0, 3_000),
)
def test_whatever_is_wrong_with_a_parquet_file_it_is_read_or_named(
    good: bytes, damage: list[tuple[float, int]], cut: int
) -> None:
    data = bytearray(good[: len(good) - cut // 10] if cut > 2_000 else good)
    for place, value in damage:
        data[int(place * len(data))] = value
    selection = ColumnSelection("text", "id", "label")
    parts: list[RawRows] = []
    problem = ""
    try:
        parts += read_parquet(opened(io.BytesIO(bytes(data))), selection)
    except SourceError as error:
        problem = str(error)
    assert problem.startswith("s3://b/x") or not problem
    assert "text 1" not in problem
    rows = [row for part in parts for row in part.rows.tolist()]
    assert rows == list(range(len(rows)))


def test_an_error_of_the_storage_is_not_taken_for_damage() -> None:
    class Lost(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError(104, "reset by peer")

    with pytest.raises(ConnectionResetError):
        list(read_parquet(opened(Lost(b"x")), ColumnSelection("text")))

    class Failing(io.BytesIO):
        def seek(self, offset: int, whence: int = 0) -> int:
            if offset:
                raise OSError(5, "Input/output error")
            return super().seek(offset, whence)

    with pytest.raises(OSError, match="Input/output"):
        list(read_parquet(opened(Failing(PARQUET_FILES[0])), ColumnSelection("text")))
