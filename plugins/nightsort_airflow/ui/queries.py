"""What the pages ask the tables: few statements, by keys, whatever the size of the table of predictions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from psycopg.rows import class_row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    import psycopg
    from typing_extensions import LiteralString

    from nightsort.tables.run_summaries import RunSummary

T = TypeVar("T")

NIGHTS_SHOWN: Final = 30
"""Nights of the small charts and of the list of nights."""


@dataclass(frozen=True)
class LabelNight:
    """How a night's documents are distributed over the labels."""

    run_key: str
    day: date
    version: str | None
    labels: list[str]
    documents: list[int]
    score_sums: list[float]
    drifted: bool | None
    drift: dict[str, Any] | None


@dataclass(frozen=True)
class Version:
    """A row of ``classifier_versions`` without its confusion matrix."""

    version: str
    arn: str
    mode: str
    language: str
    status: str | None
    message: str | None
    test_fingerprint: str | None
    training_uri: str | None
    training_documents: int | None
    test_documents: int | None
    labels: dict[str, dict[str, int]] | None
    metrics: dict[str, float | None] | None
    training_seconds: float | None
    cost_usd: float | None
    trained_at: datetime | None
    recorded_at: datetime
    promoted_at: datetime | None
    approved_by: str | None
    active: bool


@dataclass(frozen=True)
class ActiveVersion:
    """The version that classifies."""

    classifier: str
    version: str
    arn: str
    metrics: dict[str, float | None] | None


@dataclass(frozen=True)
class Spending:
    """What nights and trainings of a classifier cost in a month."""

    classifier: str
    usd: float
    nights: int = field(default=0)


_NEIGHBOURS: Final = """
    SELECT (SELECT max(run_key) FROM nightsort.classification_runs
            WHERE classifier = %(classifier)s AND run_key < %(run_key)s),
           (SELECT min(run_key) FROM nightsort.classification_runs
            WHERE classifier = %(classifier)s AND run_key > %(run_key)s)
"""
_FAILED_JOBS: Final = """
    SELECT classifier, failed_jobs -> -1 ->> 'job_id' FROM nightsort.classification_runs
    JOIN unnest(%(classifiers)s::text[], %(run_keys)s::text[]) AS asked (classifier, run_key)
        USING (classifier, run_key)
    WHERE failed_jobs <> '[]'
"""
# Runs of sources given by hand are about other documents than the nights.
_LABEL_NIGHTS: Final = """
    SELECT run.run_key, run.day, run.version, statistics.labels, statistics.documents, statistics.score_sums,
           statistics.drifted, statistics.drift
    FROM nightsort.classification_runs run
    JOIN nightsort.run_statistics statistics USING (classifier, run_key)
    WHERE run.classifier = %(classifier)s AND run.source_uri IS NULL
      AND run.run_key < %(before)s AND run.state = 'complete'
      AND (%(version)s::text IS NULL OR run.version = %(version)s)
    ORDER BY run.run_key DESC LIMIT %(nights)s
"""
_SPENT: Final = """
    SELECT classifier, sum(cost_usd)::float8 AS usd, count(*) AS nights FROM nightsort.classification_runs
    WHERE classifier = ANY(%(classifiers)s) AND started_at >= %(since)s GROUP BY classifier
"""
_ACTIVE: Final = """
    SELECT classifier, version, arn, metrics FROM nightsort.classifier_versions
    WHERE classifier = ANY(%(classifiers)s) AND active
"""
_VERSIONS: Final = """
    SELECT version, arn, mode, language, status, message, test_fingerprint, training_uri, training_documents,
           test_documents, labels, metrics, training_seconds, cost_usd::float8 AS cost_usd, trained_at,
           recorded_at, promoted_at, approved_by, active
    FROM nightsort.classifier_versions WHERE classifier = %(classifier)s
    ORDER BY coalesce(trained_at, recorded_at) DESC LIMIT %(versions)s
"""
_MATRIX: Final = """
    SELECT confusion_matrix FROM nightsort.classifier_versions
    WHERE classifier = %(classifier)s AND version = %(version)s
"""
_LAST_KEY: Final = "99999999"


def failed_jobs(conn: psycopg.Connection[Any], runs: Sequence[RunSummary]) -> dict[str, str]:
    """
    Return the id of the last job that failed, by classifier.

    :param conn: the database.
    :param runs: one of each classifier.
    """
    values = {
        "classifiers": [run.classifier for run in runs],
        "run_keys": [run.run_key for run in runs],
    }
    return dict(conn.execute(_FAILED_JOBS, values).fetchall())


def neighbours(conn: psycopg.Connection[Any], classifier: str, run_key: str) -> tuple[str | None, str | None]:
    """Return the keys of the nights before and after one."""
    row = conn.execute(_NEIGHBOURS, {"classifier": classifier, "run_key": run_key}).fetchone()
    return row or (None, None)


def label_nights(
    conn: psycopg.Connection[Any],
    classifier: str,
    *,
    nights: int,
    before: str = _LAST_KEY,
    version: str | None = None,
) -> list[LabelNight]:
    """
    Return the labels of complete nights, the latest first.

    :param conn: the database.
    :param classifier: name of the spec.
    :param nights: how many at most.
    :param before: only nights before this run key.
    :param version: only nights that this version classified.
    """
    values = {"before": before, "nights": nights, "version": version}
    return _rows(conn, LabelNight, _LABEL_NIGHTS, classifier=classifier, **values)


def spent_since(
    conn: psycopg.Connection[Any], classifiers: Sequence[str], since: datetime
) -> dict[str, Spending]:
    """
    Return what the nights that began since a moment cost, by classifier.

    :param conn: the database.
    :param classifiers: names of classifiers.
    :param since: the moment.
    """
    found = _rows(conn, Spending, _SPENT, classifiers=list(classifiers), since=since)
    return {spending.classifier: spending for spending in found}


def active_versions(conn: psycopg.Connection[Any], classifiers: Sequence[str]) -> dict[str, ActiveVersion]:
    """Return the active version of each classifier that has one."""
    found = _rows(conn, ActiveVersion, _ACTIVE, classifiers=list(classifiers))
    return {version.classifier: version for version in found}


def versions(conn: psycopg.Connection[Any], classifier: str, most: int = 100) -> list[Version]:
    """Return the versions of a classifier, the newest one first."""
    return _rows(conn, Version, _VERSIONS, classifier=classifier, versions=most)


def confusion_matrix(conn: psycopg.Connection[Any], classifier: str, version: str) -> dict[str, Any] | None:
    """Return the confusion matrix of a version, as Comprehend wrote it; None if there is none."""
    row = conn.execute(_MATRIX, {"classifier": classifier, "version": version}).fetchone()
    return row[0] if row else None


def arn_of(conn: psycopg.Connection[Any], classifier: str, version: str | None) -> str | None:
    """Return the ARN of a version; None if it has no row."""
    query = "SELECT arn FROM nightsort.classifier_versions WHERE classifier = %s AND version = %s"
    row = conn.execute(query, (classifier, version)).fetchone()
    return row[0] if row else None


def _rows(conn: psycopg.Connection[Any], kind: type[T], query: LiteralString, **parameters: Any) -> list[T]:
    return conn.cursor(row_factory=class_row(kind)).execute(query, parameters).fetchall()
