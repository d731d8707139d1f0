"""Labels are read alike from cells, lists and folders."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.sources import labels
from nightsort.sources.labels import LabelReader, as_labels, as_text


def read(mode: str, delimiter: str | None, *rows: Any) -> list[Any]:
    kind = pa.list_(pa.string()) if isinstance(rows[0], list) else pa.binary()
    values = [row.encode() if isinstance(row, str) else row for row in rows]
    return labels_or_reasons(LabelReader(mode, delimiter), pa.array(values, kind))


def labels_or_reasons(reader: LabelReader, column: Any) -> list[Any]:
    found, rejected = reader.read(column)
    return [
        next((reason for reason, rows in rejected.items() if rows[row]), None) or found[row].as_py()
        for row in range(len(column))
    ]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("a|b", ["a", "b"]),
        (" a | b ", ["a", "b"]),
        ("|a", ["a"]),
        ("a|", ["a"]),
        ("a||b", ["a", "b"]),
        ("a|b|a", ["a", "b"]),
        ("a", ["a"]),
        ("a\nb|\ufeffc", ["a b", "c"]),
        ("", "no_label"),
        ("|", "no_label"),
        (None, "no_label"),
        ("|".join(f"{n:03}" for n in range(1_000)), [f"{n:03}" for n in range(1_000)]),
        ("a|b|" * 100, ["a", "b"]),
        ("a|" * 1_000, "too_many_labels"),
        (b"\xff", "invalid_utf8"),
        ("x" * 5_001, "label_too_long"),
        ("x" * 5_000, ["x" * 5_000]),
    ],
)
def test_a_cell_of_several_labels(cell: Any, expected: Any) -> None:
    assert read("MULTI_LABEL", "|", cell) == [expected]


def test_a_multi_class_cell_is_one_label_whatever_it_holds() -> None:
    assert read("MULTI_CLASS", None, "a|b", "a b", ' "x", y ') == [["a|b"], ["a b"], ['"x", y']]


def test_lists_are_labels_in_both_modes() -> None:
    assert read("MULTI_LABEL", "|", ["a", "b|c"], [], ["", None], ["a", "a"]) == [
        ["a", "b|c"],
        "no_label",
        "no_label",
        ["a"],
    ]
    assert read("MULTI_CLASS", None, ["a"], ["a", "b"], ["a", ""]) == [["a"], "several_labels", ["a"]]


def test_a_label_in_a_list_that_is_no_utf8_costs_only_its_row() -> None:
    lists = pa.array([[b"a"], [b"a", b"\xff"], [b"b\x1fc"]], pa.list_(pa.binary()))
    assert labels_or_reasons(LabelReader("MULTI_LABEL", "|"), lists) == [["a"], "invalid_utf8", ["b c"]]


def test_a_blank_or_tab_may_join_labels() -> None:
    assert read("MULTI_LABEL", "\t", "a\tb c") == [["a", "b c"]]
    assert read("MULTI_LABEL", " ", "a  b") == [["a", "b"]]


def test_each_different_label_is_cleaned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def clean(label: str) -> str:
        asked.append(label)
        return label

    monkeypatch.setattr(labels, "clean_label", clean)
    reader = LabelReader("MULTI_LABEL", "|")

    for _ in range(2):
        found = labels_or_reasons(reader, pa.array([b"a|b", b"b|c", b"c|a"] * 100))

    assert found == [["a", "b"], ["b", "c"], ["c", "a"]] * 100
    assert sorted(asked) == ["a", "b", "c"]


@given(st.lists(st.lists(st.sampled_from(["", "a", "b", " a ", "c"]), max_size=5), min_size=1))
def test_a_row_keeps_each_label_once_in_the_order_of_the_row(cells: list[list[str]]) -> None:
    expected = [list(dict.fromkeys(filter(None, map(str.strip, cell)))) or "no_label" for cell in cells]

    assert read("MULTI_LABEL", "|", *map("|".join, cells)) == expected
    assert read("MULTI_LABEL", "|", *cells) == expected


@pytest.mark.parametrize(("value", "expected"), [(None, ""), ("a", "a"), (5, "5"), (True, None), (1.5, None)])
def test_texts_and_whole_numbers_are_texts(value: object, expected: str | None) -> None:
    assert as_text(value) == expected


def test_true_and_false_are_labels_as_json_writes_them() -> None:
    assert as_labels(True, None) == ["true"]
    assert as_labels([False, "a"], "|") == ["false", "a"]


def test_a_list_with_something_else_than_texts_is_no_list_of_labels() -> None:
    assert as_labels(["a", 5, None], "|") == ["a", "5", ""]
    assert as_labels(["a", {}], "|") is None
    assert as_labels({"a": 1}, None) is None
