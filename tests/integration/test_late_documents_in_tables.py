"""Documents that come late, twice or changed: what is in the tables and what is paid, on PostgreSQL."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from nightsort.cli import app
from nightsort.naming import run_key
from nightsort.tables.versions import ClassifierVersion, promote, record_version
from tests.integration.local_nights import DAY, Nights

if TYPE_CHECKING:
    import psycopg

pytestmark = pytest.mark.integration


@pytest.fixture
def nights(tmp_path: Path, database: psycopg.Connection[Any]) -> Nights:
    return Nights(tmp_path, database)


EARLY = {f"doc-{n}": f"text {n}" for n in range(6)}


@pytest.mark.parametrize("file", ["a-before.jsonl", "z-behind.jsonl"])
def test_late_documents_of_a_day_alone_are_paid_for(nights: Nights, file: str) -> None:
    nights.arrives("m.jsonl", EARLY)
    nights.classify()
    nights.arrives(file, {"late": "text of the late one"})
    prepared, counts = nights.classify()
    assert nights.table() == {**EARLY, "late": "text of the late one"}
    assert sum(nights.paid.values()) == prepared.units == 7 * 3
    assert (counts.documents_in, counts.classified, counts.units) == (7, 7, 21)


def test_the_day_again_without_news_costs_nothing_and_leaves_the_same_table(nights: Nights) -> None:
    nights.arrives("m.jsonl", EARLY)
    first, _ = nights.classify()
    paid = dict(nights.paid)
    assert nights.classify()[0] == first
    assert nights.paid == paid
    assert nights.table() == EARLY


def test_a_changed_text_is_paid_for_alone(nights: Nights) -> None:
    nights.arrives("m.jsonl", EARLY)
    nights.classify()
    changed = {**EARLY, "doc-5": "corrected"}
    nights.arrives("m.jsonl", changed)
    nights.classify()
    assert nights.table() == nights.latest() == changed
    assert sum(nights.paid.values()) == (6 + 1) * 3


def test_equal_texts_are_paid_for_once_and_each_document_has_its_row(nights: Nights) -> None:
    nights.arrives("m.jsonl", {**EARLY, "again": "text 0", "and again": "text 0", "other": "text 5"})
    prepared, counts = nights.classify()
    assert nights.table() == {**EARLY, "again": "text 0", "and again": "text 0", "other": "text 5"}
    assert sum(nights.paid.values()) == prepared.units == counts.units == 6 * 3
    assert (counts.documents_in, counts.classified, counts.repeated) == (9, 9, 3)
    assert (counts.saved_units, counts.saved_usd) == (9, 0.0045)
    sources = nights.database.execute(
        "SELECT source, count(*) FROM nightsort.predictions GROUP BY source ORDER BY source"
    ).fetchall()
    assert sources == [("job", 6), ("repeat", 3)]
    paid = dict(nights.paid)
    nights.arrives("late.jsonl", {"late": "text 3"})
    _, counts = nights.classify()
    assert nights.table()["late"] == "text 3"
    assert (nights.paid, counts.repeated) == (paid, 4)


def test_a_document_that_is_gone_is_gone_from_the_table(nights: Nights) -> None:
    nights.arrives("m.jsonl", EARLY)
    nights.classify()
    nights.arrives("m.jsonl", dict(list(EARLY.items())[:5]))
    _, counts = nights.classify()
    assert nights.table() == dict(list(EARLY.items())[:5])
    assert counts.documents_in == 5


def test_of_one_id_twice_in_a_night_the_first_counts_and_the_other_has_a_row_that_says_so(
    nights: Nights,
) -> None:
    nights.arrives("a.jsonl", {"doc": "first"})
    nights.arrives("b.jsonl", {"doc": "second", "other": "x"})
    _, counts = nights.classify()
    assert nights.table() == {"doc": "first", "other": "x"}
    assert (counts.rejected, counts.reasons) == (1, {"duplicate_id": 1})
    assert nights.latest() == {"doc": "first", "other": "x"}


def test_a_document_of_two_nights_has_a_row_for_each_and_the_newer_day_is_the_latest(nights: Nights) -> None:
    """Nights know nothing of one another: delivered again, a document is classified and paid for again."""
    nights.arrives("m.jsonl", {"doc": "of Wednesday", "only": "x"})
    nights.arrives("m.jsonl", {"doc": "of Thursday"}, DAY + timedelta(1))
    nights.classify(DAY + timedelta(1))
    nights.classify(DAY)
    assert nights.table() == {"doc": "of Wednesday", "only": "x"}
    assert nights.table("20261119") == {"doc": "of Thursday"}
    assert nights.latest() == {"doc": "of Thursday", "only": "x"}
    assert sum(nights.paid.values()) == 3 * 3


def test_late_documents_as_a_source_by_hand_are_a_run_of_their_own(nights: Nights) -> None:
    nights.arrives("m.jsonl", EARLY)
    nights.classify()
    late = nights.arrives("late.jsonl", {"late": "x", "doc-0": "corrected"})
    prepared, _ = nights.classify(source_uri=late)
    assert nights.table(prepared.run_key) == {"late": "x", "doc-0": "corrected"}
    assert nights.latest() == {**EARLY, "late": "x", "doc-0": "corrected"}
    assert sum(nights.paid.values()) == (6 + 2) * 3


@pytest.fixture
def without_ids(tmp_path: Path, database: psycopg.Connection[Any]) -> Nights:
    """Two days with a file of the same name, and no column of ids."""
    incoming = {"uri": f"{tmp_path}/{{day}}/", "format": "jsonl"}
    nights = Nights(tmp_path, database, incoming=incoming)
    for number in range(2):
        nights.arrives("docs.jsonl", {"": f"day {number}"}, DAY + timedelta(number))
    return nights


def test_two_days_with_a_file_of_one_name_lose_no_document(without_ids: Nights) -> None:
    for number in range(2):
        without_ids.classify(DAY + timedelta(number))
    assert without_ids.latest() == {
        "2026-11-18/docs.jsonl:0": "day 0",
        "2026-11-19/docs.jsonl:0": "day 1",
    }


def test_rows_with_short_ids_get_long_ones_by_the_documented_statement(
    without_ids: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr("nightsort.batches.prepare.fixed_folder", lambda _: None)
        without_ids.classify()
        without_ids.classify(DAY + timedelta(1))
    assert without_ids.latest() == {"docs.jsonl:0": "day 1"}
    page = (Path(__file__).parents[2] / "docs" / "tables.md").read_text()
    (statement,) = re.findall(r"UPDATE nightsort\.predictions[^;]*;", page)
    for _ in range(2):
        without_ids.database.execute(statement)
    assert without_ids.latest() == {
        "2026-11-18/docs.jsonl:0": "day 0",
        "2026-11-19/docs.jsonl:0": "day 1",
    }


def test_with_another_version_the_day_is_other_work(nights: Nights) -> None:
    nights.arrives("m.jsonl", EARLY)
    first, _ = nights.classify()
    second, counts = nights.classify(version="v2")
    assert second == first
    assert sum(nights.paid.values()) == 2 * 6 * 3
    assert (counts.classified, nights.table()) == (6, EARLY)


def test_latest_predictions_are_the_same_at_every_look_even_of_rows_loaded_at_once(nights: Nights) -> None:
    files = [nights.arrives(f"{name}.jsonl", {"doc": f"by {name}"}) for name in "abc"]
    with nights.database.transaction():
        for file in files:
            nights.classify(source_uri=file)
    times = nights.database.execute("SELECT DISTINCT loaded_at FROM nightsort.predictions").fetchall()
    assert len(times) == 1
    first = min(run_key(DAY, file) for file in files)
    expected = nights.table(first)
    for _ in range(2):
        assert nights.latest() == expected
        nights.database.execute("CLUSTER nightsort.predictions USING predictions_pkey")
        nights.database.execute("UPDATE nightsort.predictions SET score = score")


def test_a_forecast_counts_what_is_still_to_be_paid(
    nights: Nights, empty_database: str, tmp_path: Path
) -> None:
    file = tmp_path / "tickets.yaml"
    file.write_text(json.dumps(nights.spec.model_dump(mode="json", exclude_unset=True)))

    def forecast() -> tuple[int, float, float]:
        options = ["--day", DAY.isoformat(), "--dsn", empty_database, "--json"]
        result = CliRunner().invoke(app, ["forecast-cost", str(file), *options])
        assert result.exit_code == 0, result.output
        values = json.loads(result.stdout)
        return values["documents"], values["usd"], values["paid_usd"]

    version = ClassifierVersion("tickets", "v1", "arn:of-v1", "MULTI_CLASS", "en")
    record_version(nights.database, version)
    promote(nights.database, classifier="tickets", version="v1")
    nights.arrives("m.jsonl", EARLY)
    assert forecast() == (6, 0.009, 0.0)
    nights.classify()
    assert forecast() == (6, 0.009, 0.009)
    nights.arrives("late.jsonl", {"late": "text of the late one"})
    assert forecast() == (7, 0.0105, 0.009)
    record_version(nights.database, replace(version, version="v2", arn="arn:of-v2"))
    promote(nights.database, classifier="tickets", version="v2")
    assert forecast() == (7, 0.0105, 0.0)
