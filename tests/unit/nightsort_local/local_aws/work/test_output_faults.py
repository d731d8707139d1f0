"""A job's output as the faults want it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from nightsort_local.local_aws.faults.fault_types import (
    DoubledLines,
    ErrorLines,
    LostLines,
    OutputTruncated,
    ShuffledLines,
    WrongLines,
)
from nightsort_local.local_aws.work.output_faults import spoil_archive, spoil_lines

if TYPE_CHECKING:
    from pathlib import Path

    from nightsort_local.local_aws.faults.fault_types import WorkFault


def spoiled(tmp_path: Path, *faults: WorkFault, number: int = 10) -> list[bytes]:
    file = tmp_path / "predictions.jsonl"
    lines = [f'{{"File": "a.txt", "Line": "{line}", "Classes": []}}\n' for line in range(number)]
    file.write_text("".join(lines))
    spoil_lines(file, faults)
    return file.read_bytes().splitlines()


def numbers(lines: list[bytes]) -> list[int]:
    return [int(json.loads(line)["Line"]) for line in lines]


def test_the_first_line_is_meant_where_nothing_is_said(tmp_path: Path) -> None:
    assert numbers(spoiled(tmp_path, LostLines())) == list(range(1, 10))


def test_numbers_that_are_not_there_are_passed_over(tmp_path: Path) -> None:
    assert numbers(spoiled(tmp_path, LostLines(lines=(2, 99)))) == [0, 1, 3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize(("share", "lost"), [(0.01, 1), (0.25, 2), (0.5, 5), (1.0, 10)])
def test_a_share_is_at_least_one_line(tmp_path: Path, share: float, lost: int) -> None:
    assert len(spoiled(tmp_path, LostLines(share=share))) == 10 - lost


def test_a_doubled_line_follows_itself(tmp_path: Path) -> None:
    assert numbers(spoiled(tmp_path, DoubledLines(lines=(1,)), number=3)) == [0, 1, 1, 2]


def test_shuffled_lines_are_the_same_lines(tmp_path: Path) -> None:
    found = numbers(spoiled(tmp_path, ShuffledLines()))
    assert found != list(range(10))
    assert sorted(found) == list(range(10))


def test_an_error_line_keeps_its_place_and_loses_its_classes(tmp_path: Path) -> None:
    lines = spoiled(tmp_path, ErrorLines(lines=(4,), code="C", message="m"))
    assert json.loads(lines[4]) == {"File": "a.txt", "Line": 4, "ErrorCode": "C", "ErrorMessage": "m"}


def test_a_wrong_line_is_no_text(tmp_path: Path) -> None:
    lines = spoiled(tmp_path, WrongLines(lines=(9,)))
    assert len(lines) == 10
    with pytest.raises(UnicodeDecodeError):
        lines[9].decode()


def test_faults_come_one_after_the_other(tmp_path: Path) -> None:
    assert numbers(spoiled(tmp_path, LostLines(), DoubledLines(), number=3)) == [1, 1, 2]


def test_an_empty_output_stays_empty(tmp_path: Path) -> None:
    assert spoiled(tmp_path, LostLines(share=0.5), ShuffledLines(), number=0) == []


def test_an_archive_is_cut_to_its_share(tmp_path: Path) -> None:
    archive = tmp_path / "output.tar.gz"
    archive.write_bytes(b"x" * 1000)
    spoil_archive(archive, [OutputTruncated(keep=0.3)])
    assert archive.stat().st_size == 300
