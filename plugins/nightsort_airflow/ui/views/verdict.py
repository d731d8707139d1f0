"""How a night went, in a word and a colour, with the reason and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from nightsort.classifier_spec.schedule import last_start
from nightsort.wording import number_of

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


def judge(run: RunSummary | None, facts: RunFacts | None = None) -> Verdict:
    """
    Return how a night went.

    :param run: its row; None if there is none.
    :param facts: the DAG run, if Airflow knows it.
    """
    if run is None:
        return Verdict("none yet", IDLE, 5)
    if run.state == "running":
        return _unfinished(facts)
    if run.state in ("failed", "incomplete"):
        reason = run.message or "The run says no reason: see the log of its last task"
        return Verdict(run.state, BAD, 0, sentence(reason))
    warnings = _warnings(run)
    if warnings:
        return Verdict("with warnings", WARN, 3, " ".join(warnings))
    return Verdict("complete", GOOD, 6)


def _unfinished(facts: RunFacts | None) -> Verdict:
    if facts and facts.question:
        return Verdict("waiting for approval", ASK, 2, facts.question)
    if facts and facts.state == "failed":
        task = f" in the task {facts.failed_task}" if facts.failed_task else ""
        reason = f"The run failed{task} before its sums were made. Its log says why; clear the task to go on."
        return Verdict("failed", BAD, 0, reason)
    return Verdict("running", BUSY, 4)


def _warnings(run: RunSummary) -> list[str]:
    warnings = []
    if run.message:
        warnings.append(sentence(run.message))
    elif run.failed:
        sent = run.classified + run.failed
        warnings.append(
            f"{run.failed:,} of {number_of(sent, 'document')} that were sent have no label "
            f"({run.failed / sent:.1%}): the page of the night has the reasons."
        )
    if run.drifted:
        warnings.append(run.drift or "The labels are distributed otherwise than in the nights before.")
    return warnings


def failed_before_it_began(facts: RunFacts) -> Verdict:
    """
    Return the verdict on a run that failed and has no row.

    :param facts: the DAG run.
    """
    task = f" in the task {facts.failed_task}" if facts.failed_task else ""
    reason = f"The latest run failed{task} before it could write its row. Its log says why and what to do."
    return Verdict("failed", BAD, 0, reason)


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
    there = newest is not None and newest.day >= day and newest.state != "running"
    if now <= due or there:
        return None
    reason = f"The night of {day} was to be loaded by {spec.loaded_by} ({spec.timezone}) and is not."
    return Verdict("late", BAD, 1, reason)


def sentence(text: str) -> str:
    """Return a text with a full stop, unless it ends like a sentence."""
    return text if text.endswith((".", "!", "?")) else f"{text}."
