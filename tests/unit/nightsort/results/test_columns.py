"""What the reader of predictions promises: any bytes, no exception, no object lost; good ones fast."""

from __future__ import annotations

import io
import json
import tarfile
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from nightsort.results.columns import (
    MAX_LINE_BYTES,
    Failure,
    PredictionBatch,
    Unreadable,
    read_prediction_lines,
    read_predictions,
)
from nightsort.results.lines import LineReader, good_label

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENTED = (Path(__file__).parent / "documented_output.txt").read_text(encoding="utf-8").splitlines()
"""The four examples of Comprehend's guide as its page shows them: all objects of a file on one line, and in
the last of them a curly quote in place of a straight one."""


def line(file: str = "a.txt", number: Any = "0", key: str = "Classes", **more: Any) -> dict[str, Any]:
    row = {
        "File": file,
        "Line": number,
        key: [{"Name": "BUG", "Score": 0.9}, {"Name": "OTHER", "Score": 0.1}],
    }
    return {name: value for name, value in {**row, **more}.items() if value is not None}


def read(content: bytes | str, chunk: int = 1 << 20) -> list[PredictionBatch]:
    raw = content.encode() if isinstance(content, str) else content
    return list(read_prediction_lines(raw[start : start + chunk] for start in range(0, len(raw), chunk)))


def rows(batches: list[PredictionBatch]) -> list[tuple[str, int | None, list[str], list[float]]]:
    return [tuple(row.values()) for batch in batches for row in batch.predictions.to_pylist()]


def failures(batches: list[PredictionBatch]) -> list[Failure]:
    return [failure for batch in batches for failure in batch.failures]


def unreadable(batches: list[PredictionBatch]) -> list[Unreadable]:
    return [piece for batch in batches for piece in batch.unreadable]


class TestGoodOutput:
    def test_an_archive_is_read_as_comprehend_writes_it(self, tmp_path: Path) -> None:
        content = "".join(json.dumps(line(number=str(n))) + "\n" for n in range(3)).encode()
        path = tmp_path / "output.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            member = tarfile.TarInfo("predictions.jsonl")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        expected = [("a.txt", n, ["BUG", "OTHER"], [0.9, 0.1]) for n in range(3)]
        assert rows(list(read_predictions(UPath(path)))) == expected
        with path.open("rb") as stream:
            assert rows(list(read_predictions(stream))) == expected

    def test_it_takes_the_fast_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        content = "".join(json.dumps(line(number=str(n), file="ü.txt")) + "\n" for n in range(5_000))
        monkeypatch.setattr(LineReader, "read", lambda *_: pytest.fail("read line by line"))
        assert len(rows(read(content))) == 5_000

    @pytest.mark.parametrize("key", ["Classes", "Labels"])
    def test_multi_class_and_multi_label(self, key: str) -> None:
        assert rows(read(json.dumps(line(key=key)))) == [("a.txt", 0, ["BUG", "OTHER"], [0.9, 0.1])]

    @pytest.mark.parametrize(("number", "expected"), [("7", 7), (7, 7), ("007", 7), (None, None)])
    def test_line_may_be_a_string_or_a_number_or_absent(self, number: Any, expected: int | None) -> None:
        assert rows(read(json.dumps(line(number=number)))) == [
            ("a.txt", expected, ["BUG", "OTHER"], [0.9, 0.1])
        ]

    def test_labels_are_best_first_whatever_their_order(self) -> None:
        mixed = [{"Name": n, "Score": s} for n, s in (("A", 0.1), ("B", 0.7), ("C", 0.2), ("D", 0.7))]
        (row,) = rows(read(json.dumps(line(Classes=mixed))))
        assert row[2:] == (["B", "D", "C", "A"], [0.7, 0.7, 0.2, 0.1])

    @pytest.mark.parametrize("chunk", [1, 7, 64, 1_000])
    def test_the_size_of_the_pieces_does_not_matter(self, chunk: int) -> None:
        content = "".join(json.dumps(line(number=str(n))) + "\n" for n in range(20)).rstrip("\n")
        assert [row[1] for row in rows(read(content, chunk))] == list(range(20))

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", "\r"])
    def test_any_line_end(self, end: str) -> None:
        assert [row[1] for row in rows(read(end.join(json.dumps(line(number=n)) for n in range(3))))] == [
            0,
            1,
            2,
        ]

    def test_a_byte_order_mark_is_no_content(self) -> None:
        assert len(rows(read(b"\xef\xbb\xbf" + json.dumps(line()).encode()))) == 1

    def test_nothing_gives_nothing(self) -> None:
        assert sum(batch.results for batch in read(b"")) == 0
        assert sum(batch.results for batch in read(b"\n \n\r\n")) == 0


class TestTheDocumentedExamples:
    """Exactly the lines of Comprehend's own guide."""

    @pytest.mark.parametrize(
        ("example", "files", "lines", "best"),
        [
            (0, ["file1.txt"] * 2 + ["file2.txt"] * 2, [0, 1, 2, 3], "Documentary"),
            (1, [f"file{n}.txt" for n in range(4)], [None] * 4, "Documentary"),
            (2, ["file1.txt"] * 4, [0, 1, 2, 3], "Action"),
            (3, [f"file{n}.txt" for n in range(3)], [None] * 3, "Action"),
        ],
    )
    def test_every_object_on_the_line_is_a_prediction(
        self, example: int, files: list[str], lines: list[int | None], best: str
    ) -> None:
        batches = read(DOCUMENTED[example])
        found = rows(batches)
        assert [row[0] for row in found] == files
        assert [row[1] for row in found] == lines
        assert found[0][2][0] == best
        assert [piece.problem for piece in unreadable(batches)] == ["not JSON"] * (4 - len(files))

    def test_an_object_with_a_curly_quote_is_counted_as_unreadable(self) -> None:
        assert "\u201d" in DOCUMENTED[3]
        batches = read(DOCUMENTED[3] + "\n" + json.dumps(line()))
        assert [piece.number for piece in unreadable(batches)] == [1]
        assert [row[0] for row in rows(batches)] == ["file0.txt", "file1.txt", "file2.txt", "a.txt"]

    def test_all_of_them_in_one_file(self) -> None:
        batches = read("\n".join(DOCUMENTED))
        assert len(rows(batches)) == 15
        assert len(unreadable(batches)) == 1

    def test_a_label_with_a_curly_quote_of_its_own_keeps_it(self) -> None:
        name = "say \u201chello\u201d"
        row = line(Classes=[{"Name": name, "Score": 0.9}])
        batches = read(json.dumps(row, ensure_ascii=False) + " " + DOCUMENTED[3])
        assert rows(batches)[0][2] == [name]
        assert len(rows(batches)) == 4


class TestFailures:
    @pytest.mark.parametrize("number", [3, "3"])
    def test_an_error_line_is_a_failure_with_its_code(self, number: Any) -> None:
        error = line(number=number, ErrorCode="DOCUMENT_SIZE_EXCEEDED", ErrorMessage="Too long", Classes=None)
        batches = read(json.dumps(line()) + "\n" + json.dumps(error))
        assert failures(batches) == [Failure("a.txt", 3, "error:DOCUMENT_SIZE_EXCEEDED", "Too long")]
        assert len(rows(batches)) == 1

    @pytest.mark.parametrize("classes", [None, []])
    def test_no_labels_is_a_failure(self, classes: Any) -> None:
        assert failures(read(json.dumps({"File": "a.txt", "Line": "1", "Labels": classes}))) == [
            Failure("a.txt", 1, "no_labels")
        ]

    @pytest.mark.parametrize("code", ["a b\nc", "", 7, "x" * 101])
    def test_a_code_that_is_no_code_never_reaches_the_table(self, code: Any) -> None:
        assert failures(read(json.dumps(line(ErrorCode=code))))[0].reason == "error:UNNAMED"


class TestUnreadable:
    @pytest.mark.parametrize(
        ("raw", "problem"),
        [
            (b"not json", "not JSON"),
            (b"[1, 2]", "not an object"),
            (b"null", "not an object"),
            (b"17", "not an object"),
            (b'{"Line": "0", "Classes": []}', "without File"),
            (b'{"File": "", "Line": "0", "Classes": []}', "without File"),
            (b'{"File": 3, "Line": "0", "Classes": []}', "without File"),
            (b'{"File": "a.txt", "Line": "-1", "Classes": []}', "Line is not a line number"),
            (b'{"File": "a.txt", "Line": "one", "Classes": []}', "Line is not a line number"),
            (b'{"File": "a.txt", "Line": true, "Classes": []}', "Line is not a line number"),
            (b'{"File": "a.txt", "Line": "' + b"9" * 30 + b'", "Classes": []}', "Line is not a line number"),
            (b'{"File": "a.txt", "Line": "0", "Classes": {"Name": "A"}}', "not a list"),
            (b'{"File": "a.txt", "Line": "0", "Classes": ["A"]}', "without Name"),
            (b'{"File": "a.txt", "Line": "0", "Classes": [{"Score": 0.5}]}', "without Name"),
            (b'{"File": "a.txt", "Line": "0", "Classes": [{"Name": "", "Score": 0.5}]}', "without Name"),
            (
                b'{"File": "a.txt", "Line": "0", "Classes": [{"Name": "A\\u0000", "Score": 0.5}]}',
                "without Name",
            ),
            (b'{"File": "a.txt", "Line": "0", "Classes": [{"Name": "A"}]}', "between 0 and 1"),
            (
                b'{"File": "a.txt", "Line": "0", "Classes": [{"Name": "A", "Score": "0.5"}]}',
                "between 0 and 1",
            ),
            (b'{"File": "a.txt", "Line": "0", "Classes": [{"Name": "A", "Score": true}]}', "between 0 and 1"),
            (b'{"File": "a.txt", "Line": "0", "Classes": [{"Name": "A", "Score": 1.5}]}', "between 0 and 1"),
            (
                b'{"File": "a.txt", "Line": "0", "Classes": [{"Name": "A", "Score": -1e-9}]}',
                "between 0 and 1",
            ),
            (b'{"File": "a.txt", "Line": "0", "Classes": [{"Name": "A", "Score": NaN}]}', "not strict JSON"),
            (
                b'{"File": "a.txt", "Line": "0", "Classes": [{"Name": "\\ud800", "Score": 0.5}]}',
                "not strict JSON",
            ),
            (
                b'{"File": "a.txt", "Line": "0", "Classes": [{"Name": "\xff", "Score": 0.5}]}',
                "not valid UTF-8",
            ),
            (b'{"File": "a.txt", "Line": "0", "Cla', "not JSON"),
        ],
    )
    def test_it_is_counted_with_its_line_and_what_is_wrong(self, raw: bytes, problem: str) -> None:
        good = json.dumps(line()).encode()
        batches = read(good + b"\n" + raw + b"\n" + good)
        (piece,) = unreadable(batches)
        assert piece.number == 2
        assert problem in piece.problem
        assert len(rows(batches)) == 2

    def test_file_and_line_are_made_out_where_they_can_be(self) -> None:
        (piece,) = unreadable(read(b'{"File": "a.txt", "Line": "12", "Classes": [{"Na'))
        assert (piece.file, piece.line) == ("a.txt", 12)

    def test_what_is_wrong_never_quotes_the_content(self) -> None:
        batches = read(b'{"File": "a.txt", "secret": "the whole document", oops}\nthe whole document')
        assert "document" not in " ".join(piece.problem for piece in unreadable(batches))

    def test_good_objects_around_a_broken_one_on_the_same_line_are_kept(self) -> None:
        good = json.dumps(line())
        batches = read(f'{good} {{"File": "a.txt", "Line": "5", "Classes": [}} {good}{good}')
        assert len(rows(batches)) == 3
        assert [(piece.file, piece.line) for piece in unreadable(batches)] == [("a.txt", 5)]

    def test_a_line_without_end_costs_no_memory(self) -> None:
        good = json.dumps(line()).encode()
        chunk = b"x" * 1_000_000

        def chunks() -> Iterator[bytes]:
            yield good + b"\n"
            for _ in range(100):
                yield chunk
            yield b"\n" + good + b"\n" + good

        tracemalloc.start()
        try:
            batches = list(read_prediction_lines(chunks()))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 3 * MAX_LINE_BYTES
        assert len(rows(batches)) == 3
        assert [(piece.number, "longer than" in piece.problem) for piece in unreadable(batches)] == [
            (2, True)
        ]

    def test_deep_nesting_is_no_way_in(self) -> None:
        batches = read(b'{"File":' + b"[" * 100_000 + b"\n" + b"[" * 100_000)
        assert len(unreadable(batches)) == 2


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(good_label)
SCORES = st.floats(0, 1).map(abs)
ENTRIES = st.lists(st.tuples(NAMES, SCORES), min_size=1, max_size=3).map(
    lambda entries: [
        {"Name": name, "Score": score} for name, score in sorted(entries, key=lambda entry: -entry[1])
    ]
)


def written_by_comprehend(key: str, numbered: bool) -> st.SearchStrategy[list[dict[str, Any]]]:
    members = {"File": NAMES, "Line": st.integers(0, 10**18 - 1).map(str), key: ENTRIES}
    order = [member for member in members if numbered or member != "Line"]
    row = st.tuples(*(members[member] for member in order)).map(
        lambda values: dict(zip(order, values, strict=True))
    )
    return st.lists(row, min_size=1, max_size=4)


class TestBothWaysAgree:
    """A block is read alike as columns and line by line, which one line that is no object brings about."""

    @staticmethod
    def check(content: bytes) -> None:
        by_columns, line_by_line = read(content), read(content + b"\nnull")
        assert rows(by_columns) == rows(line_by_line)
        assert failures(by_columns) == failures(line_by_line)
        assert unreadable(by_columns) == unreadable(line_by_line)[:-1]

    @settings(max_examples=200)
    @given(st.sampled_from(["Classes", "Labels"]), st.booleans(), st.sampled_from(["\n", "\r\n"]), st.data())
    def test_on_lines_of_comprehend_of_which_none_is_read_by_itself(
        self, key: str, numbered: bool, end: str, data: st.DataObject
    ) -> None:
        found = data.draw(written_by_comprehend(key, numbered))
        content = end.join(json.dumps(one) for one in found).encode()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LineReader, "read", lambda *_: pytest.fail("read line by line"))
            assert len(rows(read(content))) == len(found)
        self.check(content)

    # 200 blocks of up to four lines: 1 s.
    @settings(max_examples=200)
    @given(st.data())
    def test_on_lines_like_those_of_comprehend(self, data: st.DataObject) -> None:
        names = st.text(max_size=12) | st.sampled_from(["BUG", "\ud800", "\0", "\u2028"])
        scores = st.floats(0, 1) | st.sampled_from([0, 1, -0.0, 0.5, 1.0001, 5e-324, None, "0.5", True])
        entry = st.fixed_dictionaries({"Name": names, "Score": scores})
        row = st.fixed_dictionaries(
            {
                "File": names,
                "Line": st.integers(0, 10**19).map(str) | st.sampled_from(["-0", "+1", " 1", "", 1]),
            },
            optional={
                "Classes": st.lists(entry, max_size=3).map(
                    lambda e: sorted(e, key=lambda x: str(x["Score"]))[::-1]
                ),
                "Labels": st.none() | st.lists(entry, max_size=3),
                "ErrorCode": st.none() | st.just("X"),
                "Extra": st.integers(),
            },
        )
        found = data.draw(st.lists(row, max_size=4))
        joint = data.draw(st.sampled_from(["\n", "", " ", "\n\n", "\r\n"]))
        self.check(joint.join(json.dumps(one) for one in found).encode())

    @pytest.mark.parametrize(
        "block",
        [
            b'{"File":"a","Line":"0","Classes":[{"Name":"A","Name":"B","Score":0.5}]}',
            b'{"File":"a","File":"b","Line":"0","Classes":[{"Name":"A","Score":0.5}]}',
            b'{"File":"a","Line":"0","Classes":[{"Name":"A","Score":0.5}],"Classes":[]}',
            b'{"File":"a","Line":"0","Classes":[{"Name":"\\udc00","Score":0.5}]}',
            b'{"File":"a\\udc00","Line":"0","Classes":[{"Name":"A","Score":0.5}]}',
            b'{"File":"a","Line":"0","Classes":[{"Name":"A","Score":0.5}],"x":"\xff"}',
            b'{"File":"a","Line":"0","Classes":[{"Name":"A","Score":0.5}]} 7',
            b'{"File":"a","Line":"0","Classes":[{"Name":"A","Score":01}]}',
            b'{"File":"a","Line":"0","Classes":[{"Name":"A","Score":0.5},]}',
            b'{"File":"a","Line":"0","Classes":[null]}',
            b'/* c */{"File":"a","Line":"0","Classes":[{"Name":"A","Score":0.5}]}',
            b"{'File':'a','Line':'0','Classes':[{'Name':'A','Score':0.5}]}",
            b'null\n{"File":"a","Line":"0","Classes":[{"Name":"A","Score":0.5}]}',
            b'{"File":"a","Line":"0","Classes":[{"Name":"A","Score":0.5}]}\nnull',
            b"null",
        ],
    )
    def test_on_oddities_of_json(self, block: bytes) -> None:
        self.check(block)


# 200 outputs of up to twelve pieces, cut anywhere: 1 s.
@settings(max_examples=200)
@given(
    st.lists(
        st.binary(max_size=80)
        | st.sampled_from([json.dumps(line()).encode(), DOCUMENTED[0].encode(), DOCUMENTED[3].encode()])
        | st.sampled_from([b"{", b"}", b'{"File":', b'"', "\u201c".encode(), b"[", b"\n", b" ", b"\\"]),
        max_size=12,
    ),
    st.integers(1, 200),
)
def test_any_bytes_never_an_exception_and_never_a_lost_line(pieces: list[bytes], chunk: int) -> None:
    """Every line that is not blank leaves at least one result; a whole line of Comprehend's is never lost."""
    content = b"\n".join(pieces)
    batches = read(content, chunk)
    lines = [raw for raw in content.removeprefix(b"\xef\xbb\xbf").split(b"\n") if raw.strip(b" \t\r\n")]
    assert sum(batch.results for batch in batches) >= len(lines)
    whole = [raw for raw in content.split(b"\n") if raw == json.dumps(line()).encode()]
    assert len(rows(batches)) >= len(whole)


@given(st.data())
def test_a_byte_changed_anywhere_loses_no_other_line(data: st.DataObject) -> None:
    content = bytearray("\n".join(json.dumps(line(number=str(n))) for n in range(10)).encode())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    batches = read(bytes(content))
    hit = content[:place].count(b"\n")
    kept = {row[1] for row in rows(batches)}
    assert kept >= {n for n in range(10) if abs(n - hit) > 1}
