from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nightsort.real_time.answers import StoredAnswers, answer_line, failure_line
from nightsort.real_time.results import output_results
from nightsort.storage import plain_access

if TYPE_CHECKING:
    from pathlib import Path


def stored(tmp_path: Path, *lines: bytes) -> StoredAnswers:
    answers = StoredAnswers(plain_access(), f"{tmp_path}/night/")
    answers.complete(lines)
    return answers


@pytest.mark.parametrize("per_file", [True, False])
def test_each_document_has_a_row_that_names_it_and_its_source(tmp_path: Path, per_file: bool) -> None:
    answer = {
        "Labels": [{"Name": "a", "Score": 0.9}, {"Name": "b", "Score": 0.6}, {"Name": "c", "Score": 0.1}]
    }
    answers = stored(
        tmp_path, answer_line(("b/x.txt", 0), answer), failure_line(("a.txt", 0), "EMPTY_DOCUMENT", "Empty.")
    )
    results = output_results(
        plain_access().path(answers.output_uri), per_file=per_file, mode="MULTI_LABEL", threshold=0.5
    )
    rows = [row for batch in results for row in batch.to_pylist()]
    end = "" if per_file else ":0"
    assert [(row["document_id"], row["line"], row["status"], row["source"]) for row in rows] == [
        (f"b/x.txt{end}", 1, "classified", "endpoint"),
        (f"a.txt{end}", 0, "failed", "endpoint"),
    ]
    assert [row["accepted"] for row in rows] == [["a", "b"], None]
    assert rows[1]["reason"] == "error:EMPTY_DOCUMENT"
    counts = results.counts
    assert (counts.documents, counts.classified, counts.failed) == (2, 1, 1)
    assert counts.reasons == {"error:EMPTY_DOCUMENT": 1}


def test_no_documents_have_no_rows(tmp_path: Path) -> None:
    answers = stored(tmp_path)
    results = output_results(
        plain_access().path(answers.output_uri), per_file=True, mode="MULTI_CLASS", threshold=0.5
    )
    assert [row for batch in results for row in batch.to_pylist()] == []
    assert results.counts.documents == 0
