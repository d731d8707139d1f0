"""Which run is the last night of a classifier, and which other runs need a person."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from nightsort.naming import is_night, run_day
from nightsort.tables.run_rows import AirflowRun
from nightsort_airflow.ui.views.verdict import judge, judge_without_row

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from nightsort.tables.run_summaries import RunSummary
    from nightsort_airflow.ui.addresses import Addresses, Link
    from nightsort_airflow.ui.airflow_state import AirflowFacts, RunFacts
    from nightsort_airflow.ui.views.verdict import Verdict

_RECENT: Final = timedelta(days=7)
"""How long a run beside the nights that failed is shown."""

_BESIDE: Final = 3


@dataclass(frozen=True)
class OtherRun:
    """
    A run that is not the last night and needs a person.

    :param what: which run it is.
    :param links: where to look further.
    """

    what: str
    verdict: Verdict
    links: Sequence[Link]


@dataclass(frozen=True)
class Rows:
    """
    The rows of DAG runs.

    :param of_dag_runs: the row of each that has one.
    :param of_keys: by classifier and key the row of a run, whichever DAG run made it last.
    """

    of_dag_runs: dict[AirflowRun, RunSummary] = field(default_factory=dict)
    of_keys: dict[tuple[str, str], RunSummary] = field(default_factory=dict)

    def add(self, found: Iterable[RunSummary]) -> None:
        """Take more rows in."""
        for run in found:
            self.of_keys[run.classifier, run.run_key] = run
            if run.dag_id and run.run_id:
                self.of_dag_runs[AirflowRun(run.dag_id, run.run_id)] = run

    def of(self, facts: RunFacts) -> RunSummary | None:
        """Return the row of a DAG run."""
        return self.of_dag_runs.get(AirflowRun(facts.dag_id, facts.run_id))


def begun_night(newest: RunSummary | None, unsettled: Iterable[RunFacts], rows: Rows) -> RunFacts | None:
    """
    Return the DAG run of a later night that has no row: it has only begun, or it failed before that.

    A run of an older day, or of documents that were given by hand, is not the last night.

    :param newest: the newest night that has a row.
    :param unsettled: the DAG runs that go on or have failed, the latest first.
    :param rows: their rows.
    """
    later = [
        facts
        for facts in unsettled
        if facts.run_key
        and is_night(facts.run_key)
        and rows.of(facts) is None
        and (newest is None or facts.run_key > newest.run_key)
    ]
    return max(later, key=lambda facts: facts.run_key or "", default=None)


def facts_of(run: RunSummary, airflow: AirflowFacts) -> RunFacts | None:
    """Return the DAG run that a row names, if Airflow knows it."""
    return airflow.runs.get((run.dag_id or "", run.run_id or ""))


def other_runs(
    classifier: str,
    unsettled: Iterable[RunFacts],
    rows: Rows,
    addresses: Addresses,
    *,
    shown: Collection[str],
    now: datetime,
) -> list[OtherRun]:
    """
    Return the runs that need a person, beside those that are shown as nights.

    :param classifier: its name.
    :param unsettled: the DAG runs that go on or have failed, the latest first, without the last night.
    :param rows: their rows.
    :param addresses: for the links.
    :param shown: keys of the nights that are shown as red already.
    :param now: the time.
    """
    found = []
    for facts in unsettled:
        run = rows.of(facts)
        row_of_key = rows.of_keys.get((classifier, facts.run_key or ""))
        if run is None and row_of_key is not None and _is_later(row_of_key, facts):
            continue
        verdict = judge(run, facts) if run else judge_without_row(facts, "It")
        recent = facts.started_at is not None and facts.started_at > now - _RECENT
        red = verdict.needs_attention and recent and (run is None or run.run_key not in shown)
        if facts.question or red:
            key = run.run_key if run else facts.run_key
            day = f" of {run_day(key)}" if key else ""
            by_hand = " by hand" if key is None or not is_night(key) else ""
            found.append(OtherRun(f"Run{by_hand}{day}", verdict, addresses.run_links(None, facts)))
    return found[:_BESIDE]


def _is_later(run: RunSummary, facts: RunFacts) -> bool:
    """Return whether a row is that of a later DAG run, which took it over."""
    return run.started_at is not None and facts.started_at is not None and run.started_at > facts.started_at
