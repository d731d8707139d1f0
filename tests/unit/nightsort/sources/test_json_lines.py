"""JSON Lines: each line has one fate, whatever stands beside it, and whichever way it is read."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nightsort.sources import json_layouts, json_lines, row_blocks
from nightsort.sources.json_lines import read_json_lines
from nightsort.sources.labels import LabelReader
from nightsort.sources.row_blocks import ColumnSelection
from nightsort.sources.source_files import SourceError, SourceFile


class Rows:
    """The rows of files: each either with its columns or with what is wrong with it."""

    def __init__(
        self,
        *files: bytes,
        text: str = "text",
        id_: str = "id",
        label: str | None = None,
        delimiter: str | None = None,
    ) -> None:
        self.good: list[tuple[int, Any, Any, Any]] = []
        self.bad: list[tuple[int, str, str | None, str]] = []
        opened = [(SourceFile("s3://b/x.jsonl", "x.jsonl"), io.BytesIO(data)) for data in files]
        selection = ColumnSelection(text, id_, label, label_delimiter=delimiter)
        for rows in read_json_lines(opened, selection):
            self.bad += [(bad.row, bad.reason, bad.document_id, bad.detail) for bad in rows.bad]
            if rows.ids is not None:
                columns = (rows.ids.to_pylist(), rows.texts.to_pylist(), self._labels(rows.labels, delimiter))
                self.good += [
                    (row, id_ or b"", text or b"", labels)
                    for row, id_, text, labels in zip(rows.rows.tolist(), *columns, strict=False)
                ]

    @staticmethod
    def _labels(column: Any, delimiter: str | None) -> list[Any]:
        if column is None:
            return [None] * 1_000_000
        mode = "MULTI_CLASS" if delimiter is None else "MULTI_LABEL"
        labels, reasons = LabelReader(mode, delimiter).read(column)
        found: list[Any] = labels.to_pylist()
        for reason, rows in reversed(reasons.items()):
            found = [reason if hit else label for hit, label in zip(rows, found, strict=True)]
        return found

    @property
    def fates(self) -> list[tuple[Any, ...]]:
        """What becomes of each row, in order, without its number."""
        good = {row: rest for row, *rest in self.good}
        bad = {row: rest for row, *rest in self.bad}
        assert len(good) + len(bad) == len(self.good) + len(self.bad)
        assert sorted({**good, **bad}) == list(range(len(good) + len(bad)))
        return [tuple({**good, **bad}[row]) for row in range(len(good) + len(bad))]


def test_keys_in_any_order_with_others_between() -> None:
    assert Rows(b'{"x":{"y":[1]},"text":"a","id":"1"}\n{"id":"2","z":null,"text":"b"}').good == [
        (0, b"1", b"a", None),
        (1, b"2", b"b", None),
    ]


def test_whole_numbers_are_ids_whether_or_not_texts_are_among_them() -> None:
    assert [row[1] for row in Rows(b'{"id":1,"text":"a"}\n{"id":22,"text":"b"}\n').good] == [b"1", b"22"]
    assert [row[1] for row in Rows(b'{"id":1,"text":"a"}\n{"id":"x","text":"b"}\n').good] == [b"1", b"x"]


@pytest.mark.parametrize("number", ["9223372036854775808", "-18446744073709551616", "1" * 60])
def test_a_whole_number_of_any_size_is_an_id_as_it_is_written(number: str) -> None:
    line = f'{{"id":{number},"text":"a"}}\n'.encode()

    assert [row[1] for row in Rows(line).good] == [number.encode()]
    assert [row[1] for row in Rows(line + b'{"id":1,"text":"b"}\n').good] == [number.encode(), b"1"]


def test_ids_that_look_like_dates_stay_as_they_are() -> None:
    assert Rows(b'{"id":"2026-11-18","text":"a"}\n').good[0][1] == b"2026-11-18"


@pytest.mark.parametrize(
    ("line", "reason", "document_id", "says"),
    [
        (b'{"id":"7","text":', "unreadable_row", None, "not JSON: the line ends too early, after 17 bytes"),
        (b'{"id":"7","text":"a","x":}', "unreadable_row", None, "not JSON: byte 25 of the line"),
        (b'{"id":"7","text":"a"} x', "unreadable_row", None, "not JSON: byte 22 of the line"),
        (b'{"id":"7","text":"a"}}', "unreadable_row", None, "not JSON: byte 21 of the line"),
        (b'{"id":"7","text":"a\x00"}', "unreadable_row", None, "not JSON: byte 17 of the line"),
        (b"invoice", "unreadable_row", None, "not JSON: byte 0 of the line"),
        (b'{"id":"7","text":"\xff","x":}', "invalid_utf8", None, "not UTF-8"),
        (b'["7","a"]', "unreadable_row", None, "a list, not an object"),
        (b'"a"', "unreadable_row", None, "a text, not an object"),
        (b"5", "unreadable_row", None, "a whole number, not an object"),
        (b"null", "unreadable_row", None, "null, not an object"),
        (b'{"id":"7","text":5}', "unreadable_row", "7", "text is a whole number, not a text"),
        (b'{"id":"7","text":5e3}', "unreadable_row", "7", "text is a number that is not whole, not a text"),
        (b'{"id":"7","text":{"a":1}}', "unreadable_row", "7", "text is an object, not a text"),
        (b'{"id":"7","text":true}', "unreadable_row", "7", "text is true or false, not a text"),
        (b'{"id":[7],"text":"a"}', "unreadable_row", None, "id is a list"),
        (b'{"id":1.5,"text":"a"}', "unreadable_row", None, "id is a number that is not whole"),
        (b'{"id":NaN,"text":"a"}', "unreadable_row", None, "id is a number that is not whole"),
        (b'{"id":"7","text":"\\ud800"}', "unreadable_row", "7", "text with half of a surrogate pair"),
    ],
)
def test_a_damaged_line_costs_only_itself(
    line: bytes, reason: str, document_id: str | None, says: str
) -> None:
    read = Rows(b'{"id":"1","text":"a"}\n' + line + b'\n{"id":"3","text":"c"}\n')

    assert [(row[0], row[2]) for row in read.good] == [(0, b"a"), (2, b"c")]
    assert [bad[:3] for bad in read.bad] == [(1, reason, document_id)]
    assert says in read.bad[0][3]


UNREAD = {
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "a huge number": b"1e99999",
    "many digits": b"7" * 10_000,
    "no UTF-8": b'"\xff\xc3"',
    "half of a surrogate pair": b'"\\ud83d"',
    "a deep list": b"[" * 30_000 + b"]" * 30_000,
    "deep objects": b'{"a":' * 30_000 + b"1" + b"}" * 30_000,
    "an object": b'{"a":[{"text":"no"},{"id":"no"}]}',
    "a key twice": b'{"a":1,"a":"x"},"x":5',
    "a list": b"[1,null,true]",
    "brackets in a text": b'"}{\\"[\\\\"',
}


@pytest.mark.parametrize("value", UNREAD.values(), ids=UNREAD)
@pytest.mark.parametrize("beside", [b"", b'{"id":"0","text"\n', b"\n \n", b'{"id":"0","x":1,"text":"a"}\n'])
def test_a_value_that_is_not_read_costs_nothing(value: bytes, beside: bytes) -> None:
    line = b'{"id":"7","x":%b,"text":"b"}\n' % value
    others = [fate for fate in Rows(beside).fates if beside.strip()]

    assert Rows(line).fates == [(b"7", b"b", None)]
    assert Rows(beside + line).fates == [*others, (b"7", b"b", None)]
    assert Rows(line + beside).fates == [(b"7", b"b", None), *others]


ODD_LINES = [
    b'{"id":"1","text":"plain","l":"x"}',
    b'{"id":2,"text":"number","l":5}',
    b'{"id":-0,"text":"zero","l":true}',
    b'{"id":123456789012345678901234567890,"text":"large","l":["a",1,false,null]}',
    b'{"id":"3","text":"nan","x":NaN,"l":null}',
    b'{"id":"4","text":"infinity","x":[-Infinity,Infinity,Inf,-NaN]}',
    b'{"id":"5","text":"bytes","x":"\xff"}',
    b'{"id":"6","text":"\xff"}',
    b'{"id":"\xff","text":"bytes"}',
    b'{"id":"7","text":"bytes","l":"\xff|a"}',
    b'{"id":"7","text":"bytes","l":["a","\xc3"]}',
    b'{"id":"8","text":"deep","x":' + b"[" * 2_000 + b"]" * 2_000 + b"}",
    b'{"id":"9","text":"first","text":"second"}',
    b'{"id":"10","id":11,"text":"twice"}',
    b'{"id":"12","\\u0074ext":"escaped"}',
    b'{"id":"13","text":"\\ud83d"}',
    b'{"id":"13","text":"\\udc80"}',
    b'{"id":"13","text":"\\ud83d\\ude00"}',
    b'{"id":"13","text":"a","x":"\\udc80\\ud83d"}',
    b'{"id":"14"}',
    b'{"text":"nameless"}',
    b'{"id":null,"text":null}',
    b'{"id":"15","text":["a"]}',
    b'{"id":"16","text":{"a":"b"}}',
    b'{"id":"17","text":"a","l":1.5}',
    b'{"id":"17","text":"a","l":NaN}',
    b'{"id":"17","text":"a","l":{"a":1}}',
    b'{"id":"17","text":"a","l":[["a"]]}',
    b'{"id":true,"text":"a"}',
    b'{"id":"18","text":"a"} ',
    b'  {"id":"18","text":"a"}',
    b'{"id":"18","text":"a"}\r',
    b'{"id":"18","text":"a"}{"id":"19","text":"b"}',
    b'{"id":"18","text":"a"} {"id":"19","text":"b"',
    b'{"id":"18","text":}{"id":"19","text":"b"}{"id":"20","text":"c"}',
    b'[{"id":"18","text":"a"},{"id":"19","text":"b"}]',
    b'[{"id":"18","text":"a"},{"id":"19","te',
    b'{"id":"18","text":"a"},',
    b'{"id":"18","text":"a"}}',
    b'{"id":"18","text":"a"}]',
    b'\x1e{"id":"18","text":"a"}',
    b'\xef\xbb\xbf{"id":"18","text":"a"}',
    b'{"id":"18","text":"a"}\x00',
    b"[", b"]", b"{", b"}", b"{}", b"[]", b"", b" ", b"\r", b"\x00", b"null", b'"a"', b"\xff", b"NaN",
]  # fmt: skip
BROKEN = b'{"id":"0","text":"b'


def fates(*lines: bytes) -> list[tuple[Any, ...]]:
    # The line at the end has every key, so that the file is not one without them.
    data = b"\n".join([*lines, b'{"id":"z","text":"z","l":"z"}'])
    return Rows(data, label="l", delimiter="|").fates[:-1]


@pytest.mark.parametrize("line", ODD_LINES, ids=[ascii(line[:60]) for line in ODD_LINES])
def test_the_fate_of_a_line_depends_on_that_line_alone(line: bytes) -> None:
    expected = fates(line)
    broken = fates(BROKEN)

    assert fates(line, BROKEN) == expected + broken
    assert fates(BROKEN, line) == broken + expected
    for other in ODD_LINES:
        assert fates(line, other) == expected + fates(other)
        assert fates(other, b"", line, other) == fates(other) + expected + fates(other)


@given(st.lists(st.sampled_from(ODD_LINES), max_size=8))
def test_a_file_has_the_fates_of_its_lines_in_any_order(lines: list[bytes]) -> None:
    assert fates(*lines) == [fate for line in lines for fate in fates(line)]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.text(st.characters(min_codepoint=0xD700, max_codepoint=0xE000), max_size=3)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
OBJECTS = st.dictionaries(st.sampled_from(["text", "id", "l", "x"]), VALUES | st.text(), max_size=4)
LINES = OBJECTS.map(lambda value: json.dumps(value, ensure_ascii=True).encode())


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A line in which one byte is another, or is gone, or from which something is cut off."""
    line = bytearray(draw(LINES))
    at = draw(st.integers(0, len(line) - 1))
    line[at : at + draw(st.integers(0, 2))] = draw(st.sampled_from([b"", b"\xff", b"}", b'"', b",", b"\\"]))
    return bytes(line)


@given(st.lists(LINES | damaged(), max_size=4))
@example([b'{"text": "a", "id": "1"}}', b'{"text": "b", "id": "2"}'])
def test_reading_together_and_one_by_one_agree(lines: list[bytes]) -> None:
    assert fates(*lines) == [fate for line in lines for fate in fates(line)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lines, "_parse_together", lambda *_: None)
        singly = fates(*lines)

    assert fates(*lines) == singly


def test_empty_lines_are_no_rows() -> None:
    read = Rows(b'\n{"id":"1","text":"a"}\r\n\r\n{"id":"2","text":"b"}\n \n')

    assert [row[:2] for row in read.good] == [(0, b"1"), (1, b"2")]
    assert read.bad == []


def test_a_missing_or_null_text_is_an_empty_one() -> None:
    together = Rows(b'{"id":"1","text":"a"}\n{"id":"2"}\n{"id":"3","text":null}\n')

    assert [row[2] for row in together.good] == [b"a", b"", b""]


def test_labels_may_be_lists_or_texts() -> None:
    lists = Rows(
        b'{"id":"1","text":"a","l":["x","y"]}\n{"id":"2","text":"b","l":[]}\n', label="l", delimiter="|"
    )
    texts = Rows(b'{"id":"1","text":"a","l":"x|y"}\n', label="l", delimiter="|")
    mixed = Rows(
        b'{"id":"1","text":"a","l":["x"]}\n{"id":"2","text":"b","l":"y|z"}\n', label="l", delimiter="|"
    )

    assert [row[3] for row in lists.good] == [["x", "y"], "no_label"]
    assert [row[3] for row in texts.good] == [["x", "y"]]
    assert [row[3] for row in mixed.good] == [["x"], ["y", "z"]]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("true", "true"),
        ("false", "false"),
        ("5", "5"),
        ("-1", "-1"),
        ('["true"]', "true"),
        ("[true]", "true"),
    ],
)
@pytest.mark.parametrize("other", ["true", '"x"', "1"])
def test_a_label_of_true_or_a_whole_number_is_the_label_as_json_writes_it(
    label: str, expected: str, other: str
) -> None:
    lines = f'{{"id":"1","text":"a","l":{label}}}\n{{"id":"2","text":"b","l":{other}}}\n'.encode()

    assert [row[3] for row in Rows(lines, label="l").good] == [[expected], [other.strip('"')]]


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("1.5", "l is a number that is not whole; a label is a text, a whole number, true or false"),
        ("NaN", "l is a number that is not whole; a label is"),
        ('{"a":1}', "l is an object; a label is"),
        ('["a",{"b":1}]', "l holds an object; a label is"),
        ('[["a"]]', "l holds a list; a label is"),
        ("[2.5]", "l holds a number that is not whole; a label is"),
    ],
)
def test_what_cannot_be_a_label_is_named_with_the_row(label: str, says: str) -> None:
    read = Rows(f'{{"id":"7","text":"a","l":{label}}}\n'.encode(), label="l")

    assert [bad[:3] for bad in read.bad] == [(0, "unreadable_row", "7")]
    assert read.bad[0][3].startswith(says)


@pytest.mark.parametrize("label", ["null", '""', "[]", "[null]"])
def test_null_is_no_label(label: str) -> None:
    line = f'{{"id":"7","text":"a","l":{label}}}\n'.encode()

    assert [row[3] for row in Rows(line, label="l").good] == ["no_label"]


class TestNestedKeys:
    def test_a_dot_leads_into_an_object(self) -> None:
        data = (
            b'{"meta":{"id":"1","x":5},"payload":{"body":{"text":"a"},"l":["x"]}}\n'
            b'{"payload":{"l":["y"],"body":{"text":"b"}},"meta":{"id":"2"}}\n'
        )

        read = Rows(data, text="payload.body.text", id_="meta.id", label="payload.l")

        assert read.good == [(0, b"1", b"a", ["x"]), (1, b"2", b"b", ["y"])]

    @pytest.mark.parametrize(
        "line",
        [
            b'{"id":"1","p":{"q":"no"},"p.q":"a"}',
            b'{"id":"1","p.q":"a","p":{"q":5}}',
            b'{"id":"1","p.q":"a"}',
            b'{"id":"1","p\\u002eq":"a","p":{"q":"no"}}',
            b'{"id":"1","\\u0070.q":"a","p":{"q":"no"}}',
        ],
    )
    @pytest.mark.parametrize("other", [b'{"id":"2","p":{"q":"b"}}', b'{"id":"2","p.q":"b"}'])
    def test_a_key_that_has_the_dot_itself_counts_first(self, line: bytes, other: bytes) -> None:
        for lines in ([line, other], [line, b"{", other], [line, b"", other]):
            read = Rows(b"\n".join(lines), text="p.q")

            assert [row[1:3] for row in read.good] == [(b"1", b"a"), (b"2", b"b")]

    def test_a_key_with_a_dot_inside_of_an_object(self) -> None:
        data = b'{"id":"1","p":{"q.r":"a"}}\n{"id":"2","p":{"q":{"r":"b"}}}\n'

        assert [row[2] for row in Rows(data, text="p.q.r").good] == [b"a", b"b"]

    @pytest.mark.parametrize("parent", ["null", '"x"', "[]", "5", "{}", '{"r":1}'])
    def test_without_it_the_text_is_empty(self, parent: str) -> None:
        odd = f'{{"id":"1","p":{parent}}}\n'.encode()

        assert [row[2] for row in Rows(odd + b'{"id":"2","p":{"q":"b"}}', text="p.q").good] == [b"", b"b"]

    def test_a_column_inside_of_another_is_read_too(self) -> None:
        read = Rows(b'{"p":"a"}\n{"p":{"q":"2"}}\n{"p":"c"}\n', text="p", id_="p.q")

        assert [row[:3] for row in read.good] == [(0, b"", b"a"), (2, b"", b"c")]
        assert [bad[2:] for bad in read.bad] == [("2", "p is an object, not a text")]

    def test_the_error_names_nested_keys(self) -> None:
        with pytest.raises(SourceError, match=r"its columns are: id, payload, payload\.body"):
            Rows(b'{"id":"1","payload":{"body":"a"}}\n', text="payload.text")


class TestKeysThatAreMissing:
    def test_a_key_that_no_line_has_is_an_error_that_names_those_there_are(self) -> None:
        with pytest.raises(SourceError, match='no column "text"; its columns are: id, body'):
            Rows(b'{"id":"1","body":"a"}\n')

    def test_one_row_that_has_it_is_enough_wherever_it_is(self) -> None:
        without = b'{"id":"1"}\n' * 300
        with_it = b'{"id":"2","text":"b"}\n'

        for files in ([without + with_it], [with_it + without], [without, with_it], [with_it, without]):
            assert len(Rows(*files).good) == 301

    def test_a_file_of_broken_lines_has_rejects_and_no_error(self) -> None:
        assert len(Rows(b"{\n{\n").bad) == 2


def test_an_empty_file_has_no_documents() -> None:
    assert (Rows(b"").good, Rows(b"\n\n").good) == ([], [])


def test_a_line_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch)

    read = Rows(b'{"id":"1","text":"a"}\n{"id":"2","text":"' + b"x" * 5_000 + b'"}\n{"id":"3","text":"c"}\n')

    assert [row[1] for row in read.good] == [b"1", b"3"]
    assert [bad[0] for bad in read.bad] == [1]


def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in parts of 100 bytes, and rows of at most 1,000."""
    for module in (row_blocks, json_layouts):
        monkeypatch.setattr(module, "MAX_ROW_BYTES", 1_000)
        monkeypatch.setattr(module, "CHUNK_BYTES", 100)
