from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from nightsort.real_time.answers import StoredAnswers, answer_line, failure_line
from nightsort.results.columns import read_prediction_lines, read_predictions
from nightsort.storage import plain_access

if TYPE_CHECKING:
    from pathlib import Path

PLACE = ("a.txt", 7)


def read(*lines: bytes) -> Any:
    (batch,) = read_prediction_lines([b"".join(line + b"\n" for line in lines)])
    return batch


@pytest.mark.parametrize("key", ["Classes", "Labels"])
def test_an_answer_reads_like_a_line_of_a_jobs_output(key: str) -> None:
    answer = {
        key: [{"Name": "é", "Score": 0.9996, "Page": 1}, {"Name": "b", "Score": 0.00014001205272506922}]
    }
    line = answer_line(PLACE, answer)
    assert json.loads(line) == {
        "File": "a.txt",
        "Line": "7",
        key: [{"Name": "é", "Score": 0.9996}, {"Name": "b", "Score": 0.00014001205272506922}],
    }
    found = read(line).predictions.to_pylist()
    assert [(row["file"], row["line"], row["labels"]) for row in found] == [("a.txt", 7, ["é", "b"])]


def test_what_cannot_be_classified_reads_like_a_failed_line_of_a_job() -> None:
    page = {"Errors": [{"Page": 1, "ErrorCode": "PAGE_CHARACTERS_EXCEEDED", "ErrorMessage": "Too many."}]}
    failures = read(
        answer_line(PLACE, page), failure_line(("b", 0), "EMPTY_DOCUMENT", "It is empty.")
    ).failures
    assert [(each.file, each.line, each.reason) for each in failures] == [
        ("a.txt", 7, "error:PAGE_CHARACTERS_EXCEEDED"),
        ("b", 0, "error:EMPTY_DOCUMENT"),
    ]


def test_an_answer_without_labels_is_a_failure_too() -> None:
    assert [each.reason for each in read(answer_line(PLACE, {})).failures] == ["no_labels"]


def test_parts_are_read_back_whoever_wrote_them_and_the_output_replaces_them(tmp_path: Path) -> None:
    folder = f"{tmp_path}/night/"
    one, twin = StoredAnswers(plain_access(), folder), StoredAnswers(plain_access(), folder)
    assert one.read() == {}
    lines = [failure_line(("a", number), "X", "") for number in range(3)]
    one.add(lines[:2])
    twin.add(lines[1:])
    assert one.read() == {("a", number): lines[number] for number in range(3)}
    assert not one.is_complete()
    one.complete(lines)
    assert one.is_complete()
    one.empty_parts()
    assert one.read() == {}
    (batch,) = read_predictions(plain_access().path(one.output_uri), documents=3)
    assert [each.line for each in batch.failures] == [0, 1, 2]
