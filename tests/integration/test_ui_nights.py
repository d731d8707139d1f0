"""The pages of the UI: what a night is called, and what its sums say."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from nightsort.tables.run_rows import AirflowRun, fail_run, start_run
from nightsort_airflow.ui.airflow_state import AirflowFacts, RunFacts
from nightsort_airflow.ui.formats import NOTHING
from tests.integration.ui_client import NOW, look, site_of
from tests.integration.ui_fixtures import own, specs
from tests.made_nights import FIRST_NIGHT, MadeNights

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

__all__ = ["own", "specs"]

pytestmark = pytest.mark.integration


class KnownRuns:
    """What Airflow knows of some DAG runs, where no Airflow runs."""

    starts_schedules = True

    def __init__(self, *runs: RunFacts) -> None:
        self._runs = runs

    def facts(self, dag_ids: Any, runs: Any, timezones: Any = None) -> AirflowFacts:
        by_dag: dict[str, list[RunFacts]] = {}
        for facts in self._runs:
            by_dag.setdefault(facts.dag_id, []).append(facts)
        return AirflowFacts(
            unsettled=by_dag, runs={(facts.dag_id, facts.run_id): facts for facts in self._runs}
        )


def start_by_hand(database: Any, run_key: str) -> None:
    start_run(
        database,
        classifier="tickets",
        run_key=run_key,
        airflow_run=AirflowRun("classify_tickets", "manual__2"),
        source_uri="s3://bucket/other/",
        started_at=NOW,
    )


def test_a_red_run_by_hand_leaves_a_complete_night_complete(own: TestClient, database: Any) -> None:
    made = MadeNights(database, "tickets")
    made.train("v1f2e3d4c5b6a")
    made.night(FIRST_NIGHT)
    start_by_hand(database, "20261101-0a1b2c3d")
    fail_run(
        database,
        classifier="tickets",
        airflow_run=AirflowRun("classify_tickets", "manual__2"),
        message="It is too dear.",
    )
    by_hand = RunFacts("classify_tickets", "manual__2", "failed", NOW, run_key="20261101-0a1b2c3d")
    site_of(own).airflow = KnownRuns(by_hand)
    for path in ("/", "/classifiers/tickets"):
        shown = look(own, path)
        assert "complete" in shown.text
        assert "Run by hand of 2026-11-01: failed. It is too dear." in shown.text
        assert any("/dags/classify_tickets/runs/manual__2" in link for link in shown.links)
    later = RunFacts("classify_tickets", "9", "failed", NOW, "prepare_batches", run_key="20261102")
    site_of(own).airflow = KnownRuns(by_hand, later)
    assert "failed in the task prepare_batches before it could write its row" in look(own, "/").text


def test_figures_that_are_not_known_yet_are_dashes(own: TestClient, database: Any) -> None:
    start_run(
        database,
        classifier="tickets",
        run_key="20261101",
        airflow_run=AirflowRun("classify_tickets", "scheduled__1"),
        source_uri=None,
        started_at=NOW,
    )
    assert f"running 2026-11-01 {NOTHING} {NOTHING}" in look(own, "/").text
    night = look(own, "/classifiers/tickets/nights/20261101").text
    assert f"{NOTHING} came in = {NOTHING} classified + {NOTHING} failed + {NOTHING} rejected" in night
    assert f"This night {NOTHING} {NOTHING} units" in night
    assert (
        f"running {NOTHING} {NOTHING} {NOTHING} {NOTHING} {NOTHING}" in look(own, "/classifiers/tickets").text
    )


def test_a_day_without_documents_is_a_warning_unless_the_spec_says_that_it_is_fine(
    own: TestClient, database: Any, specs: Path
) -> None:
    made = MadeNights(database, "tickets")
    made.train("v1f2e3d4c5b6a")
    key = made.night(FIRST_NIGHT, documents=0, statistics=False, cost_usd=0, units=0)
    paths = ("/", "/classifiers/tickets", f"/classifiers/tickets/nights/{key}")
    for path in paths:
        assert "with warnings" in look(own, path).text, path
        assert "No documents came in: look whether they arrived" in look(own, path).text
    with (specs / "tickets.yaml").open("a") as file:
        file.write("no_files: ok\n")
    for path in paths:
        assert "No documents came in" not in look(own, path).text, path


def test_what_equal_texts_saved_is_shown_for_the_night_and_for_the_month(
    own: TestClient, database: Any
) -> None:
    made = MadeNights(database, "tickets")
    made.train("v1f2e3d4c5b6a", day=FIRST_NIGHT - timedelta(days=9))
    saved: dict[str, Any] = {"repeated": 40, "reused": 2, "saved_units": 126, "saved_usd": 0.063}
    key = made.night(FIRST_NIGHT + timedelta(days=29), **saved, cost_usd=1.5, started_at=NOW)
    made.night(FIRST_NIGHT, documents=0, cost_usd=0, statistics=False, started_at=NOW)
    start_by_hand(database, "20261129-0a1b2c3d")
    database.execute("UPDATE nightsort.classification_runs SET cost_usd = 0.5 WHERE source_uri IS NOT NULL")
    night = look(own, f"/classifiers/tickets/nights/{key}").text
    assert (
        "Saved 0.0630 USD 126 units: 40 documents with the text of another one, 2 that an earlier run had"
        in night
    )
    month = (
        "1.50 USD for 1 night (budget 10.00 USD) and 0.50 USD for runs by hand; 0.0630 USD saved, "
        "42 documents not sent"
    )
    assert f"2.00 USD {month}" in look(own, "/").text
    assert f"This month 2.00 USD: {month}." in look(own, "/classifiers/tickets").text
    assert f"2.00 USD {month}" in night


def test_too_many_rows_do_not_add_up(own: TestClient, database: Any) -> None:
    made = MadeNights(database, "tickets")
    made.train("v1f2e3d4c5b6a")
    key = made.night(FIRST_NIGHT, documents=10, classified=12, state="incomplete", message="2 rows too many")
    shown = look(own, f"/classifiers/tickets/nights/{key}").text
    assert "The sums do not add up: 2 rows too many." in shown
