"""Streams are cut into whole rows, and what never ends is given up."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.sources import row_blocks
from nightsort.sources.row_blocks import (
    ColumnSelection,
    find_lines,
    split_into_row_blocks,
)
from nightsort.sources.source_files import SourceError


@given(st.binary(max_size=100), st.integers(1, 20))
def test_nothing_is_lost_or_doubled_between_chunks(data: bytes, chunk: int) -> None:
    data = data.removeprefix(row_blocks.BYTE_ORDER_MARK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_blocks, "CHUNK_BYTES", chunk + 2)
        found = list(split_into_row_blocks(io.BytesIO(data), find_lines))

    assert b"".join(block.data for block in found) == data
    assert all(block.data.endswith(b"\n") for block in found[:-1])


def test_a_byte_order_mark_is_dropped_at_the_beginning_only() -> None:
    mark = row_blocks.BYTE_ORDER_MARK

    found = split_into_row_blocks(io.BytesIO(mark + b"a\n" + mark), find_lines)

    assert [block.data for block in found] == [b"a\n" + mark]


def test_a_line_without_end_costs_one_row_and_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_blocks, "CHUNK_BYTES", 10)
    monkeypatch.setattr(row_blocks, "MAX_ROW_BYTES", 50)

    found = list(split_into_row_blocks(io.BytesIO(b"a\n" + b"x" * 500 + b"\nb\n" + b"y" * 500), find_lines))

    assert b"".join(block.data for block in found if block.detail is None) == b"a\nb\n"
    assert len([block for block in found if block.detail is not None]) == 2


def test_a_missing_column_is_named_with_those_there_are() -> None:
    selection = ColumnSelection("text", "id", "label")

    selection.check(["label", "x", "id", "text"], "s3://b/x.csv")
    with pytest.raises(
        SourceError, match=r's3://b/x\.csv has no column "id"; its columns are: text, label\.'
    ):
        selection.check(["text", "label"], "s3://b/x.csv")
