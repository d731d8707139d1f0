"""Load the results of one batch into the table ``predictions``.

In one transaction, the rows of an earlier load of the batch are deleted, and the new ones are copied straight
into the table. There is no staging table: the results are joined with the manifest while they are copied
(:mod:`nightsort.results.join`), and the transaction hides a COPY that is not finished. On the way the rows
are counted, and the counts are written in the same transaction (:mod:`nightsort.tables.statistics`).
Figures: ``docs/adr/0005-load-by-columns.md``.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from datetime import date
from typing import TYPE_CHECKING, Any

from psycopg import sql

from nightsort.arrow.prefetch import prefetch
from nightsort.naming import run_day
from nightsort.results.join import JOB, RESULT_SCHEMA
from nightsort.results.retry import JobOutput, batch_results
from nightsort.reuse.store import ResultsWriter
from nightsort.statistics.counting import Counting
from nightsort.tables.binary_copy import HEADER, TRAILER, encode_date, encode_rows, encode_text
from nightsort.tables.run_locks import files_unchanged
from nightsort.tables.statistics import write_batch
from nightsort.wording import number_of, with_reasons

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    import psycopg
    import pyarrow as pa
    from upath import UPath

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.results.join import LoadCounts
    from nightsort.storage import Access

log = logging.getLogger(__name__)

_KEY_COLUMNS = ("classifier", "run_key", "batch", "day", "version")
_EPOCH = date(2000, 1, 1)
_PREFETCHED_BLOCKS = 4
"""Blocks that are parsed before the database needs them, of about 2 MB each."""


def load_predictions(
    conn: psycopg.Connection[Any],
    *,
    spec: ClassifierSpec,
    version: str,
    run_key: str,
    batch: str,
    archive: UPath,
    manifest: UPath,
    source: str = JOB,
    retries: Sequence[JobOutput] = (),
    access: Access | None = None,
) -> LoadCounts:
    """Load the output of one batch's job: a row for each document of its manifest, whatever the output holds.

    A second load leaves the same rows. Loads of other batches run at the same time; a load of the same batch
    waits.

    :param conn: inside a transaction, the rows are there when the caller commits; otherwise on return.
    :param spec: the classifier spec.
    :param version: the classifier version that the job used.
    :param run_key: the run; begins with its day as YYYYMMDD.
    :param batch: name of the batch.
    :param archive: the job's ``output.tar.gz``.
    :param manifest: the batch's manifest.
    :param source: whether a job or an endpoint classified it.
    :param retries: the outputs of documents that were sent again, in their order.
    :param access: storage, where results are kept if the spec has ``reuse.days``; ``None``: none is kept.
    :returns: the counts of the batch.
    :raises ArchiveError: the archive is damaged or holds no predictions; nothing is changed.
    :raises ManifestError: the manifest cannot be read; nothing is changed.
    :raises WrongOutputError: the output is another job's; nothing is changed.
    """
    with ExitStack() as stack:
        # The lock is taken first: a text that is being forgotten is not kept.
        stack.enter_context(files_unchanged(conn, spec.name, run_key))
        kept = None
        if access is not None and spec.reuse.days is not None:
            layout = spec.layout
            kept = stack.enter_context(
                ResultsWriter(access, layout, version=version, run_key=run_key, batch=batch)
            )
        results = batch_results(
            spec, JobOutput(archive, manifest, source), retries, kept.add if kept else None
        )
        replace_rows(conn, classifier=spec.name, run_key=run_key, batch=batch, version=version, rows=results)
        if kept is not None:
            kept.upload()
    counts = results.counts
    reasons = f" ({with_reasons(counts.reasons)})" if counts.reasons else ""
    log.log(
        logging.WARNING if counts.failed else logging.INFO,
        "Loaded batch %s: %s = %s classified + %s failed%s",
        batch,
        number_of(counts.documents, "document"),
        f"{counts.classified:,}",
        f"{counts.failed:,}",
        reasons,
    )
    if counts.unreadable or counts.duplicates or counts.unknown:
        log.warning(
            "The output of batch %s has unusable results: %d unreadable, %d duplicate, %d unknown",
            batch, counts.unreadable, counts.duplicates, counts.unknown,
        )  # fmt: skip
    return counts


def replace_rows(
    conn: psycopg.Connection[Any],
    *,
    classifier: str,
    run_key: str,
    batch: str,
    version: str | None,
    rows: Iterable[pa.RecordBatch],
) -> None:
    """Replace the rows of a batch in ``predictions``, and its statistics, in one transaction.

    :param conn: the database.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param batch: name of the batch.
    :param version: the classifier version; ``None`` for rejects.
    :param rows: record batches with the columns of
        :data:`~nightsort.results.join.RESULT_SCHEMA`.
    """
    day = run_day(run_key)
    prefix = [
        encode_text(classifier),
        encode_text(run_key),
        encode_text(batch),
        encode_date((day - _EPOCH).days),
        None if version is None else encode_text(version),
    ]
    key = (classifier, run_key, batch)
    counting = Counting(batch)
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", ("/".join(key),))
        conn.execute(
            "DELETE FROM nightsort.predictions WHERE classifier = %s AND run_key = %s AND batch = %s", key
        )
        _copy(
            conn,
            [*_KEY_COLUMNS, *RESULT_SCHEMA.names],
            (encode_rows(prefix, part) for part in counting.rows(rows)),
        )
        write_batch(
            conn,
            classifier=classifier,
            run_key=run_key,
            batch=batch,
            version=version,
            statistics=counting.statistics(),
        )


def _copy(
    conn: psycopg.Connection[Any], columns: Sequence[str], blocks: Generator[memoryview, None, None]
) -> None:
    statement = sql.SQL("COPY nightsort.predictions ({}) FROM STDIN (FORMAT binary)").format(
        sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(HEADER)
        for block in prefetch(blocks, _PREFETCHED_BLOCKS):
            copy.write(block)
        copy.write(TRAILER)
