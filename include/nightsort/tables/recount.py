"""Count the rows of a run that are in the table already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nightsort.statistics.counting import Counting
from nightsort.tables.row_streams import batch_rows
from nightsort.tables.statistics import write_batch

if TYPE_CHECKING:
    import psycopg


def recount_batches(conn: psycopg.Connection[Any], *, classifier: str, run_key: str) -> None:
    """Count the rows of a run's batches in the table, and replace their statistics.

    For batches that were loaded before there were statistics, or of which rows were deleted since. It reads a
    million rows in some ten seconds.

    :param conn: in a transaction, which holds both the rows and the statistics.
    :param classifier: name of the spec.
    :param run_key: the run.
    """
    key = {"classifier": classifier, "run_key": run_key}
    batches = conn.execute(
        "SELECT batch, min(version) FROM nightsort.predictions"
        " WHERE classifier = %(classifier)s AND run_key = %(run_key)s GROUP BY batch",
        key,
    ).fetchall()
    for batch, version in batches:
        counting = Counting(batch)
        for rows in batch_rows(conn, classifier, run_key, batch):
            counting.add(rows)
        write_batch(conn, **key, batch=batch, version=version, statistics=counting.statistics())
