"""A CSV file in another dialect is recognised by its beginning, and the error says which key to set."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pytest

from nightsort.sources.csv_rows import read_csv
from nightsort.sources.row_blocks import BadRow, ColumnSelection
from nightsort.sources.source_files import SourceError, SourceFile

LONG = "the invoice is wrong and nobody answers, " * 1_500


def texts(data: bytes, **keys: Any) -> list[str]:
    opened = [(SourceFile("s3://b/x.csv", "x.csv"), io.BytesIO(data))]
    found: list[bytes | None] = []
    for rows in read_csv(opened, ColumnSelection("text", **keys)):
        found += rows.texts.cast(pa.binary()).to_pylist()
    return [text.decode() for text in found if text is not None]


def refused(data: bytes, **keys: Any) -> str:
    with pytest.raises(SourceError) as caught:
        texts(data, **keys)
    message = str(caught.value)
    assert message.startswith("s3://b/x.csv")
    assert len(message) < 500
    return message


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"text;label\nDokument 0;b\n", 'say  delimiter: ";"'),
        (b'"text";"label, or class"\n"a";"b"\n', 'say  delimiter: ";"'),
        (b"id|body|label\n1|a|b\n", 'say  delimiter: "|"'),
        (b"text\tlabel\na\tb\n", "say  format: tsv"),
        (b"text\x01label\na\x01b\n", 'say  delimiter: "\\u0001"'),
        (b"sep=;\r\ntext;label\r\na;b\r\n", 'begins with the line sep=";": say  delimiter: ";"'),
        (b"\xef\xbb\xbfsep=\t\ntext\tlabel\n", "say  format: tsv"),
    ],
)
def test_another_delimiter_is_named(data: bytes, says: str) -> None:
    assert says in refused(data)


def test_commas_where_semicolons_are_declared_are_named() -> None:
    assert "say  format: csv  in the spec, and no delimiter" in refused(b"text,label\na,b\n", delimiter=";")


@pytest.mark.parametrize("data", [b"a;b\nc;d\n", b'"a;1";b\r\n"c\r\nd";e', b"a;b"])
def test_another_delimiter_is_named_without_a_header_too(data: bytes) -> None:
    message = refused(data, header=("text", "label"))

    assert 'do not have 2 columns with the delimiter ","; say  delimiter: ";"' in message


def test_a_damaged_first_row_is_no_sign_of_another_delimiter() -> None:
    assert texts(b"one;two\na,b\n", header=("text", "label")) == ["a"]


def test_one_column_says_nothing_about_the_delimiter() -> None:
    assert texts(b"one;two\n", header=("text",)) == ["one;two"]


@pytest.mark.parametrize("first", [b"sep=,\n", b"SEP=,\r\n", b'"sep=,"\r\n', b"\xef\xbb\xbfsep=,\r\n"])
def test_a_line_for_excel_is_no_row(first: bytes) -> None:
    assert texts(first + b"text,label\r\na,b\r\n") == ["a"]
    assert texts(first + b"a,b\r\n", header=("text", "label")) == ["a"]


@pytest.mark.parametrize(
    "row",
    [
        LONG.encode(),
        b'"My name is Maria Example, please call me back",billing',
        f'7,"{LONG}"'.encode(),
        f'"{LONG * 3}",x'.encode(),
        b'7,"Patient Jane Roe\nborn 1970-01-01 ; HIV positive"',
    ],
)
def test_a_first_row_that_is_no_header_never_appears_in_the_error(row: bytes) -> None:
    message = refused(row + b"\nanother,row\n")

    assert "say header: false and give the columns their names" in message
    for word in ("invoice", "Maria", "billing", "Patient", "1970"):
        assert word not in message


@pytest.mark.parametrize("header", ["id, text, the date of it", " text ,2nd id", "my label,Text"])
def test_a_name_that_differs_in_blanks_or_case_is_one_to_name_in_the_spec(header: str) -> None:
    message = refused(f"{header}\n1,x,2\n".encode())

    assert "one of them" in message
    assert "Name the right one in the spec" in message
    assert "header: false" not in message


def test_more_columns_than_a_table_has_are_named() -> None:
    assert "the first row has 20,001 columns" in refused(b"a," * 20_000 + b"text\n")


def test_a_header_that_lacks_the_column_is_shown() -> None:
    message = refused(b"id,label,body\n1,a,x\n")

    assert 'has no column "text"; its columns are: id, label, body. Name the right one' in message


@pytest.mark.parametrize("row", [b'"she wrote \\"please, help\\" 0",a', b'"\\"home\\" is broken",bug'])
def test_quotes_escaped_by_backslashes_are_named(row: bytes) -> None:
    message = refused(b"text,label\nfine,b\n" + row + b"\n")

    assert 'say  escape: "\\\\"  in the spec' in message


def test_one_escaped_quote_among_doubled_ones_costs_its_row() -> None:
    data = b'text,label\n"one ""a"" b",x\n"two \\"a\\" b",x\nthree,x\n'
    opened = [(SourceFile("s3://b/x.csv", "x.csv"), io.BytesIO(data))]

    parts: list[bytes | None] = []
    bad: list[BadRow] = []
    for rows in read_csv(opened, ColumnSelection("text")):
        parts += rows.texts.cast(pa.binary()).to_pylist()
        bad += rows.bad

    assert parts == [b'one "a" b', b"three"]
    assert [(row.row, "set escape in the spec" in row.detail) for row in bad] == [(1, True)]


def test_a_backslash_at_the_end_of_a_text_is_text() -> None:
    assert texts(b'text,label\n"C:\\temp\\",a\n"D:\\",b\n') == ["C:\\temp\\", "D:\\"]
