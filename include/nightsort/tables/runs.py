"""The end of a run: rejects into the table, the sums made from the table itself, the row of the run."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

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
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import psycopg
    from upath import UPath

    from nightsort.classifier_spec.model import ClassifierSpec

log = logging.getLogger(__name__)

REJECTED = "rejected"
_ROWS_AT_ONCE = 20_000


class Prepared(Protocol):
    """What the sums are checked against: :class:`nightsort.batches.prepare.PreparedBatches`."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-safe values."""


@dataclass(frozen=True)
class RunCounts:
    """The sums of a run. In a complete one ``documents_in == classified + failed + rejected``.

    :param documents_in: documents that the source held.
    :param reasons: failed and rejected documents by reason.
    :param batches: for each batch its name, its documents, and how many of them have a row.
    :param units: billed units of the batches that are loaded.
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
        """Return it as JSON-safe values."""
        return asdict(self)


class CountsDoNotAddUp(NightsortError):
    """A run in which documents are not accounted for: the numbers, and the batches that are to blame.

    :param counts: the sums as they are.
    """

    def __init__(self, message: str, counts: RunCounts) -> None:
        super().__init__(message)
        self.counts = counts


class LoadedBatch(NamedTuple):
    """What stands in all rows of a batch: which version classified it, and when it was loaded."""

    version: str | None
    loaded_at: datetime


def loaded_batches(
    conn: psycopg.Connection[Any], *, classifier: str, run_key: str, batches: Sequence[str]
) -> dict[str, LoadedBatch]:
    """Return which batches have rows in ``predictions``, by their names.

    :param batches: names; a name stands for the documents of its batch.
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
    """Load the rejects of a run in place of those that an earlier load left, in one transaction.

    :param rejects_path: ``rejects.jsonl`` of the run.
    :return: how many.
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
    """
    first = 0
    with path.open("rb") as lines:
        while some := [orjson.loads(line) for line in islice(lines, _ROWS_AT_ONCE)]:
            yield _as_rows(some, first)
            first += len(some)


def finish_run(
    conn: psycopg.Connection[Any],
    *,
    spec: ClassifierSpec,
    run_key: str,
    version: str | None,
    prepared: Prepared | Mapping[str, Any],
    source_uri: str | None = None,
    started_at: datetime | None = None,
    jobs: Mapping[str, Mapping[str, Any]] | None = None,
    failed_jobs: Sequence[Mapping[str, Any]] = (),
) -> RunCounts:
    """Count a run's rows in the table, hold them against what was prepared, and write the row of the run.

    Rows of batches that the run no longer has (its source changed between two attempts) are deleted. The row
    is written also if the sums do not add up, with the state ``incomplete``.

    :param version: the classifier version; ``None`` if no document was sent.
    :param prepared: what :func:`nightsort.batches.prepare.prepare_batches` gave, or its dictionary.
    :param source_uri: the source, if it was given by hand.
    :param started_at: when the run began.
    :param jobs: by batch name, what is known of its job (id, status, …); goes into the run's row. Where it is
        given, a batch that it lacks was not loaded by this run, whatever an earlier one left in the table.
    :param failed_jobs: jobs that failed, with ``job_id``, ``job_name``, ``status`` and ``message``.
    :raises CountsDoNotAddUp: a document has no row, or a batch has too many; says the numbers.
    """
    plan = prepared if isinstance(prepared, Mapping) else prepared.to_dict()
    names = [batch["name"] for batch in plan["batches"]]
    key = (spec.name, run_key)
    with conn.transaction():
        conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", ("/".join(key),))
        stale = conn.execute(
            "DELETE FROM nightsort.predictions WHERE classifier = %s AND run_key = %s AND batch <> ALL(%s)",
            (*key, [*names, REJECTS]),
        )
        if stale.rowcount:
            log.warning("Deleted %d rows of batches that run %s no longer has", stale.rowcount, run_key)
        counts = _count(conn, key, version, plan, jobs or {})
        problem = _problem(counts, plan, jobs, failed_jobs)
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
    plan: Mapping[str, Any],
    jobs: Mapping[str, Mapping[str, Any]],
) -> RunCounts:
    loaded: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for batch, status, reason, rows in conn.execute(
        # What an earlier version said of a batch does not stand for this run's load of it.
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
            "name": batch["name"],
            "documents": batch["documents"],
            "loaded": loaded[batch["name"]],
            **jobs.get(batch["name"], {}),
        }
        for batch in plan["batches"]
    ]
    units = sum(batch["units"] for batch in plan["batches"] if loaded[batch["name"]])
    return RunCounts(
        run_key=key[1],
        documents_in=plan["documents_in"],
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
    plan: Mapping[str, Any],
    jobs: Mapping[str, Mapping[str, Any]] | None,
    failed_jobs: Sequence[Mapping[str, Any]],
) -> str | None:
    """Return what does not add up, with the numbers, or ``None``."""
    problems, missing = [], 0
    for batch in counts.batches:
        name, documents, loaded = batch["name"], batch["documents"], batch["loaded"]
        if loaded != documents:
            missing += max(documents - loaded, 0)
            told = f"batch {name} has {loaded:,} rows for {documents:,} documents"
        elif jobs is not None and name not in jobs:
            missing += documents
            told = f"batch {name} was not loaded by this run, its {loaded:,} rows are of an earlier one"
        else:
            continue
        failures = [job for job in failed_jobs if _batch_of(job) == name]
        if failures:
            told += f" (job {failures[-1]['job_id']} {failures[-1]['status']}: {failures[-1]['message']})"
        problems.append(told)
    if problems:
        problems.insert(0, f"{len(problems):,} batches with {missing:,} documents are missing")
    if counts.rejected != plan["rejected"]:
        problems.append(f"there are {counts.rejected:,} rows for {plan['rejected']:,} rejects")
    accounted = counts.classified + counts.failed + counts.rejected
    if not problems and accounted == counts.documents_in:
        return None
    return (
        f"run {counts.run_key}: {counts.documents_in:,} documents in, but {counts.classified:,} classified + "
        f"{counts.failed:,} failed + {counts.rejected:,} rejected = {accounted:,}; "
        f"{'; '.join(problems) or 'each batch is complete, so the counts of prepare_batches are wrong'}. "
        "Clear the tasks of the batches named, or the whole run: nothing that is done is paid for again"
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
