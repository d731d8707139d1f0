"""Texts that an earlier night was paid for: what is sent, and what is in the tables, on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from nightsort.tables.retention import drop_run, find_runs
from tests.integration.local_nights import DAY, Nights

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from nightsort.tables.run_counts import RunCounts

pytestmark = pytest.mark.integration

NEXT, AFTER = DAY + timedelta(1), DAY + timedelta(2)
FIRST = {f"doc-{n}": f"text {n}" for n in range(6)}


@pytest.fixture
def nights(tmp_path: Path, database: psycopg.Connection[Any]) -> Nights:
    return Nights(tmp_path, database, reuse={"days": 30})


def sources(nights: Nights, run: str) -> dict[str, tuple[str, str | None]]:
    """Where the result of each document of a run comes from."""
    rows = nights.database.execute(
        "SELECT document_id, source, source_run FROM nightsort.predictions WHERE run_key = %s", (run,)
    )
    return {document: (source, run) for document, source, run in rows}


def adds_up(counts: RunCounts) -> bool:
    return counts.documents_in == counts.classified + counts.failed + counts.rejected


def test_a_text_of_an_earlier_night_is_not_sent(nights: Nights) -> None:
    nights.arrives("m.jsonl", FIRST)
    nights.classify()
    arriving = {"again": "text 0", "twice": "text 0", "new": "a new text", "new again": "a new text"}
    nights.arrives("m.jsonl", arriving, NEXT)
    prepared, counts = nights.classify(NEXT)
    assert nights.table("20261119") == arriving
    assert sources(nights, "20261119") == {
        "again": ("reused", "20261118"),
        "twice": ("reused", "20261118"),
        "new": ("job", None),
        "new again": ("repeat", None),
    }
    assert sum(nights.paid.values()) == (6 + 1) * 3
    assert (prepared.units, counts.units, counts.saved_units, counts.saved_usd) == (3, 3, 9, 0.0045)
    assert (counts.documents_in, counts.repeated, counts.reused) == (4, 1, 2)
    assert adds_up(counts)


def test_a_night_that_is_all_reused_has_no_job_and_is_complete(nights: Nights) -> None:
    nights.arrives("m.jsonl", FIRST)
    nights.classify()
    nights.arrives("m.jsonl", FIRST, NEXT)
    prepared, counts = nights.classify(NEXT)
    assert (prepared.batches, counts.units, counts.reused, counts.classified) == ((), 0, 6, 6)
    assert nights.table("20261119") == FIRST
    ((state, version),) = nights.database.execute(
        "SELECT state, version FROM nightsort.classification_runs WHERE run_key = '20261119'"
    )
    assert (state, version) == ("complete", "v1")


def test_a_day_again_stays_as_it_is_whatever_was_classified_or_dropped_meanwhile(nights: Nights) -> None:
    nights.arrives("m.jsonl", {"a": "text 0"})
    nights.classify()
    nights.arrives("m.jsonl", {"b": "text 0", "c": "text 1", "d": "text 1"}, NEXT)
    before = nights.classify(NEXT)
    nights.arrives("m.jsonl", {"e": "text 2", "f": "text 1"}, AFTER)
    nights.classify(AFTER)
    paid, table = dict(nights.paid), sources(nights, "20261119")
    (old, *_) = find_runs(nights.database, before=NEXT)
    drop_run(nights.database, old)
    assert nights.classify(NEXT) == before
    assert (nights.paid, sources(nights, "20261119")) == (paid, table)
    nights.arrives("late.jsonl", {"late": "text 0", "later": "text 2"}, NEXT)
    nights.classify(NEXT)
    assert nights.paid == paid
    assert sources(nights, "20261119") == {
        **table,
        "late": ("reused", "20261118"),
        "later": ("reused", "20261120"),
    }


def test_a_promotion_makes_every_text_new_and_a_return_pays_nothing_twice(nights: Nights) -> None:
    for day in (DAY, NEXT):
        nights.arrives("m.jsonl", FIRST, day)
        nights.classify(day)
    assert sum(nights.paid.values()) == 6 * 3
    nights.classify(NEXT, version="v2")
    assert sum(nights.paid.values()) == 2 * 6 * 3
    assert set(sources(nights, "20261119").values()) == {("job", None)}
    nights.classify(NEXT, version="v1")
    assert sum(nights.paid.values()) == 2 * 6 * 3
    assert set(sources(nights, "20261119").values()) == {("reused", "20261118")}


def test_a_dropped_run_is_not_reused(nights: Nights) -> None:
    nights.arrives("m.jsonl", FIRST)
    nights.classify()
    for run in find_runs(nights.database, before=NEXT):
        drop_run(nights.database, run)
    nights.arrives("m.jsonl", FIRST, NEXT)
    nights.classify(NEXT)
    assert sum(nights.paid.values()) == 2 * 6 * 3


def test_a_dropped_run_stays_dropped_when_another_version_loads_it_again(nights: Nights) -> None:
    nights.arrives("m.jsonl", FIRST)
    nights.classify()
    for run in find_runs(nights.database, before=NEXT):
        drop_run(nights.database, run)
    nights.classify(version="v2")
    nights.arrives("m.jsonl", FIRST, NEXT)
    nights.classify(NEXT)
    assert set(sources(nights, "20261119").values()) == {("job", None)}
    assert nights.table("20261119") == FIRST


def test_of_a_dropped_run_that_is_loaded_again_only_what_was_loaded_is_reused(nights: Nights) -> None:
    nights.arrives("m.jsonl", FIRST)
    nights.classify()
    for run in find_runs(nights.database, before=NEXT):
        drop_run(nights.database, run)
    nights.paid.clear()  # Comprehend no longer lists the jobs.
    nights.arrives("m.jsonl", {"doc-0": "text 0"})
    nights.classify()
    nights.arrives("m.jsonl", FIRST, NEXT)
    nights.classify(NEXT)
    reused = {document for document, (source, _) in sources(nights, "20261119").items() if source == "reused"}
    assert reused == {"doc-0"}


def test_what_two_versions_have_classified_stays_reusable_while_nothing_is_dropped(nights: Nights) -> None:
    nights.arrives("m.jsonl", FIRST)
    for version in ("v1", "v2"):
        nights.classify(version=version)
    nights.arrives("m.jsonl", FIRST, NEXT)
    nights.classify(NEXT)
    assert set(sources(nights, "20261119").values()) == {("reused", "20261118")}


@pytest.mark.parametrize(("distance", "paid"), [(-31, 12), (-30, 6), (30, 6), (31, 12)])
def test_the_days_of_the_spec_count_in_both_directions(nights: Nights, distance: int, paid: int) -> None:
    day = DAY + timedelta(distance)
    for each in (DAY, day):
        nights.arrives("m.jsonl", FIRST, each)
        nights.classify(each)
    assert sum(nights.paid.values()) == paid * 3


def test_what_failed_is_sent_again(tmp_path: Path, database: psycopg.Connection[Any]) -> None:
    class Failing(Nights):
        def says(self, text: str) -> dict[str, Any]:
            return {"Classes": []} if text == "text 0" else super().says(text)

    nights = Failing(tmp_path, database, reuse={"days": 30})
    for day in (DAY, NEXT):
        nights.arrives("m.jsonl", FIRST, day)
        _, counts = nights.classify(day)
        assert (counts.failed, counts.classified) == (1, 5)
        assert adds_up(counts)
    assert sum(nights.paid.values()) == (6 + 1) * 3


def test_a_text_whose_document_is_gone_from_the_source_is_paid_for(nights: Nights) -> None:
    nights.arrives("m.jsonl", FIRST)
    nights.classify()
    nights.arrives("m.jsonl", {"doc-0": "text 0"})
    nights.classify()
    nights.arrives("m.jsonl", FIRST, NEXT)
    nights.classify(NEXT)
    assert sum(nights.paid.values()) == 6 * 3


def test_without_days_each_night_stands_alone(tmp_path: Path, database: psycopg.Connection[Any]) -> None:
    nights = Nights(tmp_path, database)
    for day in (DAY, NEXT):
        nights.arrives("m.jsonl", FIRST, day)
        nights.classify(day)
    assert sum(nights.paid.values()) == 2 * 6 * 3
    assert not (tmp_path / "work" / "reuse").exists()
