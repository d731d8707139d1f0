"""Delete the predictions of old runs, so that the table does not grow without limit."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nightsort.errors import NightsortError
from nightsort.tables.statistics import drop_ids

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


class UnknownClassifierError(NightsortError):
    """A classifier that has no row in the tables; the message names those that have."""


def check_classifier(conn: psycopg.Connection[Any], classifier: str) -> None:
    """Check that the tables have rows of a classifier.

    :param conn: the database.
    :param classifier: its name.
    :raises UnknownClassifierError: they have none.
    """
    with conn.transaction():
        rows = conn.execute(
            "SELECT classifier FROM nightsort.classification_runs"
            " UNION SELECT classifier FROM nightsort.classifier_versions ORDER BY classifier"
        ).fetchall()
    names = [name for (name,) in rows]
    if classifier not in names:
        raise UnknownClassifierError(
            f'the tables have no classifier "{classifier}"; they have: {", ".join(names) or "none"}'
        )


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

    So the counts and the cost of each run are kept, and its labels and scores, with which later nights are
    compared; its statistics no longer name documents. A document that no later run classified is no longer in
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
        drop_ids(conn, classifier=run.classifier, run_key=run.run_key)
    log.info("Deleted %d predictions of %s, run %s", deleted, run.classifier, run.run_key)
    return deleted
