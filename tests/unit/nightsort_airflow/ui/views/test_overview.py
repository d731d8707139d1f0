from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from nightsort.tables.overview import ActiveVersion, ClassifierOverview, Spending
from nightsort_airflow.ui.addresses import Addresses
from nightsort_airflow.ui.airflow_state import AirflowFacts, DagFacts
from nightsort_airflow.ui.views.overview import Known, rows
from tests.unit.nightsort_airflow.ui.ui_rows import ARN, BEGAN, FACTS, SPEC, run

if TYPE_CHECKING:
    from nightsort.tables.run_summaries import RunSummary

NOW = BEGAN + timedelta(hours=6)
ACTIVE = ActiveVersion("tickets", "v1", ARN, {"macro_f1": 0.8}, BEGAN)


def tables(name: str = "tickets", *nights: RunSummary, **values: Any) -> dict[str, ClassifierOverview]:
    """What the tables have of a classifier, whose version is active unless something else is said."""
    known = {"failed_job": None, "active": ACTIVE, "month": Spending(), **values}
    return {name: ClassifierOverview(name, nights, **known)}


def known(**values: Any) -> Known:
    defaults: dict[str, Any] = {
        "specs": {"tickets": SPEC},
        "problems": {},
        "classifiers": tables("tickets", run()),
        "airflow": AirflowFacts(),
        "starts_schedules": True,
    }
    return Known(**{**defaults, **values})


def only(**values: Any) -> Any:
    (row,) = rows(["tickets"], known(**values), Addresses("/nightsort"), NOW)
    return row


def test_a_good_night_needs_no_words() -> None:
    row = only()
    assert (row.verdict.word, row.verdict.reason, row.links, row.f1) == ("complete", "", (), 0.8)


def test_a_red_night_of_the_week_is_seen_behind_a_green_one() -> None:
    nights = [run(run_key="20261103"), run(run_key="20261102", state="failed"), run()]
    row = only(classifiers=tables("tickets", *nights))
    assert row.verdict.word == "complete"
    assert [night.run_key for night in row.earlier] == ["20261102"]
    assert "1 of them red" in row.bars


def test_a_run_that_failed_before_it_wrote_a_row_is_red_with_its_log() -> None:
    later = replace(FACTS, run_id="scheduled__2", failed_task="prepare_batches", started_at=NOW)
    row = only(airflow=AirflowFacts(latest_runs={"classify_tickets": later}))
    assert (row.verdict.word, row.verdict.tone) == ("failed", "bad")
    assert row.links[0].text == "Log of prepare_batches"


def test_an_older_run_that_failed_is_not_the_last_night() -> None:
    earlier = replace(FACTS, run_id="scheduled__0", started_at=BEGAN - timedelta(days=1))
    row = only(airflow=AirflowFacts(latest_runs={"classify_tickets": earlier}))
    assert row.verdict.word == "complete"


def test_no_night_says_which_dag_to_start() -> None:
    assert "train_tickets" in only(classifiers=tables(active=None)).verdict.reason
    assert "classify_tickets" in only(classifiers=tables()).verdict.reason
    running = AirflowFacts(latest_runs={"classify_tickets": replace(FACTS, state="running")})
    assert only(classifiers=tables(), airflow=running).verdict.word == "running"


def test_the_next_run_or_why_there_is_none() -> None:
    facts = {"classify_tickets": DagFacts(NOW + timedelta(hours=18), is_paused=False)}
    assert only(airflow=AirflowFacts(dags=facts)).next_run == NOW + timedelta(hours=18)
    assert only(airflow=AirflowFacts(dags=facts), starts_schedules=False).waits_for == "schedules are off"
    paused = {"classify_tickets": DagFacts(NOW, is_paused=True)}
    assert only(airflow=AirflowFacts(dags=paused)).waits_for == "paused"
    assert only(specs={}).waits_for == "no spec"
    assert only().waits_for == "no DAG yet"


def test_a_broken_spec_is_red_unless_the_night_is_red_already() -> None:
    assert only(problems={"tickets": "mode: wrong"}).verdict.reason == "mode: wrong"
    failed = tables("tickets", run(state="failed", message="x"))
    red = only(problems={"tickets": "mode: wrong"}, classifiers=failed)
    assert red.verdict.reason == "x."


def test_what_needs_a_person_comes_first() -> None:
    classifiers = {
        **tables("green", run()),
        **tables("red", run(state="incomplete", message="1 of 2 missing")),
        **tables("warned", run(failed=3)),
        **tables("busy", run(state="running")),
    }
    names = [*classifiers, "none"]
    found = rows(names, known(classifiers=classifiers), Addresses("/nightsort"), NOW)
    assert [row.name for row in found] == ["red", "warned", "busy", "none", "green"]


def test_this_month_is_held_against_the_budget_of_its_nights() -> None:
    month = Spending(nights=3, nights_usd=4.0, trainings_usd=2.0)
    budget = SPEC.budget.model_copy(update={"run_usd": 1.0})
    specs = {"tickets": SPEC.model_copy(update={"budget": budget})}
    row = only(classifiers=tables("tickets", run(), month=month), specs=specs)
    assert (row.month.usd, row.nights_budget) == (6.0, 3.0)
    assert only(classifiers=tables("tickets", run(), month=month), specs={}).nights_budget is None
