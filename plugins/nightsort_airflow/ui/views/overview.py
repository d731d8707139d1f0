"""The first page: each classifier a row, what needs a person first."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from nightsort_airflow.ui.formats import number
from nightsort_airflow.ui.marks import Bar, night_bars
from nightsort_airflow.ui.rights import CLASSIFY, TRAIN, dag_id
from nightsort_airflow.ui.views.endpoint import endpoint_now
from nightsort_airflow.ui.views.last_night import OtherRun, Rows, begun_night, facts_of, other_runs
from nightsort_airflow.ui.views.verdict import ASK, BAD, IDLE, Verdict, judge, judge_without_row, lateness

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from markupsafe import Markup

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.tables.overview import ActiveVersion, ClassifierOverview, Spending
    from nightsort.tables.run_summaries import RunSummary
    from nightsort_airflow.ui.addresses import Addresses, Link
    from nightsort_airflow.ui.airflow_state import AirflowFacts, DagFacts, RunFacts
    from nightsort_airflow.ui.views.endpoint import EndpointNow

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
    :param others: runs by hand, and of older days, that need a person.
    :param bars: the last 30 nights, drawn.
    :param month: what this month cost.
    :param endpoint: its endpoint; None if it has none.
    :param next_run: when the next run begins; None if nothing starts it.
    :param waits_for: why nothing starts it.
    """

    name: str
    spec: ClassifierSpec | None
    run: RunSummary | None
    verdict: Verdict
    links: Sequence[Link]
    earlier: Sequence[RunSummary]
    others: Sequence[OtherRun]
    bars: Markup | None
    active: ActiveVersion | None
    month: Spending | None
    endpoint: EndpointNow | None
    next_run: datetime | None
    waits_for: str

    @property
    def budget(self) -> float | None:
        """What a night may cost, in USD; None: no limit, or not known."""
        return self.spec.budget.run_usd if self.spec else None

    @property
    def nights_budget(self) -> float | None:
        """What this month's nights together may cost, by the budget of a night."""
        return self.month.budget(self.budget) if self.month else None

    @property
    def rank(self) -> int:
        """Where it belongs in a list; what needs a person comes first."""
        return min(verdict.rank for verdict in self._verdicts)

    @property
    def needs_attention(self) -> bool:
        """Whether a person should look."""
        return any(verdict.needs_attention for verdict in self._verdicts)

    @property
    def _verdicts(self) -> list[Verdict]:
        return [self.verdict, *(other.verdict for other in self.others)]

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
    :param rows: the rows of the DAG runs that go on or have failed.
    :param unread: by classifier why its tables could not be read.
    """

    specs: Mapping[str, ClassifierSpec]
    problems: Mapping[str, str]
    classifiers: Mapping[str, ClassifierOverview]
    airflow: AirflowFacts
    starts_schedules: bool
    rows: Rows = field(default_factory=Rows)
    unread: Mapping[str, str] = field(default_factory=dict)


def rows(names: Sequence[str], known: Known, addresses: Addresses, now: datetime) -> list[Row]:
    """
    Return the classifiers; those that need a person come first.

    :param names: the classifiers that the reader may see.
    :param known: what is known of them.
    :param addresses: for the links.
    :param now: the time.
    """
    found = [_row(name, known, addresses, now) for name in names]
    return sorted(found, key=lambda row: (row.rank, row.name))


def _row(name: str, known: Known, addresses: Addresses, now: datetime) -> Row:
    found = known.classifiers.get(name)
    nights, active = (found.nights, found.active) if found else ((), None)
    run = nights[0] if nights else None
    spec = known.specs.get(name)
    dag = known.airflow.dags.get(dag_id(CLASSIFY, name))
    no_files = spec.no_files if spec else "warn"
    verdict, facts = _last_night(name, run, known, no_files, has_version=active is not None)
    if spec and known.starts_schedules and name not in known.unread:
        verdict = _or_late(verdict, lateness(spec, dag, run, now))
    if name in known.problems and verdict.rank > 1:
        verdict = Verdict("spec is broken", BAD, 1, known.problems[name])
    job = (active.arn if active else None, found.failed_job if found else None)
    earlier = [night for night in nights[1:_WEEK] if judge(night).needs_attention]
    unsettled = known.airflow.unsettled.get(dag_id(CLASSIFY, name), ())
    others = other_runs(
        name,
        [] if name in known.unread else [each for each in unsettled if each is not facts],
        known.rows,
        addresses,
        shown=[night.run_key for night in earlier],
        now=now,
    )
    return Row(
        name=name,
        spec=spec,
        run=run,
        verdict=verdict,
        links=addresses.run_links(run, facts, *job) if verdict.reason else (),
        earlier=earlier,
        others=others,
        bars=_bars(nights, no_files) if nights else None,
        active=active,
        month=found.month if found else None,
        endpoint=endpoint_now(spec, found.openings if found else (), now),
        next_run=dag.next_run if dag and known.starts_schedules and not dag.is_paused else None,
        waits_for=_waits_for(spec, dag, known.starts_schedules),
    )


def _last_night(
    name: str, run: RunSummary | None, known: Known, no_files: str, *, has_version: bool
) -> tuple[Verdict, RunFacts | None]:
    """
    Return the verdict on a classifier's last night, and the DAG run that tells more.

    :param name: the classifier.
    :param run: its newest night.
    :param known: what is known of all.
    :param no_files: the spec's.
    :param has_version: whether a version is active.
    """
    unsettled = known.airflow.unsettled.get(dag_id(CLASSIFY, name), ())
    if name in known.unread:
        return Verdict("not readable", BAD, 1, known.unread[name]), next(iter(unsettled), None)
    begun = begun_night(run, unsettled, known.rows)
    if begun:
        return judge_without_row(begun), begun
    if run is not None:
        facts = facts_of(run, known.airflow)
        return judge(run, facts, no_files), facts
    first = dag_id(CLASSIFY if has_version else TRAIN, name)
    what = "No night yet" if has_version else "No version yet"
    return Verdict("none yet", IDLE, 5, f"{what}: start the DAG {first}."), None


def _or_late(verdict: Verdict, late: Verdict | None) -> Verdict:
    """Return that a night is late, unless its verdict says worse; a question stays in sight."""
    if late is None or verdict.rank <= late.rank:
        return verdict
    if verdict.tone == ASK:
        return replace(verdict, rank=late.rank, reason=f"{verdict.reason} {late.reason}")
    return late


def _waits_for(spec: ClassifierSpec | None, dag: DagFacts | None, starts_schedules: bool) -> str:
    if spec is None:
        return "no spec"
    if spec.schedule is None:
        return "by hand only"
    if dag is None:
        return "no DAG yet"
    return "paused" if dag.is_paused else "" if starts_schedules else "schedules are off"


def _bars(nights: Sequence[RunSummary], no_files: str) -> Markup:
    """Draw the nights, of which the first is the newest one."""
    verdicts = [(night, judge(night, no_files=no_files)) for night in reversed(nights)]
    bars = [
        Bar(
            night.documents_in,
            verdict.tone,
            f"{night.day}: {number(night.documents_in if night.counted else None)} documents, {verdict.word}",
        )
        for night, verdict in verdicts
    ]
    red = sum(verdict.tone == BAD for _, verdict in verdicts)
    return night_bars(bars, _NIGHTS, f"Documents of the last {len(bars)} nights; {red} of them red")
