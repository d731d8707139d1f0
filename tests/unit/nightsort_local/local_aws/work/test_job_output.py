"""Output lines and archives look as the real ones do."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING

import numpy as np

from nightsort_local.local_aws.work.job_input import Document
from nightsort_local.local_aws.work.job_output import (
    CONFUSION_MATRIX,
    PREDICTIONS,
    PredictionLines,
    error_line,
    write_archive,
)

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = np.array([[1, 2, 0]])
SCORES = np.array([[0.9311, 0.0412, 0.0104]])
LABELS = ("BILLING", "BUG", 'SAY "HÉ"')


def test_a_line_is_byte_for_byte_that_of_the_service() -> None:
    (line,) = PredictionLines("MULTI_CLASS", LABELS).format([Document("t.txt", 0, "x")], COLUMNS, SCORES)
    assert line == (
        '{"File": "t.txt", "Line": "0", "Classes": [{"Name": "BUG", "Score": 0.9311}, '
        '{"Name": "SAY \\"H\\u00c9\\"", "Score": 0.0412}, {"Name": "BILLING", "Score": 0.0104}]}\n'
    )


def test_multi_label_has_labels() -> None:
    (line,) = PredictionLines("MULTI_LABEL", LABELS).format([Document('a"b', 0, "x")], COLUMNS, SCORES)
    content = json.loads(line)
    assert list(content) == ["File", "Line", "Labels"]
    assert content["File"] == 'a"b'
    assert [label["Name"] for label in content["Labels"]] == ["BUG", 'SAY "HÉ"', "BILLING"]


def test_an_error_line_has_a_number_for_its_line() -> None:
    document = Document("t.txt", 7, None, "UNSUPPORTED_ENCODING", "The document is not in UTF-8 format.")
    assert json.loads(error_line(document)) == {
        "File": "t.txt",
        "Line": 7,
        "ErrorCode": "UNSUPPORTED_ENCODING",
        "ErrorMessage": "The document is not in UTF-8 format.",
    }


def test_archives_have_one_member_under_the_right_name(tmp_path: Path) -> None:
    file, archive = tmp_path / "any", tmp_path / "output.tar.gz"
    file.write_text("content")
    for member in (PREDICTIONS, CONFUSION_MATRIX):
        write_archive(archive, file, member)
        with tarfile.open(archive, "r:gz") as tar:
            assert tar.getnames() == [member]
    assert PREDICTIONS == "predictions.jsonl"
    assert CONFUSION_MATRIX == "output/confusion_matrix.json"
