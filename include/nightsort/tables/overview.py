"""Read one row for each classifier: its last nights, what they cost, and its active version."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from psycopg.rows import class_row, dict_row

from nightsort.tables.endpoint_hours import openings_of, spent_of
from nightsort.tables.run_summaries import RunSummary, last_runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import psycopg

    from nightsort.opening.record import Record


@dataclass(frozen=True)
class ActiveVersion:
    """The version that classifies.

    :param metrics: as :class:`nightsort.evaluation.Metrics` has them; ``None`` if it was not measured.
    :param promoted_at: when it became active.
    """

    classifier: str
    version: str
    arn: str
    metrics: Mapping[str, float | None] | None
    promoted_at: datetime | None


@dataclass(frozen=True)
class Savings:
    """What the nights of a month did not pay for.

    :param repeated: documents that were not sent, because one with the same text was.
    :param reused: documents that were not sent, because an earlier run classified their text.
    :param units: units that these would have cost.
    :param usd: their price as a job, without nights that an endpoint answered: it is paid for by the second.
    """

    repeated: int = 0
    reused: int = 0
    units: int = 0
    usd: float = 0.0

    @property
    def documents(self) -> int:
        """All documents that were not sent."""
        return self.repeated + self.reused


@dataclass(frozen=True)
class Spending:
    """What a classifier cost in a month, and what it did not cost.

    :param nights: nights that began in it and cost something; a run of documents given by hand is no night.
    :param nights_usd: what they cost.
    :param by_hand_usd: what runs of documents given by hand cost that began in it.
    :param trainings_usd: what the trainings cost that ended in it.
    :param endpoint_usd: what the endpoint cost in it.
    :param saved: what equal texts saved in all these runs.
    """

    nights: int = 0
    nights_usd: float = 0.0
    by_hand_usd: float = 0.0
    trainings_usd: float = 0.0
    endpoint_usd: float = 0.0
    saved: Savings = field(default_factory=Savings)

    @property
    def usd(self) -> float:
        """The sum."""
        return self.nights_usd + self.by_hand_usd + self.trainings_usd + self.endpoint_usd

    def budget(self, run_usd: float | None) -> float | None:
        """Return what the nights may have cost together: the budget of a night for each that cost something.

        :param run_usd: the budget of a night, ``budget.run_usd``; ``None``: no limit.
        :returns: USD; ``None`` if there is no limit, or no such night yet.
        """
        return run_usd * self.nights if run_usd and self.nights else None


@dataclass(frozen=True)
class ClassifierOverview:
    """A classifier.

    :param nights: its last nights, the latest first; empty if there was none yet.
    :param failed_job: id of the last job that failed in the latest night; ``None`` if none did.
    :param active: the active version; ``None`` if none was promoted yet.
    :param month: what it has cost since the first of the month.
    :param openings: of its endpoint, those that go on or ended in the last two days, in order of time.
    """

    classifier: str
    nights: Sequence[RunSummary]
    failed_job: str | None
    active: ActiveVersion | None
    month: Spending
    openings: Sequence[Record] = ()


_FAILED_JOBS: Final = """
    SELECT classifier, failed_jobs -> -1 ->> 'job_id' FROM nightsort.classification_runs
    JOIN unnest(%(classifiers)s::text[], %(run_keys)s::text[]) AS asked (classifier, run_key)
        USING (classifier, run_key)
    WHERE failed_jobs <> '[]'
"""
_ACTIVE: Final = """
    SELECT classifier, version, arn, metrics, promoted_at FROM nightsort.classifier_versions
    WHERE classifier = ANY(%s) AND active
"""
# By the time of the run, as AWS bills; a day may be classified much later.
_RUNS: Final = """
    SELECT classifier,
        count(*) FILTER (WHERE source_uri IS NULL AND cost_usd > 0) AS nights,
        coalesce(sum(cost_usd) FILTER (WHERE source_uri IS NULL), 0)::float8 AS nights_usd,
        coalesce(sum(cost_usd) FILTER (WHERE source_uri IS NOT NULL), 0)::float8 AS by_hand_usd,
        sum(repeated)::bigint AS repeated, sum(reused)::bigint AS reused, sum(saved_units)::bigint AS units,
        coalesce(sum(saved_usd) FILTER (WHERE way IS DISTINCT FROM 'endpoint'), 0)::float8 AS usd
    FROM nightsort.classification_runs
    WHERE classifier = ANY(%(classifiers)s) AND coalesce(started_at, finished_at) >= %(since)s
        AND coalesce(started_at, finished_at) < %(until)s GROUP BY 1
"""
_TRAININGS_COST: Final = """
    SELECT classifier, sum(cost_usd)::float8 FROM nightsort.classifier_versions
    WHERE classifier = ANY(%(classifiers)s) AND trained_at >= %(since)s AND trained_at < %(until)s GROUP BY 1
"""
# In every time zone, this day began later.
_TODAY: Final = timedelta(days=2)


def classifier_names(conn: psycopg.Connection[Any]) -> list[str]:
    """Return the names of all classifiers that have a run or a version.

    :param conn: the database.
    """
    # One look-up of the primary key for each name, however many runs it has.
    with conn.transaction():
        rows = conn.execute(
            "WITH RECURSIVE ran AS ("
            " SELECT min(classifier) AS name FROM nightsort.classification_runs UNION ALL"
            " SELECT (SELECT min(classifier) FROM nightsort.classification_runs WHERE classifier > name)"
            " FROM ran WHERE name IS NOT NULL)"
            " SELECT name FROM ran WHERE name IS NOT NULL"
            " UNION SELECT classifier FROM nightsort.classifier_versions ORDER BY 1"
        ).fetchall()
    return [name for (name,) in rows]


def overview(
    conn: psycopg.Connection[Any], classifiers: Sequence[str], *, now: datetime, nights: int = 30
) -> list[ClassifierOverview]:
    """Return some classifiers with their last nights.

    :param conn: the database.
    :param classifiers: names of specs, of which none needs to have a row.
    :param now: the time in whose month costs are added up.
    :param nights: how many nights of each.
    """
    names = list(classifiers)
    with conn.transaction():
        runs = last_runs(conn, names, runs=nights)
        latest = [of_one[0] for of_one in runs.values() if of_one]
        keys = {
            "classifiers": [run.classifier for run in latest],
            "run_keys": [run.run_key for run in latest],
        }
        failed_jobs = dict(conn.execute(_FAILED_JOBS, keys).fetchall())
        with conn.cursor(row_factory=class_row(ActiveVersion)) as cursor:
            active = {row.classifier: row for row in cursor.execute(_ACTIVE, (names,))}
        spent = spent_in_month(conn, names, now)
        openings = openings_of(conn, names, now - _TODAY)
    return [
        ClassifierOverview(
            name,
            runs[name],
            failed_jobs.get(name),
            active.get(name),
            spent[name],
            openings.get(name, ()),
        )
        for name in names
    ]


def spent_in_month(
    conn: psycopg.Connection[Any], classifiers: Sequence[str], moment: datetime
) -> dict[str, Spending]:
    """Return what classifiers cost in a month, in UTC, and what equal texts saved.

    :param conn: the database.
    :param classifiers: names of specs.
    :param moment: a time in that month.
    """
    since = moment.astimezone(timezone.utc).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    until = (since + timedelta(days=31)).replace(day=1)
    values = {"classifiers": list(classifiers), "since": since, "until": until}
    with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        runs = {row.pop("classifier"): row for row in cursor.execute(_RUNS, values)}
        trainings = dict(conn.execute(_TRAININGS_COST, values).fetchall())
        endpoints = spent_of(conn, classifiers, since, until)
    saved = {
        name: Savings(*map(row.pop, ("repeated", "reused", "units", "usd"))) for name, row in runs.items()
    }
    return {
        name: Spending(
            **runs.get(name, {}),
            trainings_usd=trainings.get(name) or 0.0,
            endpoint_usd=endpoints.get(name, 0.0),
            saved=saved.get(name, Savings()),
        )
        for name in classifiers
    }
