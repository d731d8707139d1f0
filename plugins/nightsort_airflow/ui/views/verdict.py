"""How a night went, in a word and a colour, with the reason and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from nightsort.classifier_spec.schedule import last_start
from nightsort.reports.outcomes import WITH_WARNINGS, outcome
from nightsort.tables.run_rows import FAILED, RUNNING

if TYPE_CHECKING:
    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.tables.run_summaries import RunSummary
    from nightsort_airflow.ui.airflow_state import DagFacts, RunFacts

BAD: Final = "bad"
WARN: Final = "warn"
ASK: Final = "ask"
BUSY: Final = "busy"
IDLE: Final = "idle"
GOOD: Final = "good"

_OVERDUE: Final = timedelta(minutes=15)
"""How long after its time a run may begin; the scheduler itself needs seconds."""


@dataclass(frozen=True)
class Verdict:
    """
    How a night went.

    :param word: for a person.
    :param tone: the colour: one of the constants of this module.
    :param rank: where it belongs in a list; what needs a person comes first.
    :param reason: why, and what to do; empty if all is well.
    """

    word: str
    tone: str
    rank: int
    reason: str = ""

    @property
    def needs_attention(self) -> bool:
        """Whether a person should look."""
        return self.tone in (BAD, ASK)


def judge(run: RunSummary, facts: RunFacts | None = None, no_files: str = "warn") -> Verdict:
    """
    Return how a night went.

    :param run: its row.
    :param facts: the DAG run that the row names, if Airflow knows it.
    :param no_files: the spec's; with ``ok`` a night without documents is no warning.
    """
    found = outcome(run, no_files)
    reason = " ".join(found.reasons)
    if facts and facts.question:
        return Verdict("waiting for approval", ASK, 2, facts.question)
    if facts and facts.is_open and not found.is_complete:
        again = f"Its tasks run again. Before: {reason}" if reason else ""
        return Verdict(RUNNING, BUSY, 4, again)
    if facts and facts.state == "failed":
        if run.state == RUNNING:
            reason = (
                f"The run failed{facts.in_task} before its sums were made. Its log says why; clear the task "
                "to go on."
            )
            return Verdict(FAILED, BAD, 0, reason)
        if found.is_complete:
            after = f"All is loaded, but the run failed{facts.in_task}. Its log says why and what to do."
            return Verdict(WITH_WARNINGS, WARN, 3, " ".join((*found.reasons, after)))
    if found.word == RUNNING:
        return Verdict(RUNNING, BUSY, 4)
    if not found.is_complete:
        return Verdict(found.word, BAD, 0, reason or "The run says no reason: see the log of its last task.")
    return Verdict(found.word, WARN, 3, reason) if reason else Verdict(found.word, GOOD, 6)


def judge_without_row(facts: RunFacts, what: str = "The latest run") -> Verdict:
    """
    Return the verdict on a DAG run that has no row: it has only begun, or it failed before that.

    :param facts: the DAG run.
    :param what: what the reason calls it.
    """
    if facts.is_open:
        return Verdict(RUNNING, BUSY, 4)
    reason = f"{what} failed{facts.in_task} before it could write its row. Its log says why and what to do."
    return Verdict(FAILED, BAD, 0, reason)


def lateness(
    spec: ClassifierSpec, dag: DagFacts | None, newest: RunSummary | None, now: datetime
) -> Verdict | None:
    """
    Return the verdict on a night that should be there; None if none is late.

    A night is late if the spec's ``loaded_by`` has passed, or if the scheduler has not begun a run that is
    due.

    :param spec: with schedule and ``loaded_by``.
    :param dag: Airflow's word on the nightly DAG; without it, or if it is paused, nothing is late.
    :param newest: the newest night.
    :param now: the time.
    """
    if spec.schedule is None or dag is None or dag.is_paused:
        return None
    if dag.next_run is not None and now > dag.next_run + _OVERDUE:
        due = dag.next_run.astimezone(ZoneInfo(spec.timezone))
        reason = (
            f"The run of {due:%Y-%m-%d %H:%M} ({spec.timezone}) has not begun: look whether the scheduler "
            "works, and whether an earlier run still goes on."
        )
        return Verdict("late", BAD, 1, reason)
    if spec.loaded_by is None:
        return None
    start, day = last_start(spec.schedule, spec.timezone, now)
    due = datetime.combine(start.date(), time.fromisoformat(spec.loaded_by), start.tzinfo)
    if due < start:
        due += timedelta(days=1)
    there = newest is not None and newest.day >= day and newest.state != RUNNING
    if now <= due or there:
        return None
    reason = f"The night of {day} was to be loaded by {spec.loaded_by} ({spec.timezone}) and is not."
    return Verdict("late", BAD, 1, reason)
