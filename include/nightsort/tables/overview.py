"""Read one row for each classifier: its last nights, what they cost, and its active version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from nightsort.tables.run_summaries import RunSummary, last_runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import psycopg


@dataclass(frozen=True)
class ClassifierOverview:
    """A classifier.

    :param nights: its last nights, the latest first; empty if there was none yet.
    :param version: the active version; ``None`` if none was promoted yet.
    :param metrics: of that version, as :class:`nightsort.evaluation.Metrics` has them.
    :param promoted_at: when it became active.
    :param nights_usd: what its nights have cost since the first of the month.
    :param trainings_usd: what its trainings have cost since then.
    """

    classifier: str
    nights: Sequence[RunSummary]
    version: str | None
    metrics: Mapping[str, float | None]
    promoted_at: datetime | None
    nights_usd: float
    trainings_usd: float


def classifier_names(conn: psycopg.Connection[Any]) -> list[str]:
    """Return the names of all classifiers that have a run or a version.

    :param conn: the database.
    """
    with conn.transaction():
        rows = conn.execute(
            "SELECT classifier FROM nightsort.classification_runs"
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
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    with conn.transaction():
        runs = last_runs(conn, names, runs=nights)
        # By the time of the run, as AWS bills; a day may be classified much later.
        spent = dict(
            conn.execute(
                "SELECT classifier, sum(cost_usd)::float8 FROM nightsort.classification_runs"
                " WHERE classifier = ANY(%s) AND coalesce(started_at, finished_at) >= %s GROUP BY 1",
                (names, month),
            ).fetchall()
        )
        trained = dict(
            conn.execute(
                "SELECT classifier, sum(cost_usd)::float8 FROM nightsort.classifier_versions"
                " WHERE classifier = ANY(%s) AND trained_at >= %s GROUP BY 1",
                (names, month),
            ).fetchall()
        )
        with conn.cursor(row_factory=dict_row) as cursor:
            versions = cursor.execute(
                "SELECT classifier, version, metrics, promoted_at FROM nightsort.classifier_versions"
                " WHERE classifier = ANY(%s) AND active",
                (names,),
            ).fetchall()
    active = {row["classifier"]: row for row in versions}
    return [
        ClassifierOverview(
            classifier=name,
            nights=runs[name],
            version=active.get(name, {}).get("version"),
            metrics=active.get(name, {}).get("metrics") or {},
            promoted_at=active.get(name, {}).get("promoted_at"),
            nights_usd=spent.get(name) or 0.0,
            trainings_usd=trained.get(name) or 0.0,
        )
        for name in names
    ]
