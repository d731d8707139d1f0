"""Looking documents up among the results of thirty earlier nights; a size is the number of documents.

A night has a million results, or a tenth of the documents where that is less. A fifth of the arriving texts
is among them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from benchmarks.measuring import Comparison, Contender, Target
from nightsort.arrow.columns import from_numpy
from nightsort.arrow.hashing import as_column, mix
from nightsort.arrow.label_lists import LABELS, SCORES
from nightsort.layout import WorkLayout
from nightsort.reuse.lookup import Reused
from nightsort.reuse.store import ResultsWriter
from nightsort.storage import plain_access

if TYPE_CHECKING:
    from nightsort.arrow.hashing import Hashes

VERSION = "v0123456789ab"
NIGHTS = 30
_LABELS, _OF_A_DOCUMENT = 20, 3
_KNOWN_OF_FIVE = 1
_BLOCK = 10_000
"""So many documents come together from a source."""


def make(folder: Path, size: int) -> None:
    """Keep the results of thirty nights."""
    for night in range(NIGHTS):
        _keep(folder, f"202611{night + 1:02}", _texts(night * _a_night(size), _a_night(size)))


def look_up(folder: Path, size: int) -> dict[str, float]:
    """Nightsort, as it prepares a night: look up, and write the results of what is known."""
    runs = [f"202611{night + 1:02}" for night in reversed(range(NIGHTS))]
    layout = WorkLayout(str(folder / "work"))
    with Reused(
        layout, plain_access(), Path.cwd(), version=VERSION, runs=runs, own="reused.parquet"
    ) as reused:
        for start in range(0, size, _BLOCK):
            numbers = np.arange(start, start + min(_BLOCK, size - start), dtype=np.uint64)
            ids: Any = pa.array([f"document-{number:08}" for number in numbers.tolist()])
            first, second = _hashes(_arriving(numbers, size))
            rows = reused.find(first, second)
            here = np.flatnonzero(rows >= 0)
            units = np.full(len(here), 3)
            reused.add(ids.take(from_numpy(here)), first[here], second[here], rows[here], units)
        reused.write()
        return {"documents": size, "stored": NIGHTS * _a_night(size), "known": reused.number}


def keep(folder: Path, size: int) -> dict[str, float]:
    """Nightsort, as it loads a batch: keep its results."""
    uri = _keep(Path.cwd(), "20261201", _texts(0, size))
    return {"documents": size, "file_mb": Path(uri).stat().st_size / 1e6}


def make_nothing(folder: Path, size: int) -> None:
    """Make nothing: what is kept is made while it is kept."""


def _a_night(size: int) -> int:
    return min(size, 10_000_000) // 10


def _texts(start: int, number: int) -> Hashes:
    return np.arange(start, start + number, dtype=np.uint64)


def _arriving(numbers: Hashes, size: int) -> Hashes:
    """Return which texts arrive: one of five is stored, all are different."""
    known = numbers % np.uint64(5) < _KNOWN_OF_FIVE
    return np.where(known, numbers, numbers + np.uint64(NIGHTS * _a_night(size)))


def _hashes(texts: Hashes) -> tuple[Hashes, Hashes]:
    return mix(texts), mix(texts + np.uint64(2**63))


def _keep(folder: Path, run: str, texts: Hashes) -> str:
    layout, batch = WorkLayout(str(folder / "work")), f"{run}-00000-0123abcd"
    names: Any = pa.array([f"LABEL_{number}" for number in range(_LABELS)])
    random = np.random.default_rng(len(texts))
    with ResultsWriter(plain_access(), layout, version=VERSION, run_key=run, batch=batch) as writer:
        for start in range(0, len(texts), _BLOCK):
            number = min(_BLOCK, len(texts) - start)
            offsets = from_numpy(np.arange(0, (number + 1) * _OF_A_DOCUMENT, _OF_A_DOCUMENT, dtype=np.int32))
            codes = from_numpy(random.integers(0, _LABELS, number * _OF_A_DOCUMENT).astype(np.int32))
            scores = from_numpy(np.round(random.random(number * _OF_A_DOCUMENT), 4).astype(np.float32))
            labels = pa.ListArray.from_arrays(offsets, pa.DictionaryArray.from_arrays(codes, names))
            writer.add(
                as_column(*_hashes(texts[start : start + number])),
                labels.cast(LABELS),
                pa.ListArray.from_arrays(offsets, scores).cast(SCORES),
            )
        writer.upload()
    return layout.stored_results(VERSION, run, batch)


_MILLION = 1_000_000

COMPARISONS = [
    Comparison(
        "reuse_look_up",
        "Reuse: documents looked up among thirty nights",
        make=make,
        contenders=[Contender(look_up)],
        sizes={100_000: 3, _MILLION: 3, 10 * _MILLION: 1},
        targets=[
            Target("look_up", "<=", 60, measure="wall_seconds", size=10 * _MILLION),
            Target("look_up", "<=", 400, measure="peak_mb", size=10 * _MILLION),
            Target("look_up", "<=", 11, measure="cpu_seconds", size=10 * _MILLION, over_size=_MILLION),
        ],
        quick_size=10_000,
    ),
    Comparison(
        "reuse_keep",
        "Reuse: the results of a batch kept",
        make=make_nothing,
        contenders=[Contender(keep)],
        sizes={100_000: 3, _MILLION: 3},
        targets=[Target("keep", "<=", 400, measure="peak_mb", size=_MILLION)],
        quick_size=10_000,
    ),
]
