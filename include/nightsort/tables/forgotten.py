"""Remove forgotten documents from the tables, and count the documents of a run without them."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from nightsort.batches.manifest import Manifest, ManifestError
from nightsort.naming import REJECTS, REUSED_BATCH
from nightsort.results.join import REPEAT, REUSED
from nightsort.results.reused import count_reused
from nightsort.sources.rejects import forgotten_rejects
from nightsort.tables.recount import recount_run
from nightsort.tables.run_rows import RUNNING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import psycopg

    from nightsort.batches.plan import Batch
    from nightsort.batches.prepare import PreparedBatches
    from nightsort.layout import WorkLayout
    from nightsort.storage import Access


_STATISTICS: Final = ("batch_statistics", "run_statistics")


@dataclass(frozen=True)
class RunRows:
    """What the tables know of a run.

    :param running: whether it has begun and not ended.
    :param source_uri: its source, if it was set by hand.
    """

    running: bool = False
    source_uri: str | None = None


def run_rows(conn: psycopg.Connection[Any], classifier: str) -> dict[str, RunRows]:
    """Return the runs of a classifier that the tables know, by run key.

    :param conn: the database.
    :param classifier: name of the spec.
    """
    rows = conn.execute(
        "SELECT run_key, state, source_uri FROM nightsort.classification_runs WHERE classifier = %s"
        " ORDER BY run_key",
        (classifier,),
    ).fetchall()
    return {run_key: RunRows(state == RUNNING, uri) for run_key, state, uri in rows}


def count_documents(
    conn: psycopg.Connection[Any], *, classifier: str, document_ids: Sequence[str]
) -> dict[str, Counter[str]]:
    """Return how many rows of ``predictions`` documents have, by run and id.

    :param conn: the database.
    :param classifier: name of the spec.
    :param document_ids: their ids.
    """
    found: dict[str, Counter[str]] = {}
    ids = list(document_ids)
    for run_key, document_id, rows in conn.execute(
        "SELECT run_key, document_id, count(*) FROM nightsort.predictions"
        " WHERE classifier = %s AND document_id = ANY(%s) GROUP BY run_key, document_id",
        (classifier, ids),
    ):
        found.setdefault(run_key, Counter())[document_id] = rows
    # Whoever deletes rows by a statement of his own leaves the statistics, which name some documents.
    for run_key, named in _named_in_statistics(conn, classifier):
        for document_id in named & set(ids):
            found.setdefault(run_key, Counter()).setdefault(document_id, 1)
    return found


def delete_documents(
    conn: psycopg.Connection[Any], *, classifier: str, run_key: str, document_ids: Sequence[str]
) -> int:
    """Delete rows of documents, and take them out of counts and statistics of their run, in one transaction.

    What the run has cost stays: it was paid.

    :param conn: the database.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param document_ids: their ids.
    :returns: how many rows were deleted.
    """
    gone: Counter[str] = Counter()
    with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        run = cursor.execute(
            "SELECT documents_in, classified, failed, rejected, repeated, reused, reasons, batches"
            " FROM nightsort.classification_runs WHERE classifier = %s AND run_key = %s FOR UPDATE",
            (classifier, run_key),
        ).fetchone()
        deleted = cursor.execute(
            "WITH gone AS (DELETE FROM nightsort.predictions WHERE classifier = %s AND run_key = %s"
            " AND document_id = ANY(%s) RETURNING batch, status, reason, source)"
            " SELECT batch, status, reason, source, count(*) AS rows FROM gone"
            " GROUP BY batch, status, reason, source",
            (classifier, run_key, list(document_ids)),
        ).fetchall()
        for rows in deleted:
            gone[rows["batch"]] += rows["rows"]
        if run is not None and deleted:
            left = _without(run, deleted, gone)
            cursor.execute(
                "UPDATE nightsort.classification_runs SET documents_in = %(documents_in)s,"
                " classified = %(classified)s, failed = %(failed)s, rejected = %(rejected)s,"
                " repeated = %(repeated)s, reused = %(reused)s, reasons = %(reasons)s, batches = %(batches)s"
                " WHERE classifier = %(classifier)s AND run_key = %(run_key)s",
                {
                    **left,
                    "reasons": Jsonb(left["reasons"]),
                    "batches": Jsonb(left["batches"]),
                    "classifier": classifier,
                    "run_key": run_key,
                },
            )
        if deleted:
            _recount(conn, classifier, run_key, sorted(gone))
        _take_out_of_statistics(conn, classifier, run_key, set(document_ids))
    return gone.total()


def _named_in_statistics(conn: psycopg.Connection[Any], classifier: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the ids that the statistics of each run and batch name."""
    for table in _STATISTICS:
        for run_key, least_confident, examples in conn.execute(
            sql.SQL(
                "SELECT run_key, least_confident, examples FROM nightsort.{} WHERE classifier = %s"
            ).format(sql.Identifier(table)),
            (classifier,),
        ):
            ids = {document["document_id"] for document in least_confident}
            yield run_key, ids.union(*examples.values())


def _take_out_of_statistics(
    conn: psycopg.Connection[Any], classifier: str, run_key: str, document_ids: set[str]
) -> None:
    """Take documents out of statistics whose rows are not there to be counted anew."""
    for table in _STATISTICS:
        name = sql.Identifier(table)
        rows = conn.execute(
            sql.SQL(
                "SELECT ctid::text, least_confident, examples FROM nightsort.{}"
                " WHERE classifier = %s AND run_key = %s"
            ).format(name),
            (classifier, run_key),
        ).fetchall()
        for place, least_confident, examples in rows:
            left = [document for document in least_confident if document["document_id"] not in document_ids]
            others = {
                reason: [each for each in ids if each not in document_ids] for reason, ids in examples.items()
            }
            if (left, others) != (least_confident, examples):
                conn.execute(
                    sql.SQL(
                        "UPDATE nightsort.{} SET least_confident = %s, examples = %s WHERE ctid = %s::tid"
                    ).format(name),
                    (Jsonb(left), Jsonb(others), place),
                )


def _recount(conn: psycopg.Connection[Any], classifier: str, run_key: str, batches: Sequence[str]) -> None:
    """Count batches that have lost rows anew: their statistics name some documents."""
    key = {"classifier": classifier, "run_key": run_key}
    recount_run(conn, **key, batches=batches)
    # A run that was never counted: what its batches are to be is counted when it is.
    conn.execute(
        "DELETE FROM nightsort.batch_statistics WHERE classifier = %(classifier)s AND run_key = %(run_key)s"
        " AND batch = ANY(%(batches)s) AND NOT EXISTS (SELECT FROM nightsort.run_statistics"
        " WHERE classifier = %(classifier)s AND run_key = %(run_key)s)",
        {**key, "batches": list(batches)},
    )


def _without(run: dict[str, Any], deleted: Sequence[dict[str, Any]], gone: Counter[str]) -> dict[str, Any]:
    """Return the counts of a run without rows that are deleted."""
    left = {**run, "documents_in": max(0, run["documents_in"] - gone.total())}
    reasons = Counter(run["reasons"])
    for rows in deleted:
        left[rows["status"]] = max(0, left[rows["status"]] - rows["rows"])
        if (counted := {REPEAT: "repeated", REUSED: "reused"}.get(rows["source"])) is not None:
            left[counted] = max(0, left[counted] - rows["rows"])
        if rows["reason"] is not None:
            reasons[rows["reason"]] -= rows["rows"]
    left["reasons"] = {reason: number for reason, number in reasons.items() if number > 0}
    left["batches"] = [
        {
            **batch,
            "documents": batch["documents"] - gone[batch["name"]],
            "loaded": batch["loaded"] - gone[batch["name"]],
        }
        for batch in run["batches"]
    ]
    return left


def left_of(
    prepared: PreparedBatches,
    loaded: Mapping[str, int],
    access: Access | None,
    layout: WorkLayout,
    version: str | None,
) -> PreparedBatches:
    """Return the batches of a run without the documents that were forgotten since they were prepared.

    The manifests, the rejects and the reused documents say which these are; they are read only where the
    table has other numbers.

    :param prepared: the batches, as a task of the run prepared them.
    :param loaded: how many rows each batch has in the table, by name.
    :param access: storage; ``None``: nothing was forgotten.
    :param layout: of the spec.
    :param version: the classifier version of the run.
    :returns: the batches that are left.
    """
    if access is None:
        return prepared
    batches = tuple(_left_of_batch(batch, loaded.get(batch.name, 0), access) for batch in prepared.batches)
    forgotten = 0
    if loaded.get(REJECTS, 0) != prepared.rejected:
        forgotten = forgotten_rejects(access.path(prepared.rejects_uri))
    sent = sum(batch.documents for batch in batches)
    reused = prepared.reused
    if version is not None and loaded.get(REUSED_BATCH, 0) != reused:
        uri = layout.run(prepared.run_key).reused(version)
        with suppress(FileNotFoundError, ManifestError):
            reused = count_reused(access.path(uri))
    gone = prepared.documents_sent - sent + forgotten + prepared.reused - reused
    return replace(
        prepared,
        batches=batches,
        documents_in=prepared.documents_in - gone,
        documents_sent=sent,
        reused=reused,
        rejected=prepared.rejected - forgotten,
    )


def _left_of_batch(batch: Batch, loaded: int, access: Access) -> Batch:
    if loaded == batch.documents:
        return batch
    try:
        return replace(batch, documents=Manifest.read(access.path(batch.manifest_uri)).documents)
    except (FileNotFoundError, ManifestError):
        return batch
