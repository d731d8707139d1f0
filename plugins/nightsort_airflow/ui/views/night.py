"""The page of one night: sums that add up, what has no label and why, labels, scores, jobs and money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nightsort.layout import REJECTS_FILE
from nightsort.reports import figures
from nightsort.results.curable import CURABLE, NEEDS_A_JOB
from nightsort.sources.rejects import REASONS
from nightsort_airflow.ui.addresses import job_address, s3_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.tables.night_reports import Job, LabelReport, NightReport
    from nightsort.tables.run_summaries import RunSummary

_OTHERS_SHOWN: Final = 3


@dataclass(frozen=True)
class ReasonRow:
    """
    Documents that have no label for the same reason.

    :param kind: ``failed`` or ``rejected``.
    :param examples: ids of the first ones.
    :param remedy: what to do.
    """

    kind: str
    reason: str
    documents: int
    examples: Sequence[str]
    remedy: str


@dataclass(frozen=True)
class JobRow:
    """
    One classification job of a night.

    :param address: its page in the AWS console.
    :param state: in a word: loaded, or what it came to.
    """

    job: Job
    address: str | None
    state: str

    @property
    def seconds(self) -> float | None:
        """How long the job took."""
        if self.job.submitted_at is None or self.job.ended_at is None:
            return None
        return (self.job.ended_at - self.job.submitted_at).total_seconds()


@dataclass(frozen=True)
class LabelRow:
    """
    One label of a night.

    :param usual: its share in the nights before, and the ends of the range in which it is expected.
    """

    of: LabelReport
    usual: tuple[float, float, float] | None

    @property
    def unusual(self) -> str:
        """Whether the share is ``above`` or ``below`` what is expected; empty if neither."""
        if self.usual is None or self.usual[1] <= self.of.share <= self.usual[2]:
            return ""
        return "above" if self.of.share > self.usual[2] else "below"


@dataclass(frozen=True)
class Labels:
    """
    The labels of a night.

    :param nights_before: how many nights of the same version they are compared with.
    :param histogram: documents by score, of all labels together.
    """

    rows: Sequence[LabelRow]
    nights_before: int
    documents: int
    mean_score: float | None
    histogram: Sequence[int]

    @property
    def chart(self) -> figures.Figure:
        """Shares beside what is usual."""
        usual = {row.of.label: row.usual for row in self.rows if row.usual}
        shares = [row.of.share for row in self.rows]
        return figures.label_shares([row.of.label for row in self.rows], shares, usual)

    @property
    def score_chart(self) -> figures.Figure:
        """How sure the classifier was."""
        return figures.score_histogram(self.histogram)

    @property
    def choices(self) -> dict[str, dict[str, Sequence[int]]]:
        """Documents by score of each label; of all together under the empty name."""
        of_labels = {row.of.label: {"y": row.of.histogram} for row in self.rows if row.of.documents}
        return {"": {"y": self.histogram}, **of_labels}


@dataclass(frozen=True)
class Unsure:
    """
    A document with a low score; its text is nowhere on the page.

    :param others: the labels that are less likely, with their scores; the likeliest first.
    """

    document_id: str
    label: str
    score: float
    others: Sequence[tuple[str, float]]


def reasons(report: NightReport) -> list[ReasonRow]:
    """
    Return why documents have no label, the most frequent reason first.

    :param report: the night.
    """
    kinds = {"failed": report.failed_reasons, "rejected": report.rejected_reasons}
    rows = [
        ReasonRow(kind, reason, number, report.examples.get(reason, ()), remedy(reason))
        for kind, found in kinds.items()
        for reason, number in found.items()
    ]
    return sorted(rows, key=lambda row: (row.kind, -row.documents, row.reason))


def remedy(reason: str) -> str:
    """Return what to do about documents with a reason."""
    if reason in NEEDS_A_JOB:
        return "The endpoint did not classify it, and a job can: run the day again."
    if reason in CURABLE:
        return "Not the document's fault: run the day again, and these alone are sent once more."
    return REASONS.get(reason, "The fault lies in the document: correct it, or leave it out.")


def jobs(report: NightReport, arn: str | None) -> list[JobRow]:
    """
    Return the jobs of a night: those that failed first, then each batch with what was sent again.

    :param report: the night.
    :param arn: of the version that classified, for links to the console.
    """
    states = {
        batch.name: "loaded"
        if batch.loaded == batch.documents
        else "incomplete"
        if batch.loaded
        else "not loaded"
        for batch in report.batches
    }
    rows = [
        JobRow(job, job_address(arn, job.job_id), _state(job, states.get(job.batch or "", "loaded")))
        for job in report.jobs
    ]
    return sorted(rows, key=lambda row: row.job.attempt is not None)


def _state(job: Job, of_batch: str) -> str:
    if job.attempt is None:
        return (job.status or "failed").lower()
    return "sent again" if job.attempt else of_batch


def labels(report: NightReport) -> Labels:
    """
    Return the labels of a night beside those of the nights before.

    :param report: the night.
    """
    rows = [
        LabelRow(of, (of.shift.usual, of.shift.low, of.shift.high) if of.shift else None)
        for of in report.labels
    ]
    total = sum(of.documents for of in report.labels)
    scores = sum((of.mean_score or 0.0) * of.documents for of in report.labels)
    return Labels(
        rows=rows,
        nights_before=report.trailing_nights,
        documents=total,
        mean_score=scores / total if total else None,
        histogram=report.histogram,
    )


def least_confident(report: NightReport) -> list[Unsure]:
    """
    Return the documents of which the classifier was least sure.

    :param report: the night.
    """
    return [
        Unsure(
            document_id=found["document_id"],
            label=found["labels"][0],
            score=found["scores"][0],
            others=list(zip(found["labels"], found["scores"], strict=True))[1 : 1 + _OTHERS_SHOWN],
        )
        for found in report.least_confident
        if found["labels"]
    ]


def rejects_file(
    spec: ClassifierSpec | None, run: RunSummary, arn: str | None
) -> tuple[str, str | None] | None:
    """
    Return where the rejects of a night lie, with the address of the AWS console; None without a spec.

    :param spec: whose work folder has them.
    :param run: the night.
    :param arn: of a version, for partition and region.
    """
    if spec is None or not run.rejected:
        return None
    uri = spec.layout.run(run.run_key).file(REJECTS_FILE)
    return uri, s3_address(arn, uri)
