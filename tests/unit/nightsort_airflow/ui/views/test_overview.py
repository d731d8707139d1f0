from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from nightsort.tables.overview import ActiveVersion, ClassifierOverview, Spending
from nightsort_airflow.ui.addresses import Addresses
from nightsort_airflow.ui.airflow_state import AirflowFacts, DagFacts
from nightsort_airflow.ui.formats import NOTHING
from nightsort_airflow.ui.views.last_night import Rows
from nightsort_airflow.ui.views.overview import Known, rows
from tests.unit.nightsort_airflow.ui.ui_rows import ARN, BEGAN, FACTS, SPEC, run

if TYPE_CHECKING:
    from nightsort.tables.run_summaries import RunSummary
    from nightsort_airflow.ui.airflow_state import RunFacts

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


def unsettled(*runs: RunFacts) -> AirflowFacts:
    """What Airflow knows of runs that go on or have failed, the latest first."""
    found = {(facts.dag_id, facts.run_id): facts for facts in runs}
    return AirflowFacts(unsettled={"classify_tickets": list(runs)}, runs=found)


def rows_of(*runs: RunSummary) -> Rows:
    """The rows of runs."""
    found = Rows()
    found.add(runs)
    return found


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
    later = replace(
        FACTS, run_id="scheduled__2", failed_task="prepare_batches", started_at=NOW, run_key="20261102"
    )
    row = only(airflow=unsettled(later))
    assert (row.verdict.word, row.verdict.tone) == ("failed", "bad")
    assert row.links[0].text == "Log of prepare_batches"


def test_an_older_run_that_failed_is_not_the_last_night() -> None:
    earlier = replace(FACTS, run_id="scheduled__0", started_at=BEGAN - timedelta(days=1), run_key="20261031")
    row = only(airflow=unsettled(earlier))
    assert row.verdict.word == "complete"


def test_no_night_says_which_dag_to_start() -> None:
    assert "train_tickets" in only(classifiers=tables(active=None)).verdict.reason
    assert "classify_tickets" in only(classifiers=tables()).verdict.reason
    running = unsettled(replace(FACTS, state="running", run_key="20261101"))
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
    month = Spending(nights=3, nights_usd=4.0, trainings_usd=1.5, endpoint_usd=0.5)
    budget = SPEC.budget.model_copy(update={"run_usd": 1.0})
    specs = {"tickets": SPEC.model_copy(update={"budget": budget})}
    row = only(classifiers=tables("tickets", run(), month=month), specs=specs)
    assert (row.month.usd, row.nights_budget) == (6.0, 3.0)
    assert only(classifiers=tables("tickets", run(), month=month), specs={}).nights_budget is None


def test_a_night_that_cost_something_or_nothing_counts_for_the_budget_by_one_function() -> None:
    assert Spending(nights=3).budget(2.0) == 6.0
    assert Spending(nights=3).budget(None) is None
    assert Spending(nights=0).budget(2.0) is None


BY_HAND = run(
    run_key="20261101-0a1b2c3d",
    state="failed",
    message="Too dear.",
    source_uri="s3://b/x/",
    run_id="manual__2",
)
OF_HAND = replace(FACTS, run_id="manual__2", run_key="20261101-0a1b2c3d", started_at=NOW)


def test_a_red_run_by_hand_leaves_the_night_complete_and_is_shown_beside_it() -> None:
    row = only(airflow=unsettled(OF_HAND), rows=rows_of(BY_HAND, run()))
    assert row.verdict.word == "complete"
    (other,) = row.others
    assert (other.what, other.verdict.word, other.verdict.reason) == (
        *("Run by hand of 2026-11-01", "failed"),
        "Too dear.",
    )
    assert row.needs_attention
    assert row.rank == 0


def test_an_older_day_that_fails_again_leaves_the_last_night_as_it_is() -> None:
    red = run(run_key="20261015", day=date(2026, 10, 15), state="incomplete", message="1 missing", run_id="m")
    again = replace(FACTS, run_id="m", run_key="20261015", started_at=NOW)
    row = only(airflow=unsettled(again), rows=rows_of(red))
    assert row.verdict.word == "complete"
    assert [other.what for other in row.others] == ["Run of 2026-10-15"]
    month_ago = replace(again, started_at=NOW - timedelta(days=30))
    assert only(airflow=unsettled(month_ago), rows=rows_of(red)).others == []


def test_a_red_night_of_the_week_is_named_once() -> None:
    red = run(run_key="20261031", day=date(2026, 10, 31), state="incomplete", run_id="scheduled__0")
    facts = replace(FACTS, run_id="scheduled__0", run_key="20261031", started_at=NOW - timedelta(days=1))
    row = only(classifiers=tables("tickets", run(), red), airflow=unsettled(facts), rows=rows_of(red))
    assert ([night.run_key for night in row.earlier], row.others) == (["20261031"], [])


def test_a_later_night_that_failed_is_seen_behind_a_run_of_an_older_day() -> None:
    """The latest DAG run is not the latest night."""
    older = replace(FACTS, state="running", run_id="manual__3", run_key="20261015", started_at=NOW)
    failed = replace(FACTS, run_id="scheduled__2", run_key="20261102", started_at=NOW - timedelta(hours=1))
    row = only(airflow=unsettled(older, failed))
    assert (row.verdict.word, row.others) == ("failed", [])


def test_the_latest_try_of_a_later_night_counts() -> None:
    failed = replace(FACTS, run_id="scheduled__2", run_key="20261102", started_at=NOW - timedelta(hours=1))
    again = replace(FACTS, state="running", run_id="manual__3", run_key="20261102", started_at=NOW)
    assert only(airflow=unsettled(again, failed)).verdict.word == "running"


def test_a_run_whose_row_a_later_one_took_over_is_settled() -> None:
    """Two runs of the day: the first one failed, the second one is complete and has the row."""
    failed = replace(FACTS, run_id="scheduled__0", run_key="20261101", started_at=BEGAN - timedelta(hours=1))
    row = only(airflow=unsettled(failed), rows=rows_of(run()))
    assert (row.verdict.word, row.others, row.needs_attention) == ("complete", [], False)
    again = replace(failed, run_id="manual__4", started_at=BEGAN + timedelta(hours=1))
    row = only(airflow=unsettled(again), rows=rows_of(run()))
    assert row.verdict.word == "complete"
    assert "before it could write its row" in row.others[0].verdict.reason


def test_a_question_beside_the_nights_waits_for_a_person_however_old_it_is() -> None:
    asks = replace(
        OF_HAND,
        state="running",
        question="Approve 9 USD?",
        started_at=NOW - timedelta(days=9),
        failed_task=None,
    )
    row = only(airflow=unsettled(asks), rows=rows_of(replace(BY_HAND, state="running", message=None)))
    assert row.verdict.word == "complete"
    assert (row.others[0].verdict.word, row.others[0].verdict.reason) == (
        "waiting for approval",
        "Approve 9 USD?",
    )
    assert row.others[0].links[0].text == "Answer the question"


def test_a_night_that_waits_for_approval_says_so_although_it_is_late() -> None:
    spec = SPEC.model_copy(update={"loaded_by": "03:00"})
    asks = replace(FACTS, state="running", question="Approve 9 USD?", run_key="20261101")
    waits = run(state="running", documents_in=0, classified=0)
    facts = replace(
        unsettled(asks), dags={"classify_tickets": DagFacts(NOW + timedelta(hours=18), is_paused=False)}
    )
    row = only(
        classifiers=tables("tickets", waits), airflow=facts, rows=rows_of(waits), specs={"tickets": spec}
    )
    assert (row.verdict.word, row.verdict.tone, row.rank) == ("waiting for approval", "ask", 1)
    assert row.verdict.reason.startswith("Approve 9 USD? The night of 2026-11-01 was to be loaded by 03:00")
    assert row.links[0].text == "Answer the question"


def test_the_page_says_which_tables_it_could_not_read_and_calls_no_night_good() -> None:
    row = only(unread={"tickets": "The connection is gone."}, classifiers={}, airflow=unsettled(OF_HAND))
    assert (row.verdict.word, row.verdict.tone, row.others) == ("not readable", "bad", [])
    assert row.verdict.reason == "The connection is gone."
    assert row.links[-1].text == "Run in Airflow"


def test_the_bars_do_not_count_what_is_not_counted() -> None:
    begun = tables("tickets", run(state="running", documents_in=0))
    assert f"{NOTHING} documents, running" in only(classifiers=begun).bars
