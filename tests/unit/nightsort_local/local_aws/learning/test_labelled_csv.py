"""Training data as CSV: what is a row, what is a label, and where a problem is."""

from __future__ import annotations

import io

import pytest

from nightsort.comprehend.limits import LABEL_DELIMITERS, Mode
from nightsort_local.local_aws.learning.examples import Example, Unusable
from nightsort_local.local_aws.learning.labelled_csv import read_csv
from nightsort_local.local_aws.task_errors import TaskError

FILE = "s3://data/training.csv"


def rows(content: bytes | str, mode: Mode = "MULTI_CLASS", delimiter: str = "|") -> list[Example | Unusable]:
    body = content.encode() if isinstance(content, str) else content
    return list(read_csv(io.BytesIO(body), FILE, mode, delimiter))


def refused(content: bytes | str, mode: Mode = "MULTI_CLASS") -> str:
    with pytest.raises(TaskError) as caught:
        rows(content, mode)
    message = str(caught.value)
    assert message.startswith("CLASSIFIER_INVALID_INPUT: ")
    return message.partition(": ")[2]


def texts(content: bytes | str) -> list[str]:
    return [found.text for found in rows(content) if isinstance(found, Example)]


def test_a_header_is_a_document_like_any_other() -> None:
    assert rows("label,text\nBUG,it broke\n") == [
        Example(1, ("label",), "text"),
        Example(2, ("BUG",), "it broke"),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "open"])
def test_rows_end_at_any_line_end(end: str, last: bool) -> None:
    assert texts(f"A,one{end}B,two{end if last else ''}") == ["one", "two"]


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1e"])
def test_other_separators_are_text(character: str) -> None:
    assert texts(f"A,one{character}more\nB,two\n") == [f"one{character}more", "two"]


def test_quotes_hold_commas_quotes_and_line_ends() -> None:
    found = rows('A,"one, ""two""\nthree"\r\n"B",four\n')
    assert found == [Example(1, ("A",), 'one, "two"\nthree'), Example(3, ("B",), "four")]


def test_a_quote_inside_a_cell_is_text() -> None:
    assert texts('A,5" nails\n') == ['5" nails']


def test_a_quote_that_nothing_closes_does_not_swallow_the_rest() -> None:
    message = refused('A,good\nB,"never closed\nA,lost\n')
    assert message == f"The file {FILE} has a quoted cell in the row at line 2 that does not end."


def test_blanks_and_a_bom_belong_to_the_cells() -> None:
    found = rows("\ufeffA , one\n")
    assert found == [Example(1, ("\ufeffA ",), " one")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("A", "not 2 columns but 1"),
        ("A,one,two", "not 2 columns but 3"),
        ('A, "one, two"', "not 2 columns but 3"),
        ("A,", "an empty document"),
        ("A, \t", "an empty document"),
        ('""', "not 2 columns but 1"),
    ],
)
def test_a_row_that_is_no_label_and_document_is_unusable(row: str, reason: str) -> None:
    assert rows(f"A,one\n{row}\n\nB,two\n") == [
        Example(1, ("A",), "one"),
        Unusable(2, reason),
        Example(4, ("B",), "two"),
    ]


@pytest.mark.parametrize("cell", ["", " ", "A|", "|A", "A||B", "A| |B"])
def test_an_empty_label_is_refused_in_the_words_of_aws(cell: str) -> None:
    assert refused(f"A,one\n{cell},two\n", "MULTI_LABEL") == (
        f"Empty label found on line: 2 of file: {FILE}. This could be because of 1) a leading label "
        "delimiter 2) a trailing label delimiter 3) consecutive label delimiters in the labels list column "
        "or 4) an empty string."
    )


@pytest.mark.parametrize("delimiter", LABEL_DELIMITERS)
def test_each_of_the_21_delimiters_joins_labels(delimiter: str) -> None:
    assert len(LABEL_DELIMITERS) == 21
    assert rows(f"A{delimiter}B,one\n", "MULTI_LABEL", delimiter) == [Example(1, ("A", "B"), "one")]


def test_another_delimiter_is_part_of_the_label() -> None:
    assert rows("A|B,one\n", "MULTI_LABEL", "#") == [Example(1, ("A|B",), "one")]
    assert rows("A|B,one\n", "MULTI_CLASS", "|") == [Example(1, ("A|B",), "one")]


@pytest.mark.parametrize("content", [b"A,caf\xe9\n", b"A,one\nB,\xf0\x9f\n", b"A,\xed\xa0\x80\n"])
def test_what_is_not_utf8_is_refused(content: bytes) -> None:
    assert "is not UTF-8 after line" in refused(content)


def test_a_nul_reads_as_a_space_with_every_python() -> None:
    assert texts("A,one\0two\n") == ["one two"]


@pytest.mark.parametrize("content", ["", "\n", "\r\n\n"])
def test_a_file_without_rows_has_none(content: str) -> None:
    assert rows(content) == []


def test_a_cell_far_over_the_limit_is_refused_without_its_text() -> None:
    assert refused("A,one\nB," + "secret" * 4_000_000) == (
        f"The maximum size of an individual document is 10MB. The document on line: 2 of file: {FILE} was "
        "greater than the maximum size."
    )
