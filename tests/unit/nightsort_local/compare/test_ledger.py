"""What a comparison remembers."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from nightsort_local.compare.ledger import JOB, Made, open_ledger
from nightsort_local.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path

WHERE = {"bucket": "a", "role": "b"}


def test_what_was_noted_is_there_after_a_start(tmp_path: Path) -> None:
    file = tmp_path / "out" / "state.json"
    ledger = open_ledger(file, WHERE)
    ledger.put(Made(JOB, "a-job"))
    ledger.saw("a-job", "SUBMITTED", ["JobId"])
    ledger.saw("a-job", "SUBMITTED", ["JobId", "JobArn"])
    ledger.spent["x"] = 0.5
    ledger.save()
    again = open_ledger(file, WHERE)
    assert again == ledger
    assert again.seen == {"a-job": {"SUBMITTED": ["JobId"]}}
    assert again.total_usd() == 0.5
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_nothing_is_written_before_something_is_made(tmp_path: Path) -> None:
    open_ledger(tmp_path / "out" / "state.json", WHERE)
    assert not (tmp_path / "out").exists()


def test_another_place_has_another_ledger(tmp_path: Path) -> None:
    open_ledger(tmp_path / "state.json", WHERE).save()
    with pytest.raises(StackError, match="another role: give the same, or choose another --output"):
        open_ledger(tmp_path / "state.json", {**WHERE, "role": "c"})


@pytest.mark.parametrize("content", ["", "{}", '{"format": 1, "made": {}, "run": "0", "unknown": 1}'])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content, encoding="utf-8")
    with pytest.raises(StackError, match="choose another --output"):
        open_ledger(tmp_path / "state.json", WHERE)
