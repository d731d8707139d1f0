"""Read what a night looks like, from its row and its statistics; never from its predictions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from psycopg.rows import class_row, dict_row

from nightsort.naming import JobName
from nightsort.sources.rejects import REASONS
from nightsort.statistics.counts import BINS
from nightsort.statistics.drift import LabelShift, Night, shifts, shown_beside
from nightsort.tables.run_summaries import RunSummary, find_run
from nightsort.tables.statistics import nights_before

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import psycopg


@dataclass(frozen=True)
class Batch:
    """A batch of a night.

    :param documents: documents in it.
    :param loaded: how many of them have a row.
    """

    name: str
    documents: int
    loaded: int


@dataclass(frozen=True)
class Job:
    """A classification job of a night; ``None`` means not known.

    :param batch: name of the batch or of the retry that it classified.
    :param attempt: 0 for a batch, from 1 on for documents that were sent again; ``None`` if it failed.
    :param message: what Comprehend said of a job that failed.
    :param source: ``endpoint`` where an endpoint classified the batch, and there was no job.
    """

    batch: str | None
    attempt: int | None
    documents: int | None
    job_id: str | None
    job_name: str | None
    status: str | None
    message: str | None
    submitted_at: datetime | None
    ended_at: datetime | None
    source: str = "job"


@dataclass(frozen=True)
class LabelReport:
    """A label of a night.

    :param documents: documents that count for it.
    :param share: of all that count for a label.
    :param mean_score: of these documents, for this label; ``None`` without documents.
    :param histogram: their scores in 20 bins.
    :param shift: the share beside that of the nights before; ``None`` without such nights.
    """

    label: str
    documents: int
    share: float
    mean_score: float | None
    histogram: Sequence[int]
    shift: LabelShift | None


@dataclass(frozen=True)
class NightReport:
    """A night.

    :param run: its row.
    :param counted: whether there are statistics. Without, all that follows `jobs` is empty, except for the
        reasons.
    :param batches: its batches.
    :param jobs: the jobs of its batches and of what was sent again, then those that failed.
    :param failed_reasons: failed documents by reason.
    :param rejected_reasons: rejected documents by reason.
    :param examples: ids of the first documents of each reason.
    :param labels: the most frequent label first; also labels that only the nights before have.
    :param histogram: all scores in 20 bins.
    :param least_confident: the documents with the lowest best score: ``batch``, ``line``, ``document_id``,
        ``labels`` and ``scores``.
    :param trailing_nights: how many nights before it the shifts compare with.
    :param drift: the dict of :class:`~nightsort.statistics.drift.Verdict`.
    :param version_arn: of the version that classified; ``None`` if it has no row.
    """

    run: RunSummary
    counted: bool
    batches: Sequence[Batch]
    jobs: Sequence[Job]
    failed_reasons: Mapping[str, int]
    rejected_reasons: Mapping[str, int]
    examples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    labels: Sequence[LabelReport] = ()
    histogram: Sequence[int] = ()
    least_confident: Sequence[Mapping[str, Any]] = ()
    trailing_nights: int = 0
    drift: Mapping[str, Any] | None = None
    version_arn: str | None = None


def night_report(conn: psycopg.Connection[Any], classifier: str, run_key: str) -> NightReport | None:
    """Return a night, or ``None`` if it has no row.

    :param conn: the database.
    :param classifier: name of the spec.
    :param run_key: the run.
    """
    with conn.transaction():
        run = find_run(conn, classifier, run_key)
        return _report(conn, run) if run else None


def _report(conn: psycopg.Connection[Any], run: RunSummary) -> NightReport:
    key = (run.classifier, run.run_key)
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            "SELECT batches, reasons, arn FROM nightsort.classification_runs"
            " LEFT JOIN nightsort.classifier_versions USING (classifier, version)"
            " WHERE classifier = %s AND run_key = %s",
            key,
        ).fetchone() or {"batches": [], "reasons": {}, "arn": None}
        statistics = cursor.execute(
            "SELECT * FROM nightsort.run_statistics WHERE classifier = %s AND run_key = %s", key
        ).fetchone()
    batches = [Batch(batch["name"], batch["documents"], batch["loaded"]) for batch in row["batches"]]
    jobs = _jobs(conn, key)
    if statistics is None:
        rejected = {reason: number for reason, number in row["reasons"].items() if reason in REASONS}
        failed = {reason: number for reason, number in row["reasons"].items() if reason not in REASONS}
        return NightReport(run, False, batches, jobs, failed, rejected, version_arn=row["arn"])
    before = nights_before(conn, classifier=run.classifier, run_key=run.run_key, version=run.version)
    reference = shown_beside(before)
    return NightReport(
        run=run,
        counted=True,
        batches=batches,
        jobs=jobs,
        failed_reasons=statistics["failed_reasons"],
        rejected_reasons=statistics["rejected_reasons"],
        examples=statistics["examples"],
        labels=_labels(statistics, reference),
        histogram=np.reshape(statistics["histograms"], (-1, BINS)).sum(axis=0, dtype=np.int64).tolist(),
        least_confident=statistics["least_confident"],
        trailing_nights=len(reference),
        drift=statistics["drift"],
        version_arn=row["arn"],
    )


def _jobs(conn: psycopg.Connection[Any], key: tuple[str, str]) -> list[Job]:
    with conn.cursor(row_factory=class_row(Job)) as cursor:
        jobs = cursor.execute(
            "SELECT batch, attempt, documents, job_id, job_name, status, message, submitted_at, ended_at,"
            " source FROM nightsort.run_jobs WHERE classifier = %s AND run_key = %s"
            " ORDER BY attempt IS NULL, batch, attempt, job_name",
            key,
        ).fetchall()
    return [_of_batch(job) for job in jobs]


def _of_batch(job: Job) -> Job:
    """Return a job with the batch or retry that its name says."""
    named = JobName.parse(job.job_name or "")
    return replace(job, batch=(named and named.batch) or job.batch)


def _labels(statistics: Mapping[str, Any], reference: Sequence[Night]) -> list[LabelReport]:
    night = Night(statistics["labels"], statistics["documents"])
    dispersion = (statistics["drift"] or {}).get("dispersion") or 1.0
    moved = {shift.label: shift for shift in shifts(night, reference, dispersion)}
    total = max(night.total, 1)
    found = [
        LabelReport(
            label, documents, documents / total, score_sum / documents, histogram.tolist(), moved.get(label)
        )
        for label, documents, score_sum, histogram in zip(
            night.labels,
            night.documents,
            statistics["score_sums"],
            np.reshape(statistics["histograms"], (-1, BINS)),
            strict=True,
        )
    ]
    missing = [
        LabelReport(label, 0, 0.0, None, [0] * BINS, shift)
        for label, shift in moved.items()
        if not shift.documents
    ]
    return sorted((*found, *missing), key=lambda each: (-each.documents, each.label))
