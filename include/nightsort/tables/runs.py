"""Finish a run: load its rejects, count its rows in the table, and write the row of the run."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import pyarrow as pa
from psycopg.types.json import Jsonb

from nightsort.comprehend.prices import classification_cost
from nightsort.errors import NightsortError
from nightsort.naming import REJECTS, JobName, run_day
from nightsort.results.columns import LABEL
from nightsort.results.join import result_rows
from nightsort.tables.load import replace_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    import psycopg
    from upath import UPath

    from nightsort.batches.prepare import PreparedBatches
    from nightsort.classifier_spec.model import ClassifierSpec

log = logging.getLogger(__name__)

REJECTED = "rejected"
_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True)
class RunCounts:
    """The counts of a run. In a complete run ``documents_in == classified + failed + rejected``.

    :param documents_in: documents in the source.
    :param reasons: failed and rejected documents by reason.
    :param batches: for each batch its name, its documents, and how many of them have a row.
    :param units: billed units of the loaded batches.
    :param cost_usd: their price.
    """

    run_key: str
    documents_in: int
    classified: int
    failed: int
    rejected: int
    reasons: dict[str, int]
    batches: list[dict[str, Any]] = field(default_factory=list)
    units: int = 0
    cost_usd: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values."""
        return asdict(self)


class CountsDoNotAddUp(NightsortError):
    """A run with missing or surplus rows; the message has the numbers and names the batches.

    :param counts: the counts of the run.
    """

    def __init__(self, message: str, counts: RunCounts) -> None:
        super().__init__(message)
        self.counts = counts


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


def load_rejects(
    conn: psycopg.Connection[Any], *, spec: ClassifierSpec, run_key: str, rejects_path: UPath
) -> int:
    """Load the rejects of a run in one transaction; they replace those of an earlier load.

    :param conn: the database.
    :param spec: the classifier spec.
    :param run_key: the run.
    :param rejects_path: ``rejects.jsonl`` of the run.
    :returns: the number of rejects.
    """
    loaded = 0

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal loaded
        for rows in read_rejects(rejects_path):
            loaded += len(rows)
            yield rows

    replace_rows(conn, classifier=spec.name, run_key=run_key, batch=REJECTS, version=None, rows=counted())
    log.info("Loaded %d rejects of run %s", loaded, run_key)
    return loaded


def read_rejects(path: UPath) -> Iterator[pa.RecordBatch]:
    """Stream the rejects of a run as rows with :data:`~nightsort.results.join.RESULT_SCHEMA`.

    :param path: ``rejects.jsonl`` of the run.
    :returns: record batches.
    """
    first = 0
    with path.open("rb") as lines:
        while rejects := [orjson.loads(line) for line in islice(lines, _ROWS_AT_ONCE)]:
            yield _as_rows(rejects, first)
            first += len(rejects)


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
) -> RunCounts:
    """Count a run's rows in the table, compare them with the prepared batches, and write the row of the run.

    Rows of batches that the run no longer has (its source changed between two attempts) are deleted. If the
    counts do not add up, the row is written too, with the state ``incomplete``.

    :param conn: the database.
    :param spec: the classifier spec.
    :param run_key: the run.
    :param version: the classifier version; ``None`` if no document was sent.
    :param prepared: the prepared batches.
    :param source_uri: the source, if it was set by hand.
    :param started_at: when the run began.
    :param jobs: details of each loaded batch's job (id, status, …), by batch name; written to the run's row.
        A batch without an entry was not loaded by this run, even if the table has rows of an earlier one.
        ``None``: not known.
    :param failed_jobs: jobs that failed, with ``job_id``, ``job_name``, ``status`` and ``message``.
    :returns: the counts of the run.
    :raises CountsDoNotAddUp: a document has no row, or a batch has too many rows.
    """
    names = [batch.name for batch in prepared.batches]
    key = (spec.name, run_key)
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", ("/".join(key),))
        stale = conn.execute(
            "DELETE FROM nightsort.predictions WHERE classifier = %s AND run_key = %s AND batch <> ALL(%s)",
            (*key, [*names, REJECTS]),
        )
        if stale.rowcount:
            log.warning("Deleted %d rows of batches that run %s no longer has", stale.rowcount, run_key)
        counts = _count(conn, key, version, prepared, jobs or {})
        problem = _problem(counts, prepared, jobs, failed_jobs)
        _write_run(conn, spec.name, counts, failed_jobs, version, problem, source_uri, started_at)
    if problem is not None:
        raise CountsDoNotAddUp(problem, counts)
    log.info(
        "Run %s: %d documents in = %d classified + %d failed + %d rejected",
        run_key, counts.documents_in, counts.classified, counts.failed, counts.rejected,
    )  # fmt: skip
    return counts


def _as_rows(rejects: list[dict[str, Any]], first: int) -> pa.RecordBatch:
    rows = len(rejects)
    return result_rows(
        rows,
        line=pa.array(range(first, first + rows), pa.int64()),
        document_id=pa.array([reject.get("document_id") for reject in rejects], pa.string()),
        status=pa.array([REJECTED] * rows, LABEL),
        reason=pa.array([reject["reason"] for reject in rejects], LABEL),
    )


def _count(
    conn: psycopg.Connection[Any],
    key: tuple[str, str],
    version: str | None,
    prepared: PreparedBatches,
    jobs: Mapping[str, Mapping[str, Any]],
) -> RunCounts:
    loaded: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for batch, status, reason, rows in conn.execute(
        # Rows of another version are from an earlier load, not from this run's.
        "SELECT batch, status, reason, count(*) FROM nightsort.predictions "
        "WHERE classifier = %s AND run_key = %s AND (version = %s OR status = %s) "
        "GROUP BY batch, status, reason",
        (*key, version, REJECTED),
    ):
        loaded[batch] += rows
        statuses[status] += rows
        if reason is not None:
            reasons[reason] += rows
    batches = [
        {
            "name": batch.name,
            "documents": batch.documents,
            "loaded": loaded[batch.name],
            **jobs.get(batch.name, {}),
        }
        for batch in prepared.batches
    ]
    units = sum(batch.units for batch in prepared.batches if loaded[batch.name])
    return RunCounts(
        run_key=key[1],
        documents_in=prepared.documents_in,
        classified=statuses["classified"],
        failed=statuses["failed"],
        rejected=statuses[REJECTED],
        reasons=dict(reasons.most_common()),
        batches=batches,
        units=units,
        cost_usd=classification_cost(units),
    )


def _problem(
    counts: RunCounts,
    prepared: PreparedBatches,
    jobs: Mapping[str, Mapping[str, Any]] | None,
    failed_jobs: Sequence[Mapping[str, Any]],
) -> str | None:
    """Return what does not add up, with the numbers; ``None`` if all does."""
    problems, missing = [], 0
    for batch in counts.batches:
        name, documents, loaded = batch["name"], batch["documents"], batch["loaded"]
        if loaded != documents:
            missing += max(documents - loaded, 0)
            problem = f"batch {name} has {loaded:,} rows for {documents:,} documents"
        elif jobs is not None and name not in jobs:
            missing += documents
            problem = f"batch {name} was not loaded by this run, its {loaded:,} rows are from an earlier run"
        else:
            continue
        failures = [job for job in failed_jobs if _batch_of(job) == name]
        if failures:
            problem += f" (job {failures[-1]['job_id']} {failures[-1]['status']}: {failures[-1]['message']})"
        problems.append(problem)
    if problems:
        problems.insert(0, f"{len(problems):,} batches with {missing:,} documents are missing")
    if counts.rejected != prepared.rejected:
        problems.append(f"there are {counts.rejected:,} rows for {prepared.rejected:,} rejects")
    accounted = counts.classified + counts.failed + counts.rejected
    if not problems and accounted == counts.documents_in:
        return None
    return (
        f"run {counts.run_key}: {counts.documents_in:,} documents in, but {counts.classified:,} classified + "
        f"{counts.failed:,} failed + {counts.rejected:,} rejected = {accounted:,}; "
        f"{'; '.join(problems) or 'each batch is complete, so the counts of prepare_batches are wrong'}. "
        "Clear the tasks of these batches, or the whole run: finished jobs are not paid for again"
    )


def _batch_of(job: Mapping[str, Any]) -> str | None:
    name = JobName.parse(job["job_name"])
    return name.batch if name else None


def _write_run(
    conn: psycopg.Connection[Any],
    classifier: str,
    counts: RunCounts,
    failed_jobs: Sequence[Mapping[str, Any]],
    version: str | None,
    problem: str | None,
    source_uri: str | None,
    started_at: datetime | None,
) -> None:
    conn.execute(
        """
        INSERT INTO nightsort.classification_runs AS run
            (classifier, run_key, day, version, state, message, documents_in, classified, failed, rejected,
             reasons, batches, failed_jobs, units, cost_usd, source_uri, started_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (classifier, run_key) DO UPDATE SET
            day = excluded.day, version = excluded.version, state = excluded.state,
            message = excluded.message, documents_in = excluded.documents_in,
            classified = excluded.classified, failed = excluded.failed,
            rejected = excluded.rejected, reasons = excluded.reasons, batches = excluded.batches,
            failed_jobs = excluded.failed_jobs,
            units = excluded.units, cost_usd = excluded.cost_usd, source_uri = excluded.source_uri,
            started_at = excluded.started_at, finished_at = excluded.finished_at
        """,
        (
            classifier,
            counts.run_key,
            run_day(counts.run_key),
            version,
            "complete" if problem is None else "incomplete",
            problem,
            counts.documents_in,
            counts.classified,
            counts.failed,
            counts.rejected,
            Jsonb(counts.reasons),
            Jsonb(counts.batches),
            Jsonb(list(failed_jobs)),
            counts.units,
            counts.cost_usd,
            source_uri,
            started_at,
        ),
    )
