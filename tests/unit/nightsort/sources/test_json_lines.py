"""JSON Lines: read together where lines are alike, one by one where they are not, with the same result."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.sources import json_lines, row_blocks
from nightsort.sources.json_lines import read_json_lines
from nightsort.sources.row_blocks import ColumnSelection
from nightsort.sources.source_files import SourceError, SourceFile


class Rows:
    def __init__(self, data: bytes, *, label: str | None = None, delimiter: str | None = None) -> None:
        self.good: list[tuple[int, Any, Any, Any]] = []
        self.bad: list[tuple[int, str, str | None, str]] = []
        opened = [(SourceFile("s3://b/x.jsonl", "x.jsonl"), io.BytesIO(data))]
        selection = ColumnSelection("text", "id", label, label_delimiter=delimiter)
        for rows in read_json_lines(opened, selection):
            self.bad += [(bad.row, bad.reason, bad.document_id, bad.detail) for bad in rows.bad]
            if rows.ids is not None:
                labels = [None] * len(rows) if rows.labels is None else rows.labels.to_pylist()
                columns = (rows.ids.to_pylist(), rows.texts.to_pylist(), labels)
                self.good += zip(rows.rows.tolist(), *columns, strict=True)


def test_keys_in_any_order_with_others_between() -> None:
    assert Rows(b'{"x":{"y":[1]},"text":"a","id":"1"}\n{"id":"2","z":null,"text":"b"}').good == [
        (0, b"1", b"a", None),
        (1, b"2", b"b", None),
    ]


def test_whole_numbers_are_ids_whether_or_not_texts_are_among_them() -> None:
    assert [row[1] for row in Rows(b'{"id":1,"text":"a"}\n{"id":22,"text":"b"}\n').good] == [b"1", b"22"]
    assert [row[1] for row in Rows(b'{"id":1,"text":"a"}\n{"id":"x","text":"b"}\n').good] == [b"1", b"x"]


def test_ids_that_look_like_dates_stay_as_they_are() -> None:
    assert Rows(b'{"id":"2026-11-18","text":"a"}\n').good[0][1] == b"2026-11-18"


@pytest.mark.parametrize(
    ("line", "reason", "document_id", "says"),
    [
        (b'{"id":"7","text":', "unreadable_row", None, "not JSON"),
        (b'{"id":"7","text":"a"}{"id":"8","text":"b"}', "unreadable_row", None, "not JSON"),
        (b'{"id":"7","text":"\xff","x":}', "invalid_utf8", None, "not UTF-8"),
        (b'["7","a"]', "unreadable_row", None, "a JSON list, not an object"),
        (b'"a"', "unreadable_row", None, "a JSON text, not an object"),
        (b'{"id":"7","text":5}', "unreadable_row", "7", "text is a number"),
        (b'{"id":"7","text":{"a":1}}', "unreadable_row", "7", "text is a object"),
        (b'{"id":[7],"text":"a"}', "unreadable_row", None, "id is a list"),
        (b'{"id":"7","text":"\\ud800"}', "unreadable_row", None, "not JSON"),
    ],
)
def test_a_damaged_line_costs_only_itself(
    line: bytes, reason: str, document_id: str | None, says: str
) -> None:
    read = Rows(b'{"id":"1","text":"a"}\n' + line + b'\n{"id":"3","text":"c"}\n')

    assert [(row[0], row[2]) for row in read.good] == [(0, b"a"), (2, b"c")]
    assert [bad[:3] for bad in read.bad] == [(1, reason, document_id)]
    assert says in read.bad[0][3]


def test_empty_lines_are_no_rows() -> None:
    read = Rows(b'\n{"id":"1","text":"a"}\r\n\r\n{"id":"2","text":"b"}\n \n')

    assert [row[:2] for row in read.good] == [(0, b"1"), (1, b"2")]
    assert read.bad == []


def test_a_missing_or_null_text_is_an_empty_one() -> None:
    together = Rows(b'{"id":"1","text":"a"}\n{"id":"2"}\n{"id":"3","text":null}\n')

    assert [row[2] or b"" for row in together.good] == [b"a", b"", b""]


def test_labels_may_be_lists_or_texts() -> None:
    lists = Rows(b'{"id":"1","text":"a","l":["x","y"]}\n{"id":"2","text":"b","l":[]}\n', label="l")
    texts = Rows(b'{"id":"1","text":"a","l":"x|y"}\n', label="l", delimiter="|")
    mixed = Rows(
        b'{"id":"1","text":"a","l":["x"]}\n{"id":"2","text":"b","l":"y|z"}\n', label="l", delimiter="|"
    )

    assert [row[3] for row in lists.good] == [["x", "y"], []]
    assert [row[3] for row in texts.good] == [b"x|y"]
    assert [row[3] for row in mixed.good] == [["x"], ["y", "z"]]


def test_a_key_that_no_line_has_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(SourceError, match='no column "text"; its columns are: id, body'):
        Rows(b'{"id":"1","body":"a"}\n')


def test_an_empty_file_has_no_documents() -> None:
    assert (Rows(b"").good, Rows(b"\n\n").good) == ([], [])


def test_a_line_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_blocks, "MAX_ROW_BYTES", 1_000)
    monkeypatch.setattr(row_blocks, "CHUNK_BYTES", 100)

    read = Rows(b'{"id":"1","text":"a"}\n{"id":"2","text":"' + b"x" * 5_000 + b'"}\n{"id":"3","text":"c"}\n')

    assert [row[1] for row in read.good] == [b"1", b"3"]
    assert [bad[0] for bad in read.bad] == [1]


VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text(max_size=5)
    | st.lists(st.text(max_size=3))
)


@given(st.lists(st.fixed_dictionaries({"text": VALUES, "id": VALUES, "l": VALUES}), max_size=6))
def test_reading_together_and_one_by_one_agree(lines: list[dict[str, Any]]) -> None:
    data = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    together = Rows(data, label="l", delimiter="|")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lines, "_parse_together", lambda *_: None)
        singly = Rows(data, label="l", delimiter="|")

    assert together.bad == singly.bad
    for one, other in zip(together.good, singly.good, strict=True):
        assert one[0] == other[0]
        assert (one[1] or b"", one[2] or b"") == (other[1], other[2])
        labels = one[3].decode().split("|") if isinstance(one[3], bytes) else one[3] or [""]
        assert [label or "" for label in labels] == (other[3] or [""])
