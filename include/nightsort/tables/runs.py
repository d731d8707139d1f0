"""Finish a run: count its rows in the table, and write the row of the run."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from nightsort.comprehend.prices import classification_cost, usd_text
from nightsort.errors import NightsortError
from nightsort.naming import REJECTS, REUSED_BATCH
from nightsort.results.join import ENDPOINT, REPEAT
from nightsort.statistics.drift import Night, judge, not_judged
from nightsort.tables.forgotten import left_of
from nightsort.tables.recount import recount_batches
from nightsort.tables.run_counts import RunCounts
from nightsort.tables.run_locks import files_unchanged
from nightsort.tables.run_problems import failed_reasons, what_is_missing, what_is_over
from nightsort.tables.run_rows import (
    COMPLETE,
    FAILED,
    INCOMPLETE,
    AirflowRun,
    loaded_from_endpoint,
    loaded_retries,
    write_run,
)
from nightsort.tables.statistics import (
    merge_batches,
    nights_before,
    write_run_statistics,
)
from nightsort.tables.unsent import REJECTED
from nightsort.wording import number_of, with_reasons

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import psycopg

    from nightsort.batches.prepare import PreparedBatches
    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.statistics.drift import Verdict
    from nightsort.storage import Access

log = logging.getLogger(__name__)


class RunProblemError(NightsortError):
    """A run that is red although everything that can be loaded is loaded; the message has the numbers.

    :param counts: the counts of the run.
    """

    def __init__(self, message: str, counts: RunCounts) -> None:
        super().__init__(message)
        self.counts = counts


class CountsDoNotAddUp(RunProblemError):
    """A run with missing or surplus rows; the message names the batches."""


class QualityLimitError(RunProblemError):
    """A run with more rejected or failed documents than the spec allows; the message has the reasons."""


class LoadedBatch(NamedTuple):
    """The columns with the same value in all rows of a batch."""

    version: str | None
    loaded_at: datetime


def loaded_batches(
    conn: psycopg.Connection[Any], *, classifier: str, run_key: str, batches: Sequence[str]
) -> dict[str, LoadedBatch]:
    """Return the batches that have rows in ``predictions``, by their names.

    :param conn: the database.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param batches: names of batches.
    :returns: version and time of the load, by name.
    """
    rows = conn.execute(
        "SELECT name, found.version, found.loaded_at FROM unnest(%s::text[]) AS name,"
        " LATERAL (SELECT version, loaded_at FROM nightsort.predictions"
        " WHERE classifier = %s AND run_key = %s AND batch = name LIMIT 1) AS found",
        (list(batches), classifier, run_key),
    )
    return {name: LoadedBatch(version, loaded_at) for name, version, loaded_at in rows}


def finish_run(
    conn: psycopg.Connection[Any],
    *,
    spec: ClassifierSpec,
    run_key: str,
    version: str | None,
    prepared: PreparedBatches,
    source_uri: str | None = None,
    started_at: datetime | None = None,
    jobs: Mapping[str, Mapping[str, Any]] | None = None,
    failed_jobs: Sequence[Mapping[str, Any]] = (),
    retries: Mapping[str, Sequence[str]] | None = None,
    airflow_run: AirflowRun | None = None,
    approved: Mapping[str, Any] | None = None,
    way: Mapping[str, str | None] | None = None,
    access: Access | None = None,
) -> RunCounts:
    """Count a run's rows in the table, compare them with the prepared batches, and write the row of the run.

    The statistics of its batches are added up, and the drift of its labels is judged. Rows of batches that
    the run no longer has, or no document of (its source changed between two attempts), are deleted. The row
    is written whatever the counts are: ``complete``; ``incomplete`` if they do not add up; ``failed`` if they
    are above a limit of the spec's ``quality`` that fails a run.

    :param conn: the database.
    :param spec: the classifier spec.
    :param run_key: the run.
    :param version: the classifier version; ``None`` if no document was sent.
    :param prepared: the prepared batches.
    :param source_uri: the source, if it was set by hand.
    :param started_at: when the run began.
    :param jobs: details of each loaded batch's job (id, status, …), by batch name; written to the run's row.
        ``retries`` among them are those of the batch that are loaded. A batch without an entry was not loaded
        by this run, even if the table has rows of an earlier one. ``None``: not known.
    :param failed_jobs: jobs that failed, with ``job_id``, ``job_name``, ``status`` and ``message``.
    :param retries: names of the retries that this run prepared, by batch name.
    :param airflow_run: the DAG run.
    :param approved: ``approved_by`` and ``approved_at``, who approved the cost and when. ``None`` keeps what
        the row has: an earlier run of the day asked about what is paid.
    :param way: ``way`` and ``way_why``, how the texts were sent. ``None`` keeps what the row has: nothing was
        sent that an earlier run had not sent.
    :param access: storage; tells which documents were forgotten since the batches were prepared.
    :returns: the counts of the run.
    :raises CountsDoNotAddUp: a document has no row, a batch has too many rows, or a retry is not loaded.
    :raises QualityLimitError: too many documents were rejected or failed.
    """
    names = _with_documents(prepared)
    key = (spec.name, run_key)
    with files_unchanged(conn, *key):
        conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", ("/".join(key),))
        stale = conn.execute(
            "DELETE FROM nightsort.predictions WHERE classifier = %s AND run_key = %s AND batch <> ALL(%s)",
            (*key, [*names, REJECTS, *([REUSED_BATCH] if prepared.reused else [])]),
        )
        if stale.rowcount:
            deleted = number_of(stale.rowcount, "row")
            log.warning("Deleted %s of batches that run %s no longer has", deleted, run_key)
        rows = _rows_of(conn, key, version)
        prepared = left_of(prepared, rows.of_batch, access, spec.layout, version)
        counts = _count(conn, key, version, prepared, jobs or {}, rows)
        missing = what_is_missing(counts, prepared, jobs, failed_jobs, retries or {})
        over = what_is_over(spec.quality, counts, prepared) if missing is None else None
        fails = over is not None and spec.quality.when_over == "fail"
        drift = _write_statistics(
            conn,
            spec,
            counts,
            version=version,
            prepared=prepared,
            by_hand=source_uri is not None,
            whole=missing is None,
        )
        write_run(
            conn,
            spec.name,
            counts,
            version=version,
            state=INCOMPLETE if missing is not None else FAILED if fails else COMPLETE,
            message=missing or over,
            failed_jobs=failed_jobs,
            source_uri=source_uri,
            started_at=started_at,
            airflow_run=airflow_run,
            approved={**(approved or {}), **(way or {})},
        )
    if missing is not None:
        raise CountsDoNotAddUp(missing, counts)
    _log_counts(counts, version, prepared)
    if drift is not None:
        log.log(logging.WARNING if drift.drifted else logging.INFO, "%s", drift.sentence)
    if fails:
        raise QualityLimitError(f"{over}", counts)
    return replace(counts, warning=over, drift=drift.sentence if drift and drift.drifted else None)


def _with_documents(prepared: PreparedBatches) -> list[str]:
    """Return the names of the batches that have rows; of others the documents are gone from the source."""
    return [batch.name for batch in prepared.batches if batch.documents]


def _write_statistics(
    conn: psycopg.Connection[Any],
    spec: ClassifierSpec,
    counts: RunCounts,
    *,
    version: str | None,
    prepared: PreparedBatches,
    by_hand: bool,
    whole: bool,
) -> Verdict | None:
    """Add up the statistics of the batches and judge the drift of a run whose documents are all there."""
    run = {"classifier": spec.name, "run_key": counts.run_key}
    names = _with_documents(prepared)
    statistics = merge_batches(conn, **run, version=version, batches=names)
    if statistics.classified != counts.classified:
        # A batch was loaded before there were statistics.
        recount_batches(conn, **run, batches=[*names, REUSED_BATCH])
        statistics = merge_batches(conn, **run, version=version, batches=names)
    verdict = None
    if whole and spec.drift != "off":
        night = Night(statistics.labels, statistics.documents.tolist())
        if by_hand:
            verdict = not_judged(night, "the documents are others than those of the day")
        else:
            verdict = judge(night, nights_before(conn, **run, version=version))
    failed = failed_reasons(counts, prepared)
    write_run_statistics(
        conn,
        **run,
        statistics=statistics,
        failed_reasons=failed,
        rejected_reasons={reason: rows for reason, rows in counts.reasons.items() if reason not in failed},
        verdict=verdict,
    )
    return verdict


def _log_counts(counts: RunCounts, version: str | None, prepared: PreparedBatches) -> None:
    failed = failed_reasons(counts, prepared)
    log.log(
        logging.WARNING if failed else logging.INFO,
        "Run %s with %s: %s in = %s classified + %s failed%s + %s rejected%s, %s%s",
        counts.run_key,
        f"version {version}" if version else "no version",
        number_of(counts.documents_in, "document"),
        f"{counts.classified:,}",
        f"{counts.failed:,}",
        f" ({with_reasons(failed)})" if failed else "",
        f"{counts.rejected:,}",
        f" ({with_reasons(prepared.reject_counts)})" if prepared.reject_counts else "",
        usd_text(counts.cost_usd),
        f"; {number_of(counts.repeated + counts.reused, 'document')} with known texts, "
        f"{usd_text(counts.saved_usd)} saved"
        if counts.repeated + counts.reused
        else "",
    )


class _Rows(NamedTuple):
    """The numbers of a run's rows."""

    of_batch: Counter[str]
    statuses: Counter[str]
    reasons: Counter[str]
    sources: Counter[str]


def _rows_of(conn: psycopg.Connection[Any], key: tuple[str, str], version: str | None) -> _Rows:
    loaded: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    for batch, status, reason, source, rows in conn.execute(
        # Rows of another version are from an earlier load, not from this run's.
        "SELECT batch, status, reason, source, count(*) FROM nightsort.predictions "
        "WHERE classifier = %s AND run_key = %s AND (version = %s OR status = %s) "
        "GROUP BY batch, status, reason, source",
        (*key, version, REJECTED),
    ):
        loaded[batch] += rows
        statuses[status] += rows
        if reason is not None:
            reasons[reason] += rows
        if source is not None:
            sources[source] += rows
    return _Rows(loaded, statuses, reasons, sources)


def _count(
    conn: psycopg.Connection[Any],
    key: tuple[str, str],
    version: str | None,
    prepared: PreparedBatches,
    jobs: Mapping[str, Mapping[str, Any]],
    rows: _Rows,
) -> RunCounts:
    loaded, statuses, reasons, _ = rows
    # A batch that this run did not load keeps what an earlier run sent again: the next run loads it.
    earlier = loaded_retries(conn, classifier=key[0], run_key=key[1], version=version)
    by_endpoint = loaded_from_endpoint(conn, classifier=key[0], run_key=key[1], version=version)
    known: dict[str, Mapping[str, Any]] = {**by_endpoint}
    for name, retries in earlier.items():
        known[name] = {**known.get(name, {}), "retries": retries}
    known |= jobs
    # Answers that were taken over have no times of their own.
    for name, before in by_endpoint.items():
        if known[name].get("source") == ENDPOINT and not known[name].get("ended_at"):
            known[name] = {**known[name], **before}
    batches: list[dict[str, Any]] = [
        {
            "name": batch.name,
            "documents": batch.documents,
            "loaded": loaded[batch.name],
            **known.get(batch.name, {}),
        }
        for batch in prepared.batches
    ]
    again = [retry for batch in batches for retry in batch.get("retries", ())]
    # A batch whose documents are all gone from the source has no rows, and was paid for.
    units = sum(
        batch.units
        for batch in prepared.batches
        if (loaded[batch.name] or not batch.documents) and known.get(batch.name, {}).get("source") != ENDPOINT
    )
    units += sum(retry["units"] for retry in again)
    return RunCounts(
        run_key=key[1],
        documents_in=prepared.documents_in,
        classified=statuses["classified"],
        failed=statuses["failed"],
        rejected=statuses[REJECTED],
        reasons=dict(reasons.most_common()),
        batches=batches,
        retried=sum(retry["documents"] for retry in again),
        units=units,
        cost_usd=classification_cost(units),
        repeated=rows.sources[REPEAT],
        reused=loaded[REUSED_BATCH],
        saved_units=prepared.saved_units,
        saved_usd=classification_cost(prepared.saved_units),
    )
