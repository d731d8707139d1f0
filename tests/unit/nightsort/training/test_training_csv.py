"""What is written for Comprehend is read back by csv and pandas exactly as it went in."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from nightsort.comprehend.limits import LABEL_DELIMITERS, MODES, Mode
from nightsort.sources.cleaning import clean_label, clean_texts
from nightsort.training.training_csv import (
    csv_rows,
    row_starts,
    rows_of,
    text_lines,
    texts_of_rows,
    values,
    with_starts,
)
from nightsort_local.local_aws.learning.examples import Example, Unusable
from nightsort_local.local_aws.learning.labelled_csv import read_csv

WORDS = st.text() | st.text('a"," \n\r\t|', max_size=12)
ROWS = st.lists(st.tuples(WORDS.map(clean_label).filter(bool), WORDS), max_size=20)


def written(rows: list[tuple[str, str]], *, offset: int = 0) -> tuple[bytes, list[tuple[str, str]]]:
    """The CSV of some rows, and the rows with cleaned texts."""
    padding = ['before"'] * offset
    texts = clean_texts(
        pa.array([text.encode() for text in [*padding, *(text for _, text in rows)]], pa.binary())
    ).texts
    texts = texts.slice(offset)
    cleaned = [str(text) for text in texts.to_pylist()]
    cells = [label for label, _ in rows]
    starts = row_starts(pa.array(cells, pa.string()))
    return bytes(values(csv_rows(starts, texts))), list(zip(cells, cleaned, strict=True))


@given(ROWS, st.integers(0, 2))
@example([("a", '"'), ('x","y', '""'), ("b,c", ',"')], 1)
def test_csv_reads_back_what_went_in(rows: list[tuple[str, str]], offset: int) -> None:
    data, expected = written(rows, offset=offset)

    assert [tuple(row) for row in csv.reader(io.StringIO(data.decode(), newline=""), strict=True)] == expected


@given(ROWS.filter(bool))
@example([("NA", "null"), ("label", "# no comment")])
def test_pandas_reads_back_what_went_in(rows: list[tuple[str, str]]) -> None:
    data, expected = written(rows)

    table = pd.read_csv(io.BytesIO(data), header=None, keep_default_na=False, dtype=str)

    assert list(table.itertuples(index=False, name=None)) == expected


LABELS = st.frozensets(WORDS.map(clean_label).filter(bool), min_size=1, max_size=3)


@given(
    st.lists(st.tuples(LABELS, WORDS), max_size=10),
    st.sampled_from(MODES),
    st.sampled_from(LABEL_DELIMITERS),
)
@example([(frozenset({'a"', "b,c"}), '",')], "MULTI_LABEL", "|")
@example([(frozenset({"a"}), "\ufeffx")], "MULTI_CLASS", " ")
def test_the_local_comprehend_reads_back_what_went_in(
    rows: list[tuple[frozenset[str], str]], mode: Mode, delimiter: str
) -> None:
    """Labels as :func:`check_delimiter` lets them pass, documents as the cleaning does."""
    if mode == "MULTI_CLASS":
        rows = [(frozenset({min(labels)}), text) for labels, text in rows]
    else:
        rows = [(labels, text) for labels, text in rows if not any(delimiter in label for label in labels)]
    data, cells = written([(delimiter.join(sorted(labels)), text) for labels, text in rows])

    read = list(read_csv(io.BytesIO(data), "training.csv", mode, delimiter))

    expected = [(labels, text) for (labels, _), (_, text) in zip(rows, cells, strict=True)]
    # Blank documents are rejected before they come here; Comprehend would leave them out.
    assert [isinstance(row, Unusable) for row in read] == [not text for _, text in expected]
    found = [(frozenset(row.labels), row.text) for row in read if isinstance(row, Example)]
    assert found == [row for row in expected if row[1]]


@given(ROWS)
def test_a_row_is_a_line(rows: list[tuple[str, str]]) -> None:
    data, expected = written(rows)

    assert data.decode().splitlines() == data.decode().split("\n")[:-1]
    assert data.count(b"\n") == len(expected)
    assert b"\r" not in data
    assert not data.startswith(b"\xef\xbb\xbf")


def test_rows_look_as_comprehend_wants_them() -> None:
    data, _ = written([("plain", "text"), ("with, comma", 'says "yes", no'), ('a "b"', "x")])

    assert data.decode() == 'plain,"text"\n"with, comma","says ""yes"", no"\n"a ""b""","x"\n'


@given(ROWS)
def test_test_documents_are_lines_in_the_order_of_the_rows(rows: list[tuple[str, str]]) -> None:
    _, expected = written(rows)

    lines = bytes(values(text_lines(pa.array([text for _, text in expected], pa.string())))).decode()

    assert lines.split("\n")[:-1] == [text for _, text in expected]


@given(ROWS, ROWS)
def test_rows_give_their_texts_back_and_take_other_labels(
    rows: list[tuple[str, str]], others: list[tuple[str, str]]
) -> None:
    data, expected = written(rows)
    count = min(len(rows), len(others))
    before, after = (
        row_starts(pa.array([label for label, _ in some[:count]], pa.string())) for some in (rows, others)
    )
    texts = pa.array([text for _, text in expected[:count]], pa.string())
    made = csv_rows(before, texts)

    read = rows_of(bytes(values(made)), np.array([len(row.encode()) for row in made.to_pylist()], np.int32))

    assert data.startswith(bytes(values(read)))
    assert texts_of_rows(read, before).equals(texts)
    assert with_starts(read, before, after).equals(csv_rows(after, texts))
