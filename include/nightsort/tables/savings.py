"""What was saved by paying for a text once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import psycopg


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


def month_savings(
    conn: psycopg.Connection[Any], classifiers: Sequence[str], moment: datetime
) -> dict[str, Savings]:
    """Return what the nights saved that began in a month, by classifier.

    :param conn: the database.
    :param classifiers: names of specs.
    :param moment: a time in that month.
    """
    since, until = month_of(moment)
    with conn.transaction():
        rows = conn.execute(
            "SELECT name, coalesce(sum(repeated), 0)::bigint, coalesce(sum(reused), 0)::bigint,"
            " coalesce(sum(saved_units), 0)::bigint,"
            " coalesce(sum(saved_usd) FILTER (WHERE way IS DISTINCT FROM 'endpoint'), 0)::float8"
            " FROM unnest(%(classifiers)s::text[]) AS name LEFT JOIN nightsort.classification_runs AS run"
            " ON run.classifier = name AND coalesce(started_at, finished_at) >= %(since)s"
            " AND coalesce(started_at, finished_at) < %(until)s GROUP BY name",
            {"classifiers": list(classifiers), "since": since, "until": until},
        ).fetchall()
    return {name: Savings(*sums) for name, *sums in rows}


def month_of(moment: datetime) -> tuple[datetime, datetime]:
    """Return the beginning of the month of a time, in UTC, and that of the next month."""
    since = moment.astimezone(timezone.utc).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return since, (since + timedelta(days=31)).replace(day=1)
