"""JSON that is not one object a line: arrays, objects over several lines, several objects on one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from nightsort.sources import json_layouts, json_lines, json_structure, json_values, row_blocks
from nightsort.sources.source_files import SourceError
from tests.unit.nightsort.sources.test_json_lines import Rows

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENTS: list[dict[str, Any]] = [
    {"id": number, "text": f'invoice {number} "}}{{", \\', "tags": [{"text": "no"}, {"text": "no"}]}
    for number in range(40)
]
EXPECTED = [(number, str(number).encode(), DOCUMENTS[number]["text"].encode(), None) for number in range(40)]


def jackson(documents: list[dict[str, Any]]) -> str:
    return json.dumps(documents, indent=2).replace("[\n  {", "[ {").replace("},\n  {", "}, {")


LAYOUTS: dict[str, Callable[[list[dict[str, Any]]], str]] = {
    "one a line": lambda items: "\n".join(map(json.dumps, items)),
    "side by side": lambda items: "".join(map(json.dumps, items)),
    "with blanks between": lambda items: " ".join(map(json.dumps, items)),
    "several on some lines": lambda items: "".join(
        json.dumps(item) + "\n" * (number % 3 == 0) for number, item in enumerate(items)
    ),
    "an array": json.dumps,
    "an array of one a line": lambda items: "[\n" + ",\n".join(map(json.dumps, items)) + "\n]\n",
    "commas first": lambda items: "[" + "\n,".join(map(json.dumps, items)) + "]",
    "a pretty array": lambda items: json.dumps(items, indent=2),
    "a pretty array with tabs": lambda items: json.dumps(items, indent="\t"),
    "a pretty array by Jackson": jackson,
    "pretty objects": lambda items: "\n".join(json.dumps(item, indent=4) for item in items),
    "pretty objects side by side": lambda items: "".join(json.dumps(item, indent=4) for item in items),
    "a key a line": lambda items: "\n".join(json.dumps(item).replace(', "', ',\n "') for item in items),
    "a text sequence": lambda items: "".join(f"\x1e{json.dumps(item)}\n" for item in items),
    "commas at the ends": lambda items: "".join(f"{json.dumps(item)},\n" for item in items),
}


@pytest.fixture(params=[100, 1_000, None], ids="parts of {}".format)
def _parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param is not None:
        for module in (row_blocks, json_layouts):
            monkeypatch.setattr(module, "CHUNK_BYTES", request.param)


@pytest.mark.usefixtures("_parts")
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_each_object_is_a_row(layout: Callable[[list[dict[str, Any]]], str], line_end: str) -> None:
    read = Rows(layout(DOCUMENTS).replace("\n", line_end).encode())

    assert read.bad == []
    assert read.good == EXPECTED


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_one_object_with_a_value_of_another_type_costs_only_itself(
    layout: Callable[[list[dict[str, Any]]], str],
) -> None:
    odd = [{**item, "text": 5} if item["id"] == 7 else item for item in DOCUMENTS]

    read = Rows(layout(odd).encode())

    assert [bad[:3] for bad in read.bad] == [(7, "unreadable_row", "7")]
    assert read.good == [row for row in EXPECTED if row[0] != 7]


@pytest.mark.parametrize("name", ["side by side", "with blanks between", "pretty objects"])
def test_one_that_is_damaged_costs_at_most_its_neighbour(name: str) -> None:
    data = LAYOUTS[name](DOCUMENTS)

    for damage in ('"text": invoice 7', '"text": "invoice" 7'):
        read = Rows(data.replace('"text": "invoice 7', damage).encode())

        assert {bad[0] for bad in read.bad} <= {7, 8}
        assert len(read.good) >= 38


@pytest.mark.parametrize("damage", ["}", '"', "{", "nul", "["])
@pytest.mark.parametrize("in_parts", [False, True])
def test_an_array_whose_rows_cannot_be_counted_is_an_error(
    damage: str, in_parts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if in_parts:
        monkeypatch.setattr(row_blocks, "CHUNK_BYTES", 500)
    data = LAYOUTS["an array"](DOCUMENTS).replace('"id": 7,', f'"id": 7{damage},')

    with pytest.raises(SourceError, match=r"^s3://b/x\.jsonl holds an array that is damaged in row 7;"):
        Rows(data.encode())


@pytest.mark.parametrize("damage", ["nul", '" "', ": ", "]"])
def test_in_a_pretty_array_a_damaged_value_costs_only_its_row(damage: str) -> None:
    data = LAYOUTS["a pretty array"](DOCUMENTS).replace('"id": 7,', f'"id": 7{damage},')

    read = Rows(data.encode())

    assert [bad[:2] for bad in read.bad] == [(7, "unreadable_row")]
    assert read.good == [row for row in EXPECTED if row[0] != 7]


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_file_that_is_cut_off_loses_its_last_object_alone(name: str) -> None:
    data = LAYOUTS[name](DOCUMENTS[:8])
    cut = data.rindex("invoice")

    read = Rows(data[:cut].encode())

    assert len(read.good) == 7
    assert [bad[:2] for bad in read.bad] == [(7, "unreadable_row")]


@pytest.mark.parametrize("name", ["side by side", "an array", "a pretty array", "pretty objects"])
def test_an_object_without_end_among_many_is_an_error_that_names_the_file(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (row_blocks, json_layouts):
        monkeypatch.setattr(module, "MAX_ROW_BYTES", 1_000)
        monkeypatch.setattr(module, "CHUNK_BYTES", 100)

    with pytest.raises(SourceError, match=r"s3://b/x\.jsonl has JSON objects that are not one a line"):
        Rows(LAYOUTS[name](DOCUMENTS).replace('"text": "invoice 7', '"text": "invoice 7" {{').encode())


def test_empty_lines_before_the_first_object_say_nothing_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(row_blocks, "CHUNK_BYTES", 100)
    blank = "\n" * 1_000

    for name in ("one a line", "a pretty array", "pretty objects"):
        assert Rows((blank + LAYOUTS[name](DOCUMENTS)).encode()).good == EXPECTED


@pytest.mark.parametrize("data", [b"[]", b"[\n]\n", b" [ ] ", b"[{}]"])
def test_an_array_without_documents(data: bytes) -> None:
    assert Rows(b'{"id":"1","text":"a"}\n' + data).good[0][1] == b"1"
    assert Rows(b"[]").fates == []


def test_a_first_line_that_is_cut_off_does_not_make_the_file_another_kind() -> None:
    for first in (b"{", b"[", b'{"id":"7",', b'{"id":"7","text":', b'[{"id":"7","text":', b'{"id":"7"', b'"'):
        read = Rows(first + b'\n{"id":"8","text":"b"}\n{"id":"9","text":"c"}\n')

        assert [row[1] for row in read.good] == [b"8", b"9"]
        assert len(read.bad) == (first != b"[")


@pytest.mark.parametrize("name", ["side by side", "an array", "commas first"])
def test_a_long_line_is_read_object_by_object(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (json_layouts, json_values, json_lines):
        monkeypatch.setattr(module, "LONG_LINE", 200)
    monkeypatch.setattr(json_values, "_MOST_VALUES", 10)

    assert Rows(LAYOUTS[name](DOCUMENTS).encode()).good == EXPECTED


def test_a_row_with_too_many_values_is_rejected_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_values, "_MOST_VALUES", 1_000)
    good = b'{"id":"1","text":"a, b, c"}\n'
    for many in (b"[" * 1_000_001, b"{}," * 500_000):
        read = Rows(good + b'{"id":"7","text":"a","x":[' + many + b"\n" + good)

        assert len(read.good) == 2
        assert [bad[3] for bad in read.bad] == ["more than 1,000 values in a row"]


def test_a_long_text_is_a_value_like_any_other() -> None:
    text = "a, [b], {c} " * 200_000

    assert Rows(json.dumps({"id": "1", "text": text}).encode()).good == [(0, b"1", text.encode(), None)]


@pytest.mark.parametrize("window", [1, 2, 7, 1_000])
def test_objects_are_found_whatever_part_of_the_file_is_looked_at(
    window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_structure, "_WINDOW", window)
    monkeypatch.setattr(json_layouts, "LONG_LINE", 10)
    texts = ["\\", '"', '\\"', "{", "}", '\\\\"}', "[", "\\\\\\", "}{"]
    data = "".join(json.dumps({"id": str(number), "text": text}) for number, text in enumerate(texts))

    assert [row[2].decode() for row in Rows(data.encode()).good] == texts
