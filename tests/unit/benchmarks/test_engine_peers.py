"""DuckDB and Polars do the same step as Nightsort: the same documents, texts and rejects."""

from __future__ import annotations

import csv
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from benchmarks import batches, training_data

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZE = 10_000
ENGINES = ("duckdb_sql", "polars_streaming")


def _outputs(step: Callable[[Path, int], dict[str, float]], data: Path, scratch: Path) -> dict[str, float]:
    scratch.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(scratch)
        return step(data, SIZE)


def _rows(folder: Path) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for name in ("training.csv", "test.csv"):
        (file,) = folder.rglob(name)
        with file.open(newline="", encoding="utf-8") as stream:
            found.update(map(tuple, csv.reader(stream)))
    return found


@pytest.mark.parametrize("make", [training_data.make_multi_class, training_data.make_multi_label])
def test_engines_keep_the_same_training_rows(make: Callable[[Path, int], None], tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    make(data, SIZE)
    told = _outputs(training_data.ours, data, tmp_path / "ours")
    for engine in ENGINES:
        assert _outputs(getattr(training_data, engine), data, tmp_path / engine) == told
        assert _rows(tmp_path / engine) == _rows(tmp_path / "ours")


def test_engines_send_the_same_lines_in_the_same_order(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    batches.make(data, SIZE)
    told = _outputs(batches.ours, data, tmp_path / "ours")
    (sent,) = (tmp_path / "ours").rglob("input/*.txt")
    for engine in ENGINES:
        found = _outputs(getattr(batches, engine), data, tmp_path / engine)
        assert found == {name: told[name] for name in ("documents", "rejects")}
        assert (tmp_path / engine / "batch-00000.txt").read_bytes() == sent.read_bytes()
