"""CSV and TSV: good rows are read as any CSV reader does, a damaged row costs only itself."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nightsort.sources import csv_rows, row_blocks
from nightsort.sources.csv_rows import read_csv
from nightsort.sources.row_blocks import ColumnSelection
from nightsort.sources.source_files import SourceError, SourceFile

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = ("id", "label", "text")


@pytest.fixture(autouse=True, scope="module", params=["7/9", "64/9", "4000000/16", "4000000/500000"])
def chunk_bytes(request: pytest.FixtureRequest) -> Iterator[int]:
    """Rows must come out the same wherever a chunk, or a block of it, happens to end."""
    chunk, block = map(int, request.param.split("/"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_blocks, "CHUNK_BYTES", chunk)
        patch.setattr(csv_rows, "_BLOCK_BYTES", block)
        yield chunk


class Rows:
    def __init__(self, data: bytes, *, header: bool = False, delimiter: str = ",") -> None:
        self.good: list[tuple[int, bytes, bytes, bytes]] = []
        self.bad: list[tuple[int, str]] = []
        opened = [(SourceFile("s3://b/x.csv", "x.csv"), io.BytesIO(data))]
        selection = ColumnSelection("text", "id", "label", header=None if header else COLUMNS)
        for rows in read_csv(opened, selection, delimiter=delimiter):
            self.bad += [(bad.row, bad.detail) for bad in rows.bad]
            if rows.ids is not None and rows.labels is not None:
                columns = (
                    column.cast(pa.binary()).to_pylist() for column in (rows.ids, rows.labels, rows.texts)
                )
                self.good += zip(rows.rows.tolist(), *columns, strict=True)

    @property
    def texts(self) -> list[bytes]:
        return [text for _, _, _, text in self.good]


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=8) | st.lists(
    st.sampled_from(["a", '"', ",", "\t", "\n", "\r\n", "ä"]), max_size=6
).map("".join)


@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), max_size=12),
    delimiter=st.sampled_from([",", "\t"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    last_line_end=st.booleans(),
)
@example([('"', "\n", '""')], ",", csv.QUOTE_ALL, "\r\n", False)
def test_what_a_csv_writer_writes_is_read_back(
    rows: list[tuple[str, str, str]], delimiter: str, quoting: int, line_end: str, last_line_end: bool
) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=line_end).writerows(rows)  # type: ignore[arg-type]
    data = file.getvalue().encode()

    read = Rows(data if last_line_end else data.removesuffix(line_end.encode()), delimiter=delimiter)

    assert read.bad == []
    assert [tuple(cell.decode() for cell in row[1:]) for row in read.good] == rows
    assert [row[0] for row in read.good] == list(range(len(rows)))


@given(st.binary(max_size=60) | st.text('a",\n\r', max_size=40).map(str.encode))
def test_no_bytes_crash_the_reader_or_lose_a_row_unnamed(data: bytes) -> None:
    try:
        read = Rows(data)
    except SourceError:  # what looks like another dialect
        return

    numbers = sorted([row[0] for row in read.good] + [row for row, _ in read.bad])
    assert numbers == list(range(len(numbers)))


def test_line_ends_in_quotes_belong_to_the_text() -> None:
    assert Rows(b'1,a,"x\ny\r\nz"\n2,b,w\n').texts == [b"x\ny\r\nz", b"w"]


def test_quotes_in_an_unquoted_field_are_text() -> None:
    assert Rows(b'1,a,5" screen\n2,b,"c,d"\n3,c,say "x"\n').texts == [b'5" screen', b"c,d", b'say "x"']


def test_rows_with_too_few_or_too_many_fields_are_named() -> None:
    read = Rows(b"1,a,x\n2,b\n3,c,y,z\n4,d,w\n")

    assert [row[0] for row in read.good] == [0, 3]
    assert read.bad == [(1, "has 2 fields instead of 3"), (2, "has 4 fields instead of 3")]


def test_empty_lines_are_no_rows() -> None:
    read = Rows(b"\n\n1,a,x\n\r\n2,b\n\n3,c,y\n\n")

    assert [row[0] for row in read.good] == [0, 2]
    assert [row for row, _ in read.bad] == [1]


def test_a_quote_never_closed_costs_its_row_not_the_rest_of_the_file() -> None:
    read = Rows(b'1,a,"never closed\n2,b,fine\n3,c,also\n')

    assert read.texts == [b"fine", b"also"]
    assert [row for row, _ in read.bad] == [0]
    assert "not closed" in read.bad[0][1]


def test_a_quote_never_closed_does_not_swallow_rows_up_to_the_next_quote() -> None:
    read = Rows(b'1,a,"never closed\n2,b,"fine"\n3,c,also\n')

    assert read.texts == [b"fine", b"also"]
    assert [row for row, _ in read.bad] == [0]


def test_a_row_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_blocks, "MAX_ROW_BYTES", 100)

    read = Rows(b'1,a,"' + b"x\n" * 80 + b"2,b,fine\n")

    assert read.texts == [b"fine"]
    assert 0 in dict(read.bad)


def test_a_line_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_blocks, "MAX_ROW_BYTES", 100)

    read = Rows(b"1,a," + b"x" * 5_000 + b"\n2,b,fine\n")

    assert [row[1] for row in read.good if row[3] == b"fine"] == [b"2"]


def test_a_large_document_is_read_whole(chunk_bytes: int) -> None:
    text = b"x " * max(2_000, chunk_bytes)

    assert Rows(b"1,a,small\n2,b," + text + b"\n").texts == [b"small", text]


def test_files_with_carriage_returns_alone() -> None:
    assert Rows(b"1,a,x\r2,b,y\r3,c,z").texts == [b"x", b"y", b"z"]


def test_a_carriage_return_alone_is_text_where_lines_end_with_line_feeds() -> None:
    assert Rows(b"1,a,x\ry\n2,b\r,z\r\n").good == [(0, b"1", b"a", b"x y"), (1, b"2", b"b ", b"z")]


def test_a_damaged_row_that_is_no_utf8_is_named_too() -> None:
    read = Rows(b"1,a,\xff\xfe\n2,\xa0\n\xa0,c,y\n")

    assert read.good == [(0, b"1", b"a", b"\xff\xfe"), (2, b"\xa0", b"c", b"y")]
    assert read.bad == [(1, "has 2 fields instead of 3")]


def test_the_header_names_the_columns_in_any_order() -> None:
    read = Rows(b'\xef\xbb\xbftext,"more\nthan one line",id,label\r\nx,y,1,a\r\n', header=True)

    assert read.good == [(0, b"1", b"a", b"x")]


@pytest.mark.parametrize("data", [b"", b"\n", b"\xef\xbb\xbf", b"id,label,text", b"id,label,text\n"])
def test_a_file_without_rows_has_no_documents(data: bytes) -> None:
    read = Rows(data, header=True)

    assert (read.good, read.bad) == ([], [])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"id,label,body\n1,a,x\n", 'no column "text"; its columns are: id, label, body'),
        (b"id,label,text,text\n1,a,x,y\n", '2 columns "text"'),
        (b"id,l\xe4bel,text\n1,a,x\n", "the header row is not UTF-8; say which encoding the file has"),
    ],
)
def test_a_header_that_does_not_fit_is_an_error_that_names_the_file(data: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=r"s3://b/x\.csv") as caught:
        Rows(data, header=True)

    assert says in str(caught.value)
