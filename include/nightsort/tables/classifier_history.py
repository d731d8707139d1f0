"""Read the versions of a classifier, with the decisions about them."""

from __future__ import annotations

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


def classifier_history(conn: psycopg.Connection[Any], classifier: str) -> list[VersionHistory]:
    """Return the versions of a classifier, the one that was trained last first.

    :param conn: the database.
    :param classifier: name of the spec.
    """
    with conn.transaction():
        decisions = promotion_decisions(conn, classifier)
        versions = find_versions(conn, classifier)
    return [
        VersionHistory(version, [each for each in decisions if each.version == version.version])
        for version in versions
    ]
