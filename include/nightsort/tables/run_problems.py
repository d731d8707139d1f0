"""What is wrong with the counts of a run, in sentences for its row, its log and its error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nightsort.classifier_spec.quality import is_above
from nightsort.naming import JobName
from nightsort.sources.rejects import REASONS
from nightsort.wording import number_of, with_reasons

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nightsort.batches.prepare import PreparedBatches
    from nightsort.classifier_spec.quality import Quality
    from nightsort.tables.run_counts import RunCounts


def what_is_missing(
    counts: RunCounts,
    prepared: PreparedBatches,
    jobs: Mapping[str, Mapping[str, Any]] | None,
    failed_jobs: Sequence[Mapping[str, Any]],
    retries: Mapping[str, Sequence[str]],
) -> str | None:
    """Return what does not add up, with the numbers and the jobs that failed; ``None`` if all does.

    :param counts: the counts of the run.
    :param prepared: its batches.
    :param jobs: the jobs of the loaded batches, as :func:`~nightsort.tables.runs.finish_run` takes them.
    :param failed_jobs: the jobs that failed.
    :param retries: the names of the prepared retries, by batch.
    """
    problems, missing = [], 0
    for batch in counts.batches:
        name, documents, loaded = batch["name"], batch["documents"], batch["loaded"]
        failed = _failed_job(name, failed_jobs)
        if loaded != documents:
            missing += max(documents - loaded, 0)
            has = f" has {number_of(loaded, 'row')} for {number_of(documents, 'document')}" if loaded else ""
            problems.append(f"batch {name}{has}{failed}")
        elif documents and jobs is not None and name not in jobs:
            missing += documents
            rows = number_of(loaded, "row")
            problems.append(
                f"batch {name} was not loaded by this run, it has {rows} of an earlier one{failed}"
            )
        done = {retry["name"] for retry in (jobs or {}).get(name, {}).get("retries", ())}
        problems += [
            f"batch {name} has failed documents that were sent again, and their results are not loaded"
            f"{_failed_job(retry, failed_jobs)}"
            for retry in retries.get(name, ())
            if retry not in done
        ]
    problems += [
        f"there are {number_of(rows, 'row')} for {number_of(documents, what)}"
        for rows, documents, what in (
            (counts.rejected, prepared.rejected, "reject"),
            (counts.reused, prepared.reused, "reused document"),
        )
        if rows != documents
    ]
    accounted = counts.classified + counts.failed + counts.rejected
    if not problems and accounted != counts.documents_in:
        problems.append(
            f"{number_of(counts.documents_in, 'document')} in, but {counts.classified:,} classified + "
            f"{counts.failed:,} failed + {counts.rejected:,} rejected = {accounted:,}"
        )
    if not problems:
        return None
    verb = "is" if missing == 1 else "are"
    of = f"{missing:,} of {number_of(counts.documents_in, 'document')} {verb} missing: " if missing else ""
    text = f"{of}{'; '.join(problems)}"
    return (
        f"{text[0].upper()}{text[1:]}. Clear the tasks of these batches, or the whole run: finished jobs are "
        "not paid for again"
    )


def what_is_over(quality: Quality, counts: RunCounts, prepared: PreparedBatches) -> str | None:
    """Return which limits of a spec's quality a run exceeds, with the reasons; ``None`` if it exceeds none.

    :param quality: the limits.
    :param counts: the counts of the run.
    :param prepared: its batches.
    """
    sent = counts.classified + counts.failed
    problems = []
    if is_above(counts.rejected, counts.documents_in, quality.max_rejected_share):
        # Counts of an earlier version may have a reason that is no longer there.
        remedies = [REASONS[reason] for reason in prepared.reject_counts if reason in REASONS]
        remedy = "".join(f"{each} " for each in remedies[:1])
        problems.append(
            f"{_share(counts.rejected, counts.documents_in, 'rejected')}, more than "
            f"quality.max_rejected_share ({quality.max_rejected_share:.1%}) allows: "
            f"{with_reasons(prepared.reject_counts)}. {remedy}Correct the source or raise the limit, "
            f"and run the day again. The rejects are in {prepared.rejects_uri}"
        )
    if is_above(counts.failed, sent, quality.max_failed_share):
        problems.append(
            f"{_share(counts.failed, sent, 'failed')}, more than quality.max_failed_share "
            f"({quality.max_failed_share:.1%}) allows: {with_reasons(failed_reasons(counts, prepared))}. Run "
            "the day again: those that failed for a passing reason are sent again, alone"
        )
    return ". ".join(problems) or None


def failed_reasons(counts: RunCounts, prepared: PreparedBatches) -> dict[str, int]:
    """Return the failed documents by reason.

    :param counts: the counts of the run, with the reasons of failed and rejected documents.
    :param prepared: its batches, with the reasons of rejected documents.
    """
    return {
        reason: number for reason, number in counts.reasons.items() if reason not in prepared.reject_counts
    }


def _share(number: int, of: int, what: str) -> str:
    return f"{what.capitalize()}: {number:,} of {number_of(of, 'document')} ({number / of:.1%})"


def _failed_job(batch: str, failed_jobs: Sequence[Mapping[str, Any]]) -> str:
    """Return the last job of a batch or retry that failed, as the end of a sentence."""
    failed = [job for job in failed_jobs if (name := JobName.parse(job["job_name"])) and name.batch == batch]
    if not failed:
        return ""
    job = failed[-1]
    return f", job {job['job_id']} {job['status']}: {job['message'].rstrip('.')}"
