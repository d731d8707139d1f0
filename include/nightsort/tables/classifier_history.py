"""Read the versions of a classifier, with the decisions about them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from nightsort.tables.versions import find_versions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import psycopg

    from nightsort.tables.versions import ClassifierVersion


@dataclass(frozen=True)
class Decision:
    """Whether a version became active.

    :param against: the version that was active then; ``None`` if there was none.
    :param test_fingerprint: hash of the test data that both were measured on.
    :param metric: what was compared, with its value for the `old` and the `new` version.
    """

    version: str
    against: str | None
    test_fingerprint: str | None
    metric: str
    old: float | None
    new: float | None
    promoted: bool
    reason: str
    decided_at: datetime


@dataclass(frozen=True)
class VersionHistory:
    """A version with its decisions, the latest first."""

    version: ClassifierVersion
    decisions: Sequence[Decision]


def promotion_decisions(conn: psycopg.Connection[Any], classifier: str) -> list[Decision]:
    """Return the decisions about the versions of a classifier, the latest first.

    :param conn: the database.
    :param classifier: name of the spec.
    """
    with conn.transaction(), conn.cursor(row_factory=class_row(Decision)) as cursor:
        return cursor.execute(
            "SELECT version, nullif(against, '') AS against,"
            " nullif(test_fingerprint, '') AS test_fingerprint, metric, old, new, promoted, reason,"
            " decided_at FROM nightsort.promotion_decisions WHERE classifier = %s"
            " ORDER BY decided_at DESC",
            (classifier,),
        ).fetchall()


def classifier_history(
    conn: psycopg.Connection[Any], classifier: str, *, most: int = 100
) -> list[VersionHistory]:
    """Return the versions of a classifier, the newest first, without their large columns.

    :func:`nightsort.tables.versions.find_version` returns one whole, with confusion matrix and training
    report.

    :param conn: the database.
    :param classifier: name of the spec.
    :param most: how many versions.
    """
    with conn.transaction():
        versions = find_versions(conn, classifier, most=most)
        by_version = defaultdict(list)
        for decision in promotion_decisions(conn, classifier):
            by_version[decision.version].append(decision)
    return [VersionHistory(version, by_version[version.version]) for version in versions]
