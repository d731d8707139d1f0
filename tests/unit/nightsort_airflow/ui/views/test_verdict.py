from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from nightsort_airflow.ui.airflow_state import DagFacts
from nightsort_airflow.ui.views.verdict import judge, lateness
from tests.unit.nightsort_airflow.ui.ui_rows import FACTS, SPEC, run

NOON = datetime(2026, 11, 3, 12, 0, tzinfo=timezone.utc)
DUE = DagFacts(NOON + timedelta(hours=14), is_paused=False)


@pytest.mark.parametrize(
    ("night", "facts", "word", "tone"),
    [
        (run(), None, "complete", "good"),
        (run(state="failed", message="why"), None, "failed", "bad"),
        (run(state="incomplete"), None, "incomplete", "bad"),
        (run(failed=1), None, "with warnings", "warn"),
        (run(message="above a limit"), None, "with warnings", "warn"),
        (run(drifted=True), None, "with warnings", "warn"),
        (run(rejected=5), None, "complete", "good"),
        (run(state="running"), None, "running", "busy"),
        (
            run(state="running"),
            replace(FACTS, state="running", question="Approve?"),
            "waiting for approval",
            "ask",
        ),
        (run(state="running"), FACTS, "failed", "bad"),
        (run(documents_in=0, classified=0), None, "with warnings", "warn"),
        (run(), FACTS, "with warnings", "warn"),
        (run(), replace(FACTS, state="running"), "complete", "good"),
        (run(state="incomplete", message="1 missing"), FACTS, "incomplete", "bad"),
    ],
)
def test_a_night_in_a_word_and_a_colour(night: object, facts: object, word: str, tone: str) -> None:
    verdict = judge(night, facts)  # type: ignore[arg-type]
    assert (verdict.word, verdict.tone) == (word, tone)
    assert bool(verdict.reason) == (tone in ("bad", "warn", "ask"))


def test_a_red_night_that_was_cleared_is_running_and_says_what_was_wrong() -> None:
    again = judge(run(state="incomplete", message="1 of 2 missing"), replace(FACTS, state="queued"))
    assert (again.word, again.reason) == ("running", "Its tasks run again. Before: 1 of 2 missing.")


def test_a_night_that_is_loaded_says_that_a_later_task_failed() -> None:
    reason = judge(run(), replace(FACTS, failed_task="export_predictions")).reason
    assert reason == (
        "All is loaded, but the run failed in the task export_predictions. Its log says why and what to do."
    )


def test_a_night_without_documents_is_fine_where_the_spec_says_so() -> None:
    assert judge(run(documents_in=0, classified=0), no_files="ok").word == "complete"


def test_a_run_that_died_names_its_task() -> None:
    assert "classify_batch.start_job" in judge(run(state="running"), FACTS).reason


def test_a_run_that_is_due_and_has_not_begun_is_late() -> None:
    overdue = replace(DUE, next_run=NOON - timedelta(hours=1))
    late = lateness(SPEC, overdue, run(), NOON)
    assert late is not None
    assert "2026-11-03 11:00 (UTC)" in late.reason
    assert lateness(SPEC, replace(DUE, next_run=NOON - timedelta(minutes=5)), run(), NOON) is None
    assert lateness(SPEC, replace(overdue, is_paused=True), run(), NOON) is None
    assert lateness(SPEC, None, run(), NOON) is None


def test_a_night_is_late_when_its_hour_has_passed_and_it_is_not_loaded() -> None:
    spec = SPEC.model_copy(update={"loaded_by": "06:30"})
    day = datetime(2026, 11, 2, tzinfo=timezone.utc).date()
    late = lateness(spec, DUE, run(), NOON)
    assert late is not None
    assert "The night of 2026-11-02 was to be loaded by 06:30 (UTC)" in late.reason
    assert lateness(spec, DUE, run(day=day, state="running"), NOON) is not None
    assert lateness(spec, DUE, run(day=day), NOON) is None
    assert lateness(spec, DUE, run(day=day, state="failed"), NOON) is None, "red already"
    assert lateness(spec, DUE, run(), NOON.replace(hour=5)) is None
    assert lateness(SPEC, DUE, run(), NOON) is None, "no hour was promised"


def test_by_hand_only_is_never_late() -> None:
    assert lateness(SPEC.model_copy(update={"schedule": None}), DUE, None, NOON) is None
