"""Rejects are lines of JSON with a reason, and never hold text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightsort.sources.rejects import REASONS, RejectLog

if TYPE_CHECKING:
    from pathlib import Path


def test_each_reject_is_a_line_and_is_counted(tmp_path: Path) -> None:
    with RejectLog(tmp_path / "r.jsonl") as rejects:
        rejects.add(document_id="a", file="x.csv", row=3, reason="blank")
        rejects.add(document_id="b\n", file="x.csv", row=4, reason="blank", detail="why")

    lines = (tmp_path / "r.jsonl").read_bytes().splitlines()
    assert orjson.loads(lines[0]) == {
        "document_id": "a",
        "file": "x.csv",
        "row": 3,
        "reason": "blank",
        "detail": None,
    }
    assert orjson.loads(lines[1])["document_id"] == "b\n"
    assert (len(lines), rejects.total, rejects.counts) == (2, 2, {"blank": 2})


def test_the_first_of_each_reason_are_examples_and_labels_are_counted(tmp_path: Path) -> None:
    with RejectLog(tmp_path / "r.jsonl") as rejects:
        for row in range(5):
            rejects.add(document_id="a", file="x.csv", row=row, reason="blank", labels=["bug", "ui"])
        rejects.add(document_id="b", file="y.csv", row=9, reason="unreadable_row", detail="has 2 fields")

    assert rejects.examples == {
        "blank": ["x.csv row 0", "x.csv row 1", "x.csv row 2"],
        "unreadable_row": ["y.csv row 9 (has 2 fields)"],
    }
    assert rejects.labels == {"bug": {"blank": 5}, "ui": {"blank": 5}}
    assert rejects.shown() == (
        "blank 5, for instance x.csv row 0; unreadable_row 1, for instance y.csv row 9 (has 2 fields)"
    )


PLACES = st.tuples(
    st.text(max_size=8), st.text(max_size=8), st.integers(0, 10**9), st.sampled_from([*REASONS])
)


# 50 files: every name is written by the same line of code.
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PLACES, max_size=6))
def test_any_names_come_back_each_on_a_line_of_its_own(
    tmp_path: Path, places: list[tuple[str, str, int, str]]
) -> None:
    with RejectLog(tmp_path / "r.jsonl") as rejects:
        for document_id, file, row, reason in places:
            rejects.add(document_id=document_id, file=file, row=row, reason=reason)

    lines = (tmp_path / "r.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b""
    found = [
        tuple(orjson.loads(line)[key] for key in ("document_id", "file", "row", "reason")) for line in lines
    ]
    assert found == places
    assert rejects.total == len(places)


def test_a_reason_without_a_remedy_is_refused(tmp_path: Path) -> None:
    with RejectLog(tmp_path / "r.jsonl") as rejects, pytest.raises(KeyError, match="REASONS"):
        rejects.add(document_id="a", file="x.csv", row=3, reason="ugly")


def test_every_reason_says_what_to_do() -> None:
    assert all(len(remedy) > 30 and remedy.endswith(".") for remedy in REASONS.values())
