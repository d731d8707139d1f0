"""Classifier versions: their rows, the active version, and the decisions that made it active."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from nightsort.errors import NightsortError
from nightsort.evaluation import Metrics, PromotionDecision

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    import psycopg


TRAINING_REPORT: Final = (
    *("documents_read", "rejected", "reject_counts", "duplicates"),
    *("left_out_documents", "left_out_labels", "warnings"),
)
"""What is kept of a training's report: all but the places of single documents, which may be forgotten."""


class VersionNotRecordedError(NightsortError):
    """A version without a row: which one, what to do."""

    # Its train DAG may record it in the meantime.
    retryable = True


class ActiveVersionChangedError(NightsortError):
    """Another version became active after the decision was made: which, what to do."""

    # A person may make the former version active again.
    retryable = True


@dataclass(frozen=True)
class ClassifierVersion:
    """One trained version, a row of ``classifier_versions``; ``None`` means not known yet.

    :param classifier: name of the spec.
    :param version: VersionName.
    :param status: Comprehend's, with its `message`.
    :param fingerprint: hash of the training data; `test_fingerprint` that of the test data.
    :param labels: documents by label, ``{label: {"training": n, "test": n}}``.
    :param metrics: measured on the test data.
    :param confusion_matrix: Comprehend's ``confusion_matrix.json``.
    :param training_seconds: billed training time, and its price, `cost_usd`.
    :param training_report: what became of the labelled documents: the members in :data:`TRAINING_REPORT` of
        the dict of :class:`~nightsort.training.prepare.PreparedTraining`.
    :param approved_by: who approved a cost above the budget, at `approved_at`.
    :param promoted_at: when it last became active. Only :func:`promote` writes this and `active`.
    :param recorded_at: when its row was written last.
    """

    classifier: str
    version: str
    arn: str
    mode: str
    language: str
    status: str | None = None
    message: str | None = None
    fingerprint: str | None = None
    test_fingerprint: str | None = None
    training_uri: str | None = None
    test_uri: str | None = None
    training_documents: int | None = None
    test_documents: int | None = None
    labels: Mapping[str, Any] | None = None
    metrics: Metrics | None = None
    confusion_matrix: Mapping[str, Any] | None = None
    training_seconds: float | None = None
    cost_usd: float | None = None
    trained_at: datetime | None = None
    training_report: Mapping[str, Any] | None = None
    approved_by: str | None = None
    approved_at: datetime | None = None
    promoted_at: datetime | None = None
    active: bool = False
    recorded_at: datetime | None = field(default=None, compare=False)


_COLUMNS = [each.name for each in fields(ClassifierVersion)]
_KEY = ("classifier", "version")
_WRITTEN = [name for name in _COLUMNS if name not in ("promoted_at", "active", "recorded_at")]
_LARGE = ("confusion_matrix", "training_report")
# A column that is not known now keeps its value.
_UPSERT = sql.SQL(
    "INSERT INTO nightsort.classifier_versions AS old ({columns}) VALUES ({values}) "
    "ON CONFLICT (classifier, version) DO UPDATE SET {updates}, recorded_at = now()"
).format(
    columns=sql.SQL(", ").join(map(sql.Identifier, _WRITTEN)),
    values=sql.SQL(", ").join(sql.Placeholder() * len(_WRITTEN)),
    updates=sql.SQL(", ").join(
        sql.SQL("{0} = coalesce(excluded.{0}, old.{0})").format(sql.Identifier(name))
        for name in _WRITTEN
        if name not in _KEY
    ),
)


def record_version(conn: psycopg.Connection[Any], version: ClassifierVersion) -> None:
    """Write the row of a version; a column that is ``None`` keeps its value."""
    values: list[Any] = []
    for name in _WRITTEN:
        value = getattr(version, name)
        if isinstance(value, Metrics):
            value = value.to_dict()
        values.append(Jsonb(value) if isinstance(value, dict) else value)
    with conn.transaction():
        conn.execute(_UPSERT, values)


def find_version(conn: psycopg.Connection[Any], classifier: str, version: str) -> ClassifierVersion | None:
    """Return one version, or ``None`` if it has no row."""
    return _one(conn, sql.SQL("classifier = %s AND version = %s"), (classifier, version))


def find_versions(
    conn: psycopg.Connection[Any], classifier: str, *, most: int | None = None
) -> list[ClassifierVersion]:
    """Return the versions of a classifier, the newest first, without confusion matrix and training report.

    :param conn: the database.
    :param classifier: name of the spec.
    :param most: how many; ``None``: all.
    """
    condition = "classifier = %s ORDER BY coalesce(trained_at, recorded_at) DESC, version LIMIT %s"
    return _all(conn, sql.SQL(condition), (classifier, most), leave_out=_LARGE)


def active_version(conn: psycopg.Connection[Any], classifier: str) -> ClassifierVersion | None:
    """Return the active version of a classifier, or ``None`` if none was promoted yet."""
    return _one(conn, sql.SQL("classifier = %s AND active"), (classifier,))


def promote(conn: psycopg.Connection[Any], *, classifier: str, version: str) -> None:
    """Make a version the active one, in one transaction. Nothing changes if it already is.

    :param conn: the database.
    :param classifier: name of the spec.
    :param version: name of the version.
    :raises VersionNotRecordedError: the version has no row.
    """
    with conn.transaction():
        _lock(conn, classifier)
        _activate(conn, classifier, version)


def record_decision(
    conn: psycopg.Connection[Any],
    *,
    classifier: str,
    version: str,
    against: str | None,
    decision: PromotionDecision,
    test_fingerprint: str | None = None,
) -> None:
    """Record a decision and carry it out, in one transaction; the same decision replaces its row.

    :param conn: the database.
    :param classifier: name of the spec.
    :param version: the new version.
    :param against: the version that was active when the decision was made; ``None`` if there was none.
    :param decision: the decision.
    :param test_fingerprint: the test data that both were measured on.
    :raises ActiveVersionChangedError: it is to be promoted, but another version became active since.
    :raises VersionNotRecordedError: the version has no row.
    """
    with conn.transaction():
        _lock(conn, classifier)
        if decision.promote:
            active = active_version(conn, classifier)
            if active is not None and active.version not in (against, version):
                raise ActiveVersionChangedError(
                    f"{classifier}: {version} was compared with {against or 'no version'}, but by now "
                    f"{active.version} is active. Clear evaluate_classifier and what follows, so that it is "
                    "decided again"
                )
            _activate(conn, classifier, version)
        conn.execute(
            """
            INSERT INTO nightsort.promotion_decisions
                (classifier, version, against, test_fingerprint, metric, old, new, promoted, reason)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (classifier, version, against, test_fingerprint) DO UPDATE SET
                metric = excluded.metric, old = excluded.old, new = excluded.new,
                promoted = excluded.promoted, reason = excluded.reason, decided_at = excluded.decided_at
            """,
            (
                classifier,
                version,
                against or "",
                test_fingerprint or "",
                decision.metric,
                decision.old,
                decision.new,
                decision.promote,
                decision.reason,
            ),
        )


def _lock(conn: psycopg.Connection[Any], classifier: str) -> None:
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", (classifier,))


def _activate(conn: psycopg.Connection[Any], classifier: str, version: str) -> None:
    conn.execute(
        "UPDATE nightsort.classifier_versions SET active = false "
        "WHERE classifier = %s AND active AND version <> %s",
        (classifier, version),
    )
    found = conn.execute(
        "UPDATE nightsort.classifier_versions SET active = true, "
        "promoted_at = CASE WHEN active THEN promoted_at ELSE now() END "
        "WHERE classifier = %s AND version = %s",
        (classifier, version),
    )
    if not found.rowcount:
        raise VersionNotRecordedError(
            f"{classifier} has no version {version} in classifier_versions; its train DAG records it"
        )


def _one(
    conn: psycopg.Connection[Any], condition: sql.SQL, parameters: tuple[Any, ...]
) -> ClassifierVersion | None:
    found = _all(conn, condition, parameters)
    return found[0] if found else None


def _all(
    conn: psycopg.Connection[Any],
    condition: sql.SQL,
    parameters: tuple[Any, ...],
    leave_out: Collection[str] = (),
) -> list[ClassifierVersion]:
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in _COLUMNS if name not in leave_out)
    query = sql.SQL("SELECT {} FROM nightsort.classifier_versions WHERE {}").format(columns, condition)
    # In a transaction of its own: a read that leaves one open would keep a later write uncommitted.
    with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, parameters).fetchall()
    return [_version(row) for row in rows]


def _version(row: dict[str, Any]) -> ClassifierVersion:
    cost = row["cost_usd"]
    metrics = Metrics.from_dict(row["metrics"]) if row["metrics"] is not None else None
    return ClassifierVersion(**{**row, "metrics": metrics, "cost_usd": None if cost is None else float(cost)})
