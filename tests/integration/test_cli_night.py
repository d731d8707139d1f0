"""The command that shows a night, on a real PostgreSQL."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

from nightsort.cli import app
from nightsort.tables.retention import drop_run, find_runs
from nightsort.tables.run_rows import AirflowRun, record_forecast, start_run
from tests.integration.local_nights import DAY, Nights

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg
    from typer.testing import Result

pytestmark = pytest.mark.integration

EVIL = "\x1b]0;owned\x07[red]évil"


class LabelledNights(Nights):
    """A Comprehend whose answer is the text; it says nothing of some documents."""

    def says(self, text: str) -> dict[str, Any]:
        if text == "lose":
            return {"Classes": []}
        return {"Classes": [{"Name": text, "Score": 0.75}, {"Name": "other", "Score": 0.25}]}


@pytest.fixture
def nights(tmp_path: Path, database: psycopg.Connection[Any]) -> Nights:
    return LabelledNights(tmp_path, database, batch={"max_documents": 400})


def classify(nights: Nights, days_before: int = 0, **counts: int) -> None:
    day = DAY - timedelta(days=days_before)
    documents = {f"{day}-{label}-{n}": label for label, number in counts.items() for n in range(number)}
    nights.arrives("documents.jsonl", {**documents, f"{day}-blank": " "}, day)
    nights.classify(day)


def show(dsn: str, *options: str) -> Result:
    return CliRunner().invoke(app, ["night", "tickets", str(DAY), dsn, *options], env={"COLUMNS": "160"})


def test_all_of_a_night_is_shown_and_adds_up(nights: Nights, empty_database: str) -> None:
    for before in range(7, 0, -1):
        classify(nights, before, bug=200, invoice=150)
    classify(nights, bug=300, invoice=47, lose=3)
    record_forecast(nights.database, classifier="tickets", run_key="20261118", units=1_050, usd=0.525)
    result = show(empty_database)
    assert result.exit_code == 0, result.output
    for part in (
        "tickets, 2026-11-18: with warnings",
        "Warning: 3 of 350 documents that were sent have no label (0.9%).",
        "351 documents in = 347 classified + 3 failed + 1 rejected",
        "Cost 0.0045 USD (9 units), forecast 0.53 USD (1,050 units)",
        "347 documents not sent, 347 with a text that was sent for another one: 0.52 USD (1,041 units) saved",
        "no_labels",
        "2026-11-18-lose-0, 2026-11-18-lose-1, 2026-11-18-lose-2",
        "blank",
        "2026-11-18-blank",
        "job-20261118-00000-",
        "Labels, beside 7 nights before",
        "86.5%",
        "57.1%",
        "0.75",
        "bug 0.750, other 0.250",
        "Warning: The labels of 347 documents are distributed otherwise than in the 7 nights before",
    ):
        assert part in result.output
        assert result.output.count(part) == 1 or not part.startswith("Warning")
    (bug,) = [line for line in result.output.splitlines() if line.startswith("bug ")]
    assert bug.rstrip().endswith("more")


def test_missing_documents_are_a_part_of_the_sums(nights: Nights, empty_database: str) -> None:
    classify(nights, bug=20)
    nights.database.execute(
        "UPDATE nightsort.classification_runs"
        " SET state = 'incomplete', classified = 15, message = '5 missing'"
    )
    output = show(empty_database).output
    assert "tickets, 2026-11-18: incomplete" in output
    assert "21 documents in = 15 classified + 0 failed + 1 rejected + 5 missing" in output


def test_a_night_whose_predictions_were_dropped_has_its_sums(nights: Nights, empty_database: str) -> None:
    classify(nights, bug=20)
    for run in find_runs(nights.database, before=DAY + timedelta(days=1)):
        drop_run(nights.database, run)
    output = show(empty_database).output
    assert "21 documents in = 20 classified + 0 failed + 1 rejected" in output
    assert "The predictions of this night were deleted" in output
    assert "Least confident" not in output


def test_a_night_that_runs_has_no_figures_yet(nights: Nights, empty_database: str) -> None:
    start_run(
        nights.database,
        classifier="tickets",
        run_key="20261118",
        airflow_run=AirflowRun("classify_tickets", "scheduled__1"),
        source_uri=None,
        started_at=datetime(2026, 11, 19, tzinfo=timezone.utc),
    )
    output = show(empty_database).output
    assert "tickets, 2026-11-18: running" in output
    assert "Its documents are not counted yet" in output
    assert "Cost not known yet, no forecast" in output
    assert "documents in =" not in output
    assert "loaded before Nightsort counted" not in output


def test_a_day_without_documents_is_a_warning_unless_the_spec_says_that_it_is_fine(
    nights: Nights, empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nights.folder / str(DAY)).mkdir()
    nights.classify()
    monkeypatch.setenv("NIGHTSORT_SPECS", str(tmp_path))
    output = show(empty_database).output
    assert "tickets, 2026-11-18: with warnings" in output
    assert "No documents came in: look whether they arrived where the spec says." in output
    spec = nights.spec.model_dump(mode="json", exclude_unset=True)
    (tmp_path / "tickets.yaml").write_text(yaml.safe_dump({**spec, "no_files": "ok"}))
    assert "tickets, 2026-11-18: complete" in show(empty_database).output


def test_as_json_it_is_the_report(nights: Nights, empty_database: str) -> None:
    classify(nights, bug=20)
    report = json.loads(show(empty_database, "--json").stdout)
    assert report["run"]["classified"] == sum(report["histogram"]) == 20
    assert report["drift"]["drifted"] is None


def test_an_older_night_shows_what_it_has(nights: Nights, empty_database: str) -> None:
    classify(nights, bug=20, lose=1)
    nights.database.execute("DELETE FROM nightsort.run_statistics")
    output = show(empty_database).output
    assert "22 documents in = 20 classified + 1 failed + 1 rejected" in output
    assert "it was loaded before Nightsort counted them" in output


def test_another_run_of_the_day_is_named_and_can_be_shown(nights: Nights, empty_database: str) -> None:
    classify(nights, bug=20)
    by_hand = nights.arrives("by-hand.jsonl", {"one": "bug"})
    prepared, _ = nights.classify(source_uri=by_hand)
    assert f"for --run: {prepared.run_key}" in show(empty_database).output
    assert "1 document in = 1 classified" in show(empty_database, "--run", prepared.run_key).output
    refused = show(empty_database, "--run", "20261118-x")
    assert refused.exit_code == 2
    assert f"it has: 20261118, {prepared.run_key}" in refused.output


def test_a_day_without_a_run_says_which_day_has_one(nights: Nights, empty_database: str) -> None:
    classify(nights, 3, bug=5)
    refused = show(empty_database)
    assert refused.exit_code == 2
    assert "tickets has no run of 2026-11-18; the last day that has is 2026-11-15" in refused.output


def test_an_unknown_classifier_is_told_with_those_that_there_are(nights: Nights, empty_database: str) -> None:
    classify(nights, bug=5)
    refused = CliRunner().invoke(app, ["night", "tikcets", str(DAY), empty_database])
    assert (refused.exit_code, 'no classifier "tikcets"; they have: tickets' in refused.output) == (2, True)


def test_a_database_without_tables_says_what_makes_them(empty_database: str) -> None:
    refused = show(empty_database)
    assert refused.exit_code == 2
    assert "has no schema nightsort" in refused.output
    assert "nightsort init-db" in refused.output


def test_labels_and_ids_do_nothing_to_the_terminal(nights: Nights, empty_database: str) -> None:
    nights.arrives("a.jsonl", {f"id-{EVIL}": f"label-{EVIL}"})
    nights.classify()
    output = show(empty_database).output
    assert "[red]évil" in output
    assert "\x1b" not in output
    assert "\x07" not in output
