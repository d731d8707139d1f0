"""Nothing inside a cleaned document ends a line, for any reader, and the rule is the same for every
document."""

from __future__ import annotations

import unicodedata
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.sources.cleaning import BLANK, GOOD, INVALID_UTF8, TOO_LARGE, clean_label, clean_texts


def clean(*raw: bytes | str | None) -> tuple[list[str], list[int]]:
    values = [value.encode() if isinstance(value, str) else value for value in raw]
    cleaned = clean_texts(pa.array(values, pa.binary()))
    texts: list[Any] = cleaned.texts.to_pylist()
    return texts, cleaned.status.tolist()


def by_hand(text: str) -> str:
    """The rule, character by character."""
    blanked = [
        " " if unicodedata.category(mark) == "Cc" or mark in "\u2028\u2029" else mark
        for mark in text
        if mark != "\ufeff"
    ]
    return "".join(blanked).strip()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("a\nb", "a b"),
        ("a\r\nb", "a  b"),
        ("a\tb\x00c\x7fd", "a b c d"),
        ("a\u2028b\u2029c\u0085d", "a b c d"),
        ("\ufeffa", "a"),
        ("a\ufeffb", "ab"),
        ("  a b \n", "a b"),
        ("\u3000a\u00a0", "a"),
        ("\u00e4 \u4f60\u597d \U0001f600", "\u00e4 \u4f60\u597d \U0001f600"),
        ('"quoted", and a comma', '"quoted", and a comma'),
    ],
)
def test_what_would_end_a_line_becomes_a_blank(raw: str, expected: str) -> None:
    assert clean(raw) == ([expected], [GOOD])


@pytest.mark.parametrize("raw", ["", None, " \n\t", "\u00a0\u2003", "\ufeff", "\u200b\u200d", "\u2028\x00"])
def test_what_shows_nothing_is_blank(raw: str | None) -> None:
    assert clean(raw)[1] == [BLANK]


@pytest.mark.parametrize("raw", [b"\xff", b"caf\xe9", b"\xed\xa0\x80", b"\xc0\x80", b"good until \xe2\x82"])
def test_bytes_that_are_no_utf8_cost_only_their_own_row(raw: bytes) -> None:
    assert clean("before", raw, "after\n") == (["before", "", "after"], [GOOD, INVALID_UTF8, GOOD])


def test_size_counts_in_bytes_after_cleaning() -> None:
    raw = pa.array(["äää".encode(), b"  abc  ", b"abcdefg"], pa.binary())

    assert clean_texts(raw, max_bytes=5).status.tolist() == [TOO_LARGE, GOOD, TOO_LARGE]


def test_no_rows_are_no_problem() -> None:
    assert clean() == ([], [])


def test_a_slice_is_cleaned_like_a_whole() -> None:
    column = pa.array([b"no", b"a\nb", "\u2028ä".encode(), b"no"], pa.binary()).slice(1, 2)

    assert clean_texts(column).texts.to_pylist() == ["a b", "ä"]


@given(st.lists(st.text() | st.text("a \n\r\t\x00\x85\u2028\ufeff\u00a0ä€"), max_size=20))
def test_a_column_is_cleaned_as_one_would_by_hand(texts: list[str]) -> None:
    assert clean(*texts)[0] == [by_hand(text) for text in texts]


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_no_bytes_break_a_line_or_the_cleaning(raw: list[bytes]) -> None:
    texts, fates = clean(*raw)

    assert len(texts) == len(fates) == len(raw)
    for text, fate, value in zip(texts, fates, raw, strict=True):
        assert len(text.splitlines()) <= 1
        assert (fate == INVALID_UTF8) == (value.decode(errors="ignore").encode() != value)
        assert fate != GOOD or text.strip() == text != ""


@given(st.lists(st.text(), max_size=10))
def test_cleaning_twice_is_cleaning_once(texts: list[str]) -> None:
    once, _ = clean(*texts)

    assert clean(*once)[0] == once


@given(st.text())
def test_a_label_is_cleaned_like_a_text_and_composed(label: str) -> None:
    text = unicodedata.normalize("NFC", clean(label)[0][0])

    assert clean_label(label) in (text, "")
    assert clean_label(clean_label(label)) == clean_label(label)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("label", ["Prämie", "é", "Ångström", "각", "ǖ"])
def test_composed_and_decomposed_labels_are_one(label: str, form: Literal["NFC", "NFD"]) -> None:
    assert clean_label(unicodedata.normalize(form, label)) == unicodedata.normalize("NFC", label)


@pytest.mark.parametrize(
    "label", ["", " ", "\u00a0", "\u200b", "\u200b \u2060", "\u3164", "\u2800", "\ufe0f", "\U000e0100"]
)
def test_a_label_that_shows_nothing_is_no_label(label: str) -> None:
    assert clean_label(label) == ""


@pytest.mark.parametrize("label", ["😀", "-", "0", "👩\u200d🚀"])
def test_a_label_that_shows_something_is_kept(label: str) -> None:
    assert clean_label(label) == label


def test_fates_are_small_numbers() -> None:
    assert clean_texts(pa.array([b"a"], pa.binary())).status.dtype == np.int8
