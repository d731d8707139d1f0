"""Files with other delimiters and with escaped quotes are read as their writers meant them."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.classifier_spec.source import LabelledSource, Source
from nightsort.sources import csv_rows, row_blocks, streams
from nightsort.sources.csv_rows import read_csv
from nightsort.sources.row_blocks import ColumnSelection
from nightsort.sources.source_files import SourceFile
from tests.unit.nightsort.document_reading import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True, scope="module", params=["3/9", "4000000/500000"])
def chunk_bytes(request: pytest.FixtureRequest) -> Iterator[int]:
    """An escape and what it escapes may lie in two chunks."""
    chunk, block = map(int, request.param.split("/"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_blocks, "CHUNK_BYTES", chunk)
        patch.setattr(streams, "CHUNK_BYTES", chunk)
        patch.setattr(csv_rows, "_BLOCK_BYTES", block)
        yield chunk


def rows_of(data: bytes, delimiter: str, escape: str | None) -> list[tuple[str, ...]]:
    opened = [(SourceFile("s3://b/x.csv", "x.csv"), io.BytesIO(data))]
    selection = ColumnSelection(
        "text", "id", header=("id", "text", "other"), delimiter=delimiter, escape=escape
    )
    found: list[tuple[str, ...]] = []
    for rows in read_csv(opened, selection):
        assert rows.bad == []
        assert rows.ids is not None
        columns = (column.cast(pa.binary()).to_pylist() for column in (rows.ids, rows.texts))
        found += (
            tuple(cell.decode() for cell in row if cell is not None) for row in zip(*columns, strict=True)
        )
    return found


CELL = st.lists(st.sampled_from(["a", '"', ",", ";", "|", "\t", "\\", " ", "ä", "\n"]), max_size=6).map(
    "".join
)


@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), max_size=8),
    delimiter=st.sampled_from([",", ";", "|", "\t", "^", " "]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_csv_writer_escapes_is_read_back(
    rows: list[tuple[str, str, str]], delimiter: str, quoting: int, line_end: str
) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(
        file,
        delimiter=delimiter,
        quoting=quoting,  # type: ignore[arg-type]
        lineterminator=line_end,
        doublequote=False,
        escapechar="\\",
    )
    writer.writerows(rows)

    found = rows_of(file.getvalue().encode(), delimiter, "\\")

    # Cleaning makes a blank of a line end that is escaped.
    assert [[cell.replace("\n", " ") for cell in row] for row in found] == [
        [cell.replace("\n", " ") for cell in row[:2]] for row in rows
    ]


@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), max_size=8),
    delimiter=st.sampled_from([";", "|", "\t", "^", ".", "\x01"]),
)
def test_any_sign_may_separate_fields(rows: list[tuple[str, str, str]], delimiter: str) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)

    assert rows_of(file.getvalue().encode(), delimiter, "^" if delimiter != "^" else "~") == [
        row[:2] for row in rows
    ]


def test_a_backslash_before_another_character_is_text() -> None:
    assert rows_of(b'1,"C:\\temp\\new",x\n', ",", "\\") == [("1", "C:\\temp\\new")]


def test_files_of_spark_are_read_where_the_spec_says_how(tmp_path: Path) -> None:
    (tmp_path / "part.csv").write_text(
        'label,text\nbilling,"she wrote \\"please, help\\" 0"\n'
        'bug,"page \\"home\\" is broken"\npraise,thanks\n'
    )
    source = LabelledSource(uri=f"{tmp_path}/part.csv", format="csv", escape="\\")

    found = read(source, tmp_path)

    assert [(d["labels"], d["text"]) for d in found.documents] == [
        (["billing"], 'she wrote "please, help" 0'),
        (["bug"], 'page "home" is broken'),
        (["praise"], "thanks"),
    ]
    assert found.rejects == []


def test_a_header_may_hold_escaped_quotes(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('"the \\"text\\"";b\none;two\n')
    source = Source(
        uri=f"{tmp_path}/x.csv", format="csv", delimiter=";", escape="\\", text_column='the "text"'
    )

    assert read(source, tmp_path).texts == ["one"]


def test_files_of_excel_in_german_are_read_where_the_spec_says_how(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes("text;label\r\nÜber 10 €, bitte;b\r\n".encode("cp1252"))
    source = LabelledSource(uri=f"{tmp_path}/x.csv", format="csv", delimiter=";", encoding="cp1252")

    found = read(source, tmp_path)

    assert [(d["text"], d["labels"]) for d in found.documents] == [("Über 10 €, bitte", ["b"])]
