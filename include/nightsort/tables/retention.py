"""Delete the predictions of old runs, so that the table does not grow without limit."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date

    import psycopg

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OldRun:
    """A run whose predictions may be deleted.

    :param rows: its number of rows in ``predictions``.
    """

    classifier: str
    run_key: str
    day: date
    rows: int


def find_runs(conn: psycopg.Connection[Any], *, before: date, classifier: str | None = None) -> list[OldRun]:
    """Return the runs before a day that have predictions, oldest first.

    :param conn: the database.
    :param before: the first day whose runs are not returned.
    :param classifier: only runs of this classifier; ``None``: of all.
    :returns: the runs.
    """
    with conn.transaction():
        rows = conn.execute(
            "SELECT classifier, run_key, day, count(*) FROM nightsort.predictions "
            "WHERE day < %(before)s AND (%(classifier)s::text IS NULL OR classifier = %(classifier)s) "
            "GROUP BY classifier, run_key, day ORDER BY day, classifier, run_key",
            {"before": before, "classifier": classifier},
        ).fetchall()
    return [OldRun(*row) for row in rows]


def drop_run(conn: psycopg.Connection[Any], run: OldRun) -> int:
    """Delete the predictions of a run, in one transaction; its row in ``classification_runs`` stays.

    So the counts and the cost of each run are kept. A document that no later run classified is no longer in
    ``latest_predictions``.

    :param conn: the database.
    :param run: the run.
    :returns: the number of deleted rows.
    """
    with conn.transaction():
        deleted = conn.execute(
            "DELETE FROM nightsort.predictions WHERE classifier = %s AND run_key = %s",
            (run.classifier, run.run_key),
        ).rowcount
    log.info("Deleted %d predictions of %s, run %s", deleted, run.classifier, run.run_key)
    return deleted
