"""Write the statistics of batches and runs, in the transactions that write their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from psycopg.types.json import Jsonb

from nightsort.naming import REJECTS, REUSED_BATCH, run_day
from nightsort.statistics.counts import BINS, Statistics
from nightsort.statistics.drift import TRAILING_NIGHTS, Night
from nightsort.tables.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

    from nightsort.statistics.drift import Verdict

_COUNTS: Final = ("labels", "documents", "score_sums", "histograms", "least_confident", "examples")


def write_batch(
    conn: psycopg.Connection[Any],
    *,
    classifier: str,
    run_key: str,
    batch: str,
    version: str | None,
    statistics: Statistics,
) -> None:
    """Replace the statistics of a batch.

    :param conn: in the transaction that replaces the rows of the batch.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param batch: name of the batch.
    :param version: the classifier version; ``None`` for rejects.
    :param statistics: of these rows.
    """
    row = {
        "classifier": classifier,
        "run_key": run_key,
        "batch": batch,
        "version": version,
        "classified": statistics.classified,
        **as_columns(statistics),
    }
    conn.execute(upsert("batch_statistics", ("classifier", "run_key", "batch"), tuple(row)), row)


def merge_batches(
    conn: psycopg.Connection[Any],
    *,
    classifier: str,
    run_key: str,
    version: str | None,
    batches: Sequence[str],
) -> Statistics:
    """Add up the statistics of a run's batches, and delete those of batches that it no longer has.

    :param conn: in the transaction that counts the run's rows.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param version: the classifier version; batches of another one do not count.
    :param batches: the batches of the run.
    :returns: the sums.
    """
    key = {"classifier": classifier, "run_key": run_key}
    conn.execute(
        "DELETE FROM nightsort.batch_statistics"
        " WHERE classifier = %(classifier)s AND run_key = %(run_key)s AND batch <> ALL(%(batches)s)",
        {**key, "batches": [*batches, REJECTS, REUSED_BATCH]},
    )
    found = conn.execute(
        "SELECT classified, labels, documents, score_sums, histograms, least_confident, examples"
        " FROM nightsort.batch_statistics"
        " WHERE classifier = %(classifier)s AND run_key = %(run_key)s"
        " AND (version = %(version)s OR batch = %(rejects)s) ORDER BY batch",
        {**key, "version": version, "rejects": REJECTS},
    )
    return Statistics.merged(statistics_of(*row) for row in found)


def write_run_statistics(
    conn: psycopg.Connection[Any],
    *,
    classifier: str,
    run_key: str,
    statistics: Statistics,
    failed_reasons: Mapping[str, int],
    rejected_reasons: Mapping[str, int],
    verdict: Verdict | None,
) -> None:
    """Replace the statistics of a run.

    :param conn: in the transaction that counts the run's rows.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param statistics: the sums of its batches.
    :param failed_reasons: failed documents by reason.
    :param rejected_reasons: rejected documents by reason.
    :param verdict: whether the labels drifted; ``None``: not asked for.
    """
    row = {
        "classifier": classifier,
        "run_key": run_key,
        **as_columns(statistics),
        "failed_reasons": Jsonb(dict(failed_reasons)),
        "rejected_reasons": Jsonb(dict(rejected_reasons)),
        "drifted": verdict.drifted if verdict else None,
        "drift": Jsonb(verdict.to_dict()) if verdict else None,
    }
    conn.execute(upsert("run_statistics", ("classifier", "run_key"), tuple(row)), row)


def drop_ids(conn: psycopg.Connection[Any], *, classifier: str, run_key: str) -> None:
    """Delete what the statistics of a run say of single documents, and those of its batches.

    :param conn: in the transaction that deletes the rows of the run.
    :param classifier: name of the spec.
    :param run_key: the run.
    """
    key = (classifier, run_key)
    conn.execute("DELETE FROM nightsort.batch_statistics WHERE classifier = %s AND run_key = %s", key)
    conn.execute(
        "UPDATE nightsort.run_statistics SET least_confident = '[]', examples = '{}'"
        " WHERE classifier = %s AND run_key = %s",
        key,
    )


def nights_before(
    conn: psycopg.Connection[Any], *, classifier: str, run_key: str, version: str | None
) -> list[Night]:
    """Return the labels of the complete nights before a run, the latest first.

    Nights of another version, and runs whose source was given by hand, are left out.

    :param conn: the database.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param version: the classifier version.
    """
    rows = conn.execute(
        "SELECT labels, documents FROM nightsort.classification_runs"
        " JOIN nightsort.run_statistics USING (classifier, run_key)"
        " WHERE classifier = %s AND run_key < %s AND day < %s AND version = %s AND source_uri IS NULL"
        " AND state = 'complete' ORDER BY run_key DESC LIMIT %s",
        (classifier, run_key, run_day(run_key), version, 2 * TRAILING_NIGHTS),
    )
    return [Night(labels, documents) for labels, documents in rows]


def statistics_of(
    classified: int,
    labels: Sequence[str],
    documents: Sequence[int],
    score_sums: Sequence[float],
    histograms: Sequence[int],
    least_confident: Sequence[Mapping[str, Any]],
    examples: Mapping[str, Sequence[str]],
) -> Statistics:
    """Return statistics from the columns of their row."""
    return Statistics(
        classified=classified,
        labels=tuple(labels),
        documents=np.array(documents, np.int64),
        score_sums=np.array(score_sums, np.float64),
        histograms=np.array(histograms, np.int64).reshape(-1, BINS),
        least_confident=least_confident,
        examples=examples,
    )


def as_columns(statistics: Statistics) -> dict[str, Any]:
    """Return statistics as the columns of their row."""
    values = (
        list(statistics.labels),
        statistics.documents.tolist(),
        statistics.score_sums.tolist(),
        statistics.histograms.ravel().tolist(),
        Jsonb(list(statistics.least_confident)),
        Jsonb(dict(statistics.examples)),
    )
    return dict(zip(_COUNTS, values, strict=True))
