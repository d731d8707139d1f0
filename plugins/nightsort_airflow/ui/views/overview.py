"""The first page: each classifier a row, what needs a person first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nightsort_airflow.ui.formats import number
from nightsort_airflow.ui.marks import Bar, night_bars
from nightsort_airflow.ui.rights import CLASSIFY, TRAIN, dag_id
from nightsort_airflow.ui.views.verdict import (
    BAD,
    BUSY,
    IDLE,
    Verdict,
    failed_before_it_began,
    judge,
    lateness,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from markupsafe import Markup

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.tables.overview import ActiveVersion, ClassifierOverview, Spending
    from nightsort.tables.run_summaries import RunSummary
    from nightsort_airflow.ui.addresses import Addresses, Link
    from nightsort_airflow.ui.airflow_state import AirflowFacts, DagFacts, RunFacts

_WEEK = 7
_NIGHTS = 30


@dataclass(frozen=True)
class Row:
    """
    One classifier.

    :param spec: None if no valid spec has this name.
    :param run: the last night; None if there is none.
    :param verdict: on the last night.
    :param links: where to look further.
    :param earlier: red nights of the week before it.
    :param bars: the last 30 nights, drawn.
    :param month: what this month cost.
    :param next_run: when the next run begins; None if nothing starts it.
    :param waits_for: why nothing starts it.
    """

    name: str
    spec: ClassifierSpec | None
    run: RunSummary | None
    verdict: Verdict
    links: Sequence[Link]
    earlier: Sequence[RunSummary]
    bars: Markup | None
    active: ActiveVersion | None
    month: Spending | None
    next_run: datetime | None
    waits_for: str

    @property
    def budget(self) -> float | None:
        """What a night may cost, in USD; None: no limit, or not known."""
        return self.spec.budget.run_usd if self.spec else None

    @property
    def nights_budget(self) -> float | None:
        """What this month's nights together may cost, by the budget of a night."""
        return self.budget * self.month.nights if self.budget and self.month else None

    @property
    def f1(self) -> float | None:
        """The macro F1 of the active version."""
        return (self.active.metrics or {}).get("macro_f1") if self.active else None


@dataclass(frozen=True)
class Known:
    """
    What is known of all classifiers that a reader may see.

    :param specs: the valid specs by name.
    :param problems: what is wrong with the broken ones, by name.
    :param classifiers: what the tables have of each.
    :param airflow: what Airflow knows of their DAGs.
    :param starts_schedules: whether Airflow starts scheduled runs at all.
    """

    specs: Mapping[str, ClassifierSpec]
    problems: Mapping[str, str]
    classifiers: Mapping[str, ClassifierOverview]
    airflow: AirflowFacts
    starts_schedules: bool


def rows(names: Sequence[str], known: Known, addresses: Addresses, now: datetime) -> list[Row]:
    """
    Return the classifiers; those that need a person come first.

    :param names: the classifiers that the reader may see.
    :param known: what is known of them.
    :param addresses: for the links.
    :param now: the time.
    """
    found = [_row(name, known, addresses, now) for name in names]
    return sorted(found, key=lambda row: (row.verdict.rank, row.name))


def _row(name: str, known: Known, addresses: Addresses, now: datetime) -> Row:
    found = known.classifiers.get(name)
    nights, active = (found.nights, found.active) if found else ((), None)
    run = nights[0] if nights else None
    spec = known.specs.get(name)
    dag = known.airflow.dags.get(dag_id(CLASSIFY, name))
    verdict, facts = _last_night(name, run, known.airflow, has_version=active is not None)
    if spec and known.starts_schedules:
        late = lateness(spec, dag, run, now)
        if late and late.rank < verdict.rank:
            verdict = late
    if name in known.problems and verdict.rank > 1:
        verdict = Verdict("spec is broken", BAD, 1, known.problems[name])
    job = (active.arn if active else None, found.failed_job if found else None)
    return Row(
        name=name,
        spec=spec,
        run=run,
        verdict=verdict,
        links=addresses.run_links(run, facts, *job) if verdict.reason else (),
        earlier=[night for night in nights[1:_WEEK] if judge(night).needs_attention],
        bars=_bars(nights) if nights else None,
        active=active,
        month=found.month if found else None,
        next_run=dag.next_run if dag and known.starts_schedules and not dag.is_paused else None,
        waits_for=_waits_for(spec, dag, known.starts_schedules),
    )


def _last_night(
    name: str, run: RunSummary | None, airflow: AirflowFacts, *, has_version: bool
) -> tuple[Verdict, RunFacts | None]:
    """
    Return the verdict on a classifier's last night, and the DAG run that tells more.

    :param name: the classifier.
    :param run: its newest night.
    :param airflow: what Airflow knows of its runs.
    :param has_version: whether a version is active.
    """
    latest = airflow.latest_runs.get(dag_id(CLASSIFY, name))
    if run is not None:
        facts = airflow.runs.get((run.dag_id or "", run.run_id or ""))
        if latest and latest.state == "failed" and _is_newer(latest, run):
            return failed_before_it_began(latest), latest
        return judge(run, facts), facts
    if latest and latest.state == "failed":
        return failed_before_it_began(latest), latest
    if latest and latest.state in ("running", "queued"):
        return Verdict("running", BUSY, 4), latest
    first = dag_id(CLASSIFY if has_version else TRAIN, name)
    what = "No night yet" if has_version else "No version yet"
    return Verdict("none yet", IDLE, 5, f"{what}: start the DAG {first}."), None


def _is_newer(latest: RunFacts, run: RunSummary) -> bool:
    """Return whether a DAG run began after the night of the newest row did."""
    if (latest.dag_id, latest.run_id) == (run.dag_id, run.run_id) or latest.started_at is None:
        return False
    return run.started_at is None or latest.started_at > run.started_at


def _waits_for(spec: ClassifierSpec | None, dag: DagFacts | None, starts_schedules: bool) -> str:
    if spec is None:
        return "no spec"
    if spec.schedule is None:
        return "by hand only"
    if dag is None:
        return "no DAG yet"
    return "paused" if dag.is_paused else "" if starts_schedules else "schedules are off"


def _bars(nights: Sequence[RunSummary]) -> Markup:
    """Draw the nights, of which the first is the newest one."""
    verdicts = [(night, judge(night)) for night in reversed(nights)]
    bars = [
        Bar(
            night.documents_in,
            verdict.tone,
            f"{night.day}: {number(night.documents_in)} documents, {verdict.word}",
        )
        for night, verdict in verdicts
    ]
    red = sum(verdict.tone == BAD for _, verdict in verdicts)
    return night_bars(bars, _NIGHTS, f"Documents of the last {len(bars)} nights; {red} of them red")
