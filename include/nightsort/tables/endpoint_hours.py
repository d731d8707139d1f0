"""Read and write the openings of endpoints, the rows of ``endpoint_hours``."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from nightsort.opening.bill import Change, Opening, spent, unit_cost
from nightsort.opening.record import Record
from nightsort.tables.upsert import upsert
from nightsort.tables.versions import active_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg

_FIELDS = [field.name for field in fields(Record)]
_SELECT = sql.SQL("SELECT {} FROM nightsort.endpoint_hours").format(
    sql.SQL(", ").join(map(sql.Identifier, _FIELDS))
)
_UPSERT = upsert(
    "endpoint_hours", ("classifier", "opened_at"), [*_FIELDS, "seconds", "unit_seconds", "cost_usd"]
)


@contextmanager
def endpoint_alone(conn: psycopg.Connection[Any], classifier: str) -> Iterator[None]:
    """Change a classifier's endpoint alone; wait until nobody else does.

    :param conn: the database, with autocommit.
    :param classifier: name of the spec.
    """
    key = (f"endpoint/{classifier}",)
    conn.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", key)
    try:
        yield
    finally:
        conn.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", key)


def save_opening(conn: psycopg.Connection[Any], record: Record) -> None:
    """Write the row of an opening, with its price up to when it was last seen.

    :param conn: the database.
    :param record: the opening.
    """
    opening = record.opening
    unit_seconds = opening.unit_seconds(record.opened_at, record.closed_at or record.seen_at)
    values = {
        **{name: getattr(record, name) for name in _FIELDS},
        "changes": Jsonb([change.to_dict() for change in record.changes]),
        "usage": Jsonb({at.isoformat(): units for at, units in record.usage.items()}),
        "seconds": opening.seconds(record.seen_at),
        "unit_seconds": unit_seconds,
        "cost_usd": unit_cost(unit_seconds),
    }
    with conn.transaction():
        conn.execute(_UPSERT, values)


def latest_opening(conn: psycopg.Connection[Any], classifier: str) -> Record | None:
    """Return the latest opening of a classifier's endpoint; ``None`` if there was none.

    :param conn: the database.
    :param classifier: name of the spec.
    """
    found = _all(conn, sql.SQL("classifier = %s ORDER BY opened_at DESC LIMIT 1"), (classifier,))
    return found[0] if found else None


def is_held(conn: psycopg.Connection[Any], classifier: str, opened_at: datetime | None) -> bool:
    """Return whether a run of the classifier's DAG looks after an endpoint.

    :param conn: the database.
    :param classifier: name of the spec.
    :param opened_at: the endpoint's CreationTime.
    """
    record = latest_opening(conn, classifier)
    return (
        record is not None
        and record.closed_at is None
        and record.held_by is not None
        and record.opened_at == opened_at
    )


def openings_between(
    conn: psycopg.Connection[Any], classifier: str, since: datetime, until: datetime
) -> list[Record]:
    """Return the openings of a classifier's endpoint in a span of time, in order of time.

    :param conn: the database.
    :param classifier: name of the spec.
    :param since: begin of the span.
    :param until: end of the span.
    """
    condition = sql.SQL(
        "classifier = %s AND opened_at < %s AND coalesce(closed_at, 'infinity') >= %s ORDER BY opened_at"
    )
    return _all(conn, condition, (classifier, until, since))


def openings_of(
    conn: psycopg.Connection[Any], classifiers: Sequence[str], since: datetime
) -> dict[str, list[Record]]:
    """Return the openings of several classifiers' endpoints that ended after a moment or go on.

    :param conn: the database.
    :param classifiers: names of specs.
    :param since: the moment.
    :returns: by the classifier, in order of time; without those that have none.
    """
    condition = sql.SQL("classifier = ANY(%s) AND coalesce(closed_at, 'infinity') > %s ORDER BY opened_at")
    found: dict[str, list[Record]] = {}
    for record in _all(conn, condition, (list(classifiers), since)):
        found.setdefault(record.classifier, []).append(record)
    return found


def spent_between(conn: psycopg.Connection[Any], classifier: str, since: datetime, until: datetime) -> float:
    """Return what a classifier's endpoint cost in a span of time, in USD; an open one up to the end.

    :param conn: the database.
    :param classifier: name of the spec.
    :param since: begin of the span.
    :param until: end of the span.
    """
    return spent(
        (record.opening for record in openings_between(conn, classifier, since, until)), since, until
    )


def spent_of(
    conn: psycopg.Connection[Any], classifiers: Sequence[str], since: datetime, until: datetime
) -> dict[str, float]:
    """Return what several classifiers' endpoints cost in a span of time, in USD.

    :param conn: the database.
    :param classifiers: names of specs.
    :param since: begin of the span.
    :param until: end of the span; an open endpoint counts until it was last seen.
    :returns: by the classifier, without those that have no opening in it.
    """
    # Without `usage`, which has each minute in which somebody asked.
    with conn.transaction():
        rows = conn.execute(
            "SELECT classifier, changes, coalesce(closed_at, seen_at) FROM nightsort.endpoint_hours"
            " WHERE classifier = ANY(%s) AND opened_at < %s AND coalesce(closed_at, seen_at) >= %s",
            (list(classifiers), until, since),
        ).fetchall()
    found: dict[str, list[Opening]] = {}
    for classifier, changes, end in rows:
        found.setdefault(classifier, []).append(Opening([*map(Change.from_dict, changes)], end))
    return {classifier: spent(openings, since, until) for classifier, openings in found.items()}


class TablesBook:
    """What the tables hold of a classifier's endpoint, for :func:`nightsort.opening.keeper.attend`.

    :param conn: the database.
    :param classifier: name of the spec.
    """

    def __init__(self, conn: psycopg.Connection[Any], classifier: str) -> None:
        self._conn = conn
        self._classifier = classifier

    def latest(self) -> Record | None:
        """Return the latest opening."""
        return latest_opening(self._conn, self._classifier)

    def save(self, record: Record) -> None:
        """Write an opening."""
        save_opening(self._conn, record)

    def spent(self, since: datetime, until: datetime) -> float:
        """Return what the openings cost in a span of time, in USD."""
        return spent_between(self._conn, self._classifier, since, until)

    def active_model(self) -> str | None:
        """Return the ARN of the active version."""
        version = active_version(self._conn, self._classifier)
        return None if version is None else version.arn


def _all(conn: psycopg.Connection[Any], condition: sql.SQL, parameters: Sequence[Any]) -> list[Record]:
    # In a transaction of its own: a read that leaves one open would keep a later write uncommitted.
    with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SELECT + sql.SQL(" WHERE ") + condition, parameters).fetchall()
    return [_record(row) for row in rows]


def _record(row: dict[str, Any]) -> Record:
    changes = tuple(map(Change.from_dict, row["changes"]))
    usage = {datetime.fromisoformat(at): units for at, units in row["usage"].items()}
    return Record(**{**row, "changes": changes, "usage": usage})
