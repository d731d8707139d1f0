"""Files in other encodings are decoded while they are read; what is no character costs its row."""

from __future__ import annotations

import codecs
import gzip
import io
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.classifier_spec.source import Source
from nightsort.sources import streams
from nightsort.sources.text_streams import text_of
from tests.unit.nightsort.document_reading import read

if TYPE_CHECKING:
    from pathlib import Path

LINES = ["Die Rechnung über 10 € ist falsch", "La page ne s'affiche pas “404”", "O pedido não chegou 😀"]
TEXT = "\r\n".join([*LINES, ""])


def by_line(path: Path, encoding: str = "utf-8") -> Any:
    return read(Source(uri=str(path), format="lines", encoding=encoding), path.parent)


@pytest.mark.parametrize("mark", [True, False])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("declared", ["utf-8", "cp1252", "utf-16", "utf-32"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_utf_16_and_utf_32_are_read_whatever_the_spec_says(
    tmp_path: Path, encoding: str, mark: bool, declared: str, suffix: str
) -> None:
    data = ("\ufeff" * mark + TEXT).encode(encoding)
    (tmp_path / f"x{suffix}").write_bytes(gzip.compress(data) if suffix else data)

    found = by_line(tmp_path / f"x{suffix}", declared)

    assert (found.texts, found.rejects) == (LINES, [])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize(
    ("kind", "content", "keys"),
    [
        ("csv", "text,id\r\nThe invoice is wrong,1\r\n", {"id_column": "id"}),
        ("tsv", "id\ttext\n1\tThe invoice is wrong\n", {"id_column": "id"}),
        ("jsonl", '{"text": "The invoice is wrong"}\n', {}),
        ("lines", "The invoice is wrong", {}),
        ("files", "The invoice is wrong\n", {}),
    ],
)
def test_every_format_of_text_may_be_utf_16(
    tmp_path: Path, kind: Any, content: str, keys: dict[str, Any], encoding: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x").write_bytes(content.encode(encoding))

    found = read(Source(uri=f"{tmp_path}/in/", format=kind, **keys), tmp_path)

    assert (found.texts, found.rejects) == (["The invoice is wrong"], [])


@pytest.mark.parametrize("text", ["Hi", "ok\n", "Größe"])
def test_the_shortest_documents_in_utf_16_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_bytes(text.encode("utf-16-le"))

    assert by_line(tmp_path / "x").texts == [text.strip()]


def test_utf_16_of_another_script_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x").write_bytes(("счёт за ноябрь неверный\n" * 20).encode("utf-16-le"))

    found = read(Source(uri=f"{tmp_path}/in/", format="files"), tmp_path)

    assert found.texts == []
    assert found.reasons == [("x", 0, "not_text")]
    assert "encoding: utf-16-le" in found.rejects[0]["detail"]
    assert read(Source(uri=f"{tmp_path}/in/", format="files", encoding="utf-16-le"), tmp_path).texts == [
        " ".join(["счёт за ноябрь неверный"] * 20)
    ]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Rechnung prüfen „über“ 10 €"),
        ("latin-1", "Rechnung prüfen über 10 £"),
        ("iso-8859-15", "über 10 €"),
        ("cp850", "über 10 Ä"),
        ("mac-roman", "über 10 €"),
        ("cp037", "invoice 10"),
        ("utf-7", "über 10 €"),
        ("utf-8-sig", "über 10 €"),
        ("ascii", "invoice 10"),
        ("cp1251", "счёт"),
        ("shift_jis", "請求書"),
        ("gb18030", "发票 €"),
        ("euc-kr", "청구서"),
    ],
)
def test_any_encoding_of_text_can_be_named(tmp_path: Path, encoding: str, text: str) -> None:
    (tmp_path / "x").write_bytes(f"{text}\n{text}\n".encode(encoding))

    found = by_line(tmp_path / "x", encoding)

    assert (found.texts, found.rejects) == ([text, text], [])


def test_a_byte_order_mark_counts_more_than_the_spec(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(codecs.BOM_UTF8 + "über\n".encode())

    assert by_line(tmp_path / "x", "cp1252").texts == ["über"]


@pytest.mark.parametrize("declared", ["cp1252", "iso8859-15", "cp850", "mac-roman", "utf-16", "utf-32-be"])
@pytest.mark.parametrize("before", [0, 20_000])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_utf_8_is_read_whatever_the_spec_says(
    tmp_path: Path, declared: str, before: int, suffix: str
) -> None:
    data = b"plain\n" * before + TEXT.encode()
    (tmp_path / f"x{suffix}").write_bytes(gzip.compress(data) if suffix else data)

    found = by_line(tmp_path / f"x{suffix}", declared)

    assert (found.texts[before:], found.rejects) == (LINES, [])


@pytest.mark.parametrize("declared", ["shift_jis", "gbk", "big5", "euc-kr", "utf-7", "cp1251"])
def test_utf_8_of_other_scripts_is_read_whatever_the_spec_says(tmp_path: Path, declared: str) -> None:
    (tmp_path / "x").write_text("請求書が間違っています\n", encoding="utf-8")

    assert by_line(tmp_path / "x", declared).texts == ["請求書が間違っています"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Größe", "cp1252"),
        ("la facture est erronée", "latin-1"),
        ("FÜR É", "cp1252"),
        ("Счёт неверный", "cp1251"),
        ("联通", "gbk"),
        ("ソース", "shift-jis"),
        ("中文", "utf-16-le"),
        ("plain", "cp037"),
    ],
)
def test_short_texts_in_the_encoding_of_the_spec_are_not_taken_for_utf_8(
    tmp_path: Path, text: str, encoding: str
) -> None:
    (tmp_path / "x").write_bytes(text.encode(encoding))

    assert by_line(tmp_path / "x", encoding).texts == [text]


def test_cp1252_that_is_read_as_utf_8_costs_its_rows_and_names_the_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "x").write_bytes("über\nübrig\nfine\n".encode("cp1252"))

    found = by_line(tmp_path / "x")

    assert found.texts == ["fine"]
    assert found.reasons == [("x", 0, "invalid_utf8"), ("x", 1, "invalid_utf8")]
    assert "encoding: cp1252" in caplog.text


@pytest.mark.parametrize(
    ("encoding", "bad"),
    [
        ("cp1252", b"\x81"),
        ("ascii", b"\xff"),
        ("shift_jis", b"\xfd"),
        ("utf-16-le", b"\x00\xd8"),
        ("utf-32-le", b"\x00\x00\xff\x7f"),
        ("utf-7", b"+2AA-"),
    ],
)
def test_what_is_no_character_costs_its_own_row(tmp_path: Path, encoding: str, bad: bytes) -> None:
    lines = ["first\n".encode(encoding), "a ".encode(encoding) + bad + " b\n".encode(encoding)]
    (tmp_path / "x").write_bytes(b"".join([*lines, "last\n".encode(encoding)]))

    found = by_line(tmp_path / "x", encoding)

    assert found.texts == ["first", "last"]
    assert found.reasons == [("x", 1, "invalid_utf8")]


def test_a_file_that_ends_within_a_character_costs_its_last_row(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes("first\nlast".encode("utf-16")[:-1])

    found = by_line(tmp_path / "x")

    assert found.texts == ["first"]
    assert found.reasons == [("x", 1, "invalid_utf8")]


@given(
    text=st.text(st.characters(codec="utf-8", exclude_characters="\ufeff\x00"), max_size=60),
    encoding=st.sampled_from(["utf-16-le", "utf-16-be", "utf-32-be", "gb18030", "utf-7"]),
    chunk=st.integers(1, 9),
)
def test_a_character_may_lie_in_two_parts(text: str, encoding: str, chunk: int) -> None:
    data = text.encode(encoding)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "CHUNK_BYTES", chunk)
        stream, kind = text_of(io.BytesIO(data), encoding)
        found = stream.read()

    if kind is None:
        assert found.decode() == text


def test_a_large_document_in_utf_32_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    text = "word " * 1_500_000
    (tmp_path / "in" / "x").write_bytes(text.encode("utf-32"))

    assert read(Source(uri=f"{tmp_path}/in/", format="files"), tmp_path).texts == [text.strip()]
