"""A text that was paid for is known, with its latest result, and no other text is."""

from __future__ import annotations

import itertools
import logging
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.layout import WorkLayout
from nightsort.naming import run_key
from nightsort.reuse import local_results, lookup
from nightsort.reuse.lookup import reusable_runs
from nightsort.storage import names_below, plain_access
from tests.unit.nightsort.reuse.stored_nights import VERSION, Result, keep, labels_of, look_up, scores_of

if TYPE_CHECKING:
    from nightsort.storage import Access

TEXTS = st.sampled_from("abcdefgh") | st.text(max_size=3)
SAID = st.none() | st.dictionaries(st.sampled_from(["A", "B", "C", "Ä b"]), st.floats(0, 1), min_size=1)
BATCHES = st.lists(st.builds(Result, TEXTS, SAID), max_size=8)
NIGHTS = st.lists(st.lists(BATCHES, max_size=3), max_size=4)


def night(number: int) -> str:
    return f"202611{number:02}"


def stored(
    layout: WorkLayout, nights: list[list[list[Result]]]
) -> tuple[list[str], dict[str, tuple[str, Result]]]:
    """Keep some nights, the oldest first; return their runs, the newest first, and what a dict knows."""
    expected: dict[str, tuple[str, Result]] = {}
    runs = [night(number) for number in range(1, len(nights) + 1)]
    for run, batches in zip(runs, nights, strict=True):
        tonight: dict[str, tuple[str, Result]] = {}
        for number, results in enumerate(batches):
            keep(layout, run, f"{run}-{number:05}-0123abcd", results)
            for result in results:
                if result.labels is not None:
                    tonight.setdefault(result.text, (run, result))
        expected |= tonight
    return runs[::-1], expected


@given(NIGHTS, st.lists(st.lists(TEXTS, max_size=10), max_size=3), st.integers(1, 5))
def test_the_same_as_a_dict(
    nights: list[list[list[Result]]], arriving: list[list[str]], at_once: int
) -> None:
    with (
        patch.object(local_results, "_SEGMENT_ROWS", at_once),
        patch.object(lookup, "_ROWS", at_once),
        TemporaryDirectory() as folder,
    ):
        runs, expected = stored(layout := WorkLayout(f"{folder}/work"), nights)
        known, written = look_up(layout, Path(folder), runs, arriving)

    texts = list(itertools.chain(*arriving))
    assert known == [text in expected for text in texts]
    assert [(row["document_id"], row["run_key"], row["labels"], row["scores"]) for row in written] == [
        (f"document {number}", run, labels_of(result), scores_of(result))
        for number, text in enumerate(texts)
        if text in expected
        for run, result in [expected[text]]
    ]


def test_a_file_says_the_same_whatever_the_order_of_the_results(tmp_path: Path) -> None:
    results = [Result(f"text {number}", {"A": number / 100, "B": 0.0}) for number in range(100)]
    for name, order in (("one", results), ("other", results[::-1])):
        keep(WorkLayout(f"{tmp_path}/{name}"), night(1), "batch", order)

    one, other = (
        Path(WorkLayout(f"{tmp_path}/{name}").stored_results(VERSION, night(1), "batch")).read_bytes()
        for name in ("one", "other")
    )
    assert one == other


def damage(path: Path, kind: str) -> None:
    content = bytearray(path.read_bytes())
    if kind == "gone":
        path.unlink()
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "no Parquet":
        path.write_bytes(b"PAR1 and no more")
    else:
        for at in range(len(content) // 8, len(content) // 4):
            content[at] ^= 0xFF
        path.write_bytes(content)


@pytest.mark.parametrize("kind", ["gone", "empty", "cut", "no Parquet", "other bytes"])
def test_a_damaged_file_is_left_out_and_an_older_result_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = WorkLayout(str(tmp_path / "work"))
    many = [Result(f"text {number}", {"A": 0.5}) for number in range(2_000)]
    keep(layout, night(1), "batch", many[:10], at_once=2_000)
    uri = keep(layout, night(2), "batch", many, at_once=2_000)
    keep(layout, night(3), "batch", many[20:30], at_once=2_000)

    def then_damaged(folder: str, access: Access) -> list[str]:
        names = names_below(folder, access)
        if folder.endswith(f"{night(2)}/"):
            damage(Path(uri), kind)
        return names

    monkeypatch.setattr(lookup, "names_below", then_damaged)
    with caplog.at_level(logging.WARNING):
        known, written = look_up(
            layout, tmp_path, [night(3), night(2), night(1)], [[result.text for result in many[:40]]]
        )

    assert known == [*[True] * 10, *[False] * 10, *[True] * 10, *[False] * 10]
    assert [row["run_key"] for row in written] == [*[night(1)] * 10, *[night(3)] * 10]
    (warning,) = (record for record in caplog.records if record.levelno == logging.WARNING)
    assert uri in warning.getMessage()
    assert "paid for again" in warning.getMessage()


def test_runs_of_near_days_are_reusable(tmp_path: Path) -> None:
    layout = WorkLayout(str(tmp_path))
    by_hand = run_key(date(2026, 11, 17), "s3://bucket/other/")
    keys = [run_key(date(2026, 11, day), None) for day in (7, 8, 17, 18, 28, 29)]
    for key in (*keys, by_hand):
        keep(layout, key, "batch", [Result("text", {"A": 1.0})])
    (Path(layout.results_of_version(VERSION)) / "notes").mkdir()

    found = reusable_runs(layout, plain_access(), version=VERSION, run_key="20261118", days=10)

    assert found == ["20261128", "20261118", by_hand, "20261117", "20261108"]
    assert reusable_runs(layout, plain_access(), version="v000000000000", run_key="20261118", days=10) == []


def test_a_text_has_one_result_however_often_it_was_sent(tmp_path: Path) -> None:
    layout = WorkLayout(str(tmp_path / "work"))
    keep(layout, night(1), "batch", [Result("text", {"A": 0.9}), Result("text", {"A": 0.9})])

    known, written = look_up(layout, tmp_path, [night(1)], [["text", "other", "text"]])

    assert known == [True, False, True]
    assert [row["scores"] for row in written] == [[pytest.approx(np.float32(0.9))]] * 2
