"""What past nights would have saved is what a night-by-night account on a plain dict says."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from nightsort.arrow.hashing import hash_texts
from nightsort.reuse.savings import PastNights, Saving

FIRST = date(2026, 11, 1)
ASKED = (0, 1, 3, 30)


class Night(NamedTuple):
    day: int
    version: str | None
    blocks: list[list[str]]


NIGHTS = st.lists(
    st.builds(
        Night,
        st.integers(0, 9),
        st.sampled_from([None, "v1", "v2"]),
        st.lists(st.lists(st.text("abcd", max_size=2), max_size=6), max_size=3),
    ),
    max_size=6,
).map(lambda nights: sorted(nights, key=lambda night: night.day))


def units_of(text: str) -> int:
    return 3 + len(text)


def account(nights: list[Night], days: int | None) -> tuple[int, int]:
    """Count the documents and units that are not sent."""
    documents = units = 0
    paid: dict[tuple[str | None, str], int] = {}
    for night in nights:
        sent: set[str] = set()
        for text in (text for block in night.blocks for text in block):
            last = paid.get((night.version, text))
            if text in sent or (days is not None and last is not None and night.day - last <= days):
                documents, units = documents + 1, units + units_of(text)
            else:
                sent.add(text)
        paid |= dict.fromkeys(((night.version, text) for text in sent), night.day)
    return documents, units


@given(NIGHTS)
def test_the_same_as_a_night_by_night_account(nights: list[Night]) -> None:
    with TemporaryDirectory() as folder, PastNights(Path(folder)) as past:
        for night in nights:
            past.begin(FIRST + timedelta(night.day), night.version)
            for block in night.blocks:
                past.add(*hash_texts(pa.array(block, pa.string())), np.array([*map(units_of, block)], int))
        savings = past.savings(ASKED)
        everything = [text for night in nights for block in night.blocks for text in block]
        assert (past.documents, past.units) == (len(everything), sum(map(units_of, everything)))

    assert [(saving.days, saving.documents, saving.units) for saving in savings] == [
        (days, *account(nights, days)) for days in (None, *ASKED)
    ]


def test_a_saving_has_its_price(tmp_path: Path) -> None:
    with PastNights(tmp_path) as past:
        for day in range(2):
            past.begin(FIRST + timedelta(day), None)
            past.add(*hash_texts(pa.array(["one", "one"])), np.array([1_000, 1_000]))
        within, across = past.savings([30])

    assert within == Saving(None, 2, 2_000, 1.0)
    assert across == Saving(30, 3, 3_000, 1.5)
