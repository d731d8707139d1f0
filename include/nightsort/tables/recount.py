"""Count the rows of a run that are in the table already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from nightsort.statistics.counting import Counting
from nightsort.tables.row_streams import batch_rows
from nightsort.tables.statistics import as_columns, merge_batches, write_batch
from nightsort.tables.upsert import update

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg


def recount_batches(
    conn: psycopg.Connection[Any], *, classifier: str, run_key: str, batches: Sequence[str]
) -> None:
    """Count the rows of some batches in the table, and replace their statistics.

    For batches that were loaded before there were statistics, or of which rows were deleted since. It reads a
    million rows in some ten seconds.

    :param conn: in a transaction, which holds both the rows and the statistics.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param batches: their names.
    """
    for batch in batches:
        key = {"classifier": classifier, "run_key": run_key, "batch": batch}
        row = conn.execute(
            "SELECT version FROM nightsort.predictions"
            " WHERE classifier = %(classifier)s AND run_key = %(run_key)s AND batch = %(batch)s LIMIT 1",
            key,
        ).fetchone()
        counting = Counting(batch)
        for rows in batch_rows(conn, **key):
            counting.add(rows)
        write_batch(conn, **key, version=row[0] if row else None, statistics=counting.statistics())


def recount_run(
    conn: psycopg.Connection[Any], *, classifier: str, run_key: str, batches: Sequence[str]
) -> None:
    """Bring the statistics of a run up to date after rows of some of its batches were deleted.

    The verdict on its drift stays. A run without statistics still has none.

    :param conn: in the transaction that deletes the rows.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param batches: the batches of these rows.
    """
    key = {"classifier": classifier, "run_key": run_key}
    found = conn.execute(
        "SELECT version, ARRAY(SELECT batch ->> 'name' FROM jsonb_array_elements(batches) AS batch)"
        " FROM nightsort.classification_runs JOIN nightsort.run_statistics USING (classifier, run_key)"
        " WHERE classifier = %(classifier)s AND run_key = %(run_key)s",
        key,
    ).fetchone()
    if found is None:
        return
    version, of_run = found
    recount_batches(conn, **key, batches=batches)
    statistics = merge_batches(conn, **key, version=version, batches=of_run)
    reasons: dict[str, dict[str, int]] = {"failed": {}, "rejected": {}}
    for status, reason, rows in conn.execute(
        "SELECT status, reason, count(*) FROM nightsort.predictions WHERE classifier = %(classifier)s"
        " AND run_key = %(run_key)s AND (version = %(version)s OR status = 'rejected') AND reason IS NOT NULL"
        " GROUP BY status, reason ORDER BY 3 DESC, 2",
        {**key, "version": version},
    ):
        reasons[status][reason] = rows
    row = {
        **key,
        **as_columns(statistics),
        "failed_reasons": Jsonb(reasons["failed"]),
        "rejected_reasons": Jsonb(reasons["rejected"]),
    }
    conn.execute(update("run_statistics", tuple(key), tuple(row)), row)
