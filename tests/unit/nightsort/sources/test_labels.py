"""Labels are read alike from cells, lists and folders."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from include.nightsort.sources.labels import LabelReader


def read(mode: str, delimiter: str | None, *rows: Any) -> list[Any]:
    kind = pa.list_(pa.string()) if isinstance(rows[0], list) else pa.binary()
    values = [row.encode() if isinstance(row, str) else row for row in rows]
    labels, reasons, cell_of_row = LabelReader(mode, delimiter).read(pa.array(values, kind))
    return [reasons[cell] or labels[cell].as_py() for cell in cell_of_row.tolist()]


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
    labels, reasons, cell_of_row = LabelReader("MULTI_LABEL", "|").read(lists)
    found = [reasons[cell] or labels[cell].as_py() for cell in cell_of_row.tolist()]
    assert found == [["a"], "invalid_utf8", ["b c"]]


def test_a_blank_or_tab_may_join_labels() -> None:
    assert read("MULTI_LABEL", "\t", "a\tb c") == [["a", "b c"]]
    assert read("MULTI_LABEL", " ", "a  b") == [["a", "b"]]


def test_each_different_cell_is_worked_out_once() -> None:
    labels, _, cell_of_row = LabelReader("MULTI_CLASS", None).read(pa.array([b"a", b"b", b"a"] * 100))

    assert len(labels) == 2
    assert cell_of_row.tolist() == [0, 1, 0] * 100
