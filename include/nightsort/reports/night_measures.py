"""The figures of a night as plain numbers, for tools that draw them over time and alert on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nightsort.reports.outcomes import outcome
from nightsort.statistics.counts import BINS

if TYPE_CHECKING:
    from nightsort.tables.night_reports import NightReport

LOW_SCORE: Final = 0.5
"""A label with a lower score is one of the least confident."""


def night_measures(report: NightReport, no_files: str = "warn") -> dict[str, float]:
    """Return the figures of a night that was counted, by name; ``docs/monitoring.md`` says what each means.

    All of them are there in every night, so that none of an earlier night stays in a tool that keeps the last
    value: what cannot be said is 0.

    :param report: the night.
    :param no_files: the spec's, see :func:`~nightsort.reports.outcomes.outcome`.
    """
    found = outcome(report.run, no_files)
    run, drift = report.run, report.drift or {}
    labels = sum(report.histogram)
    low = sum(report.histogram[: round(BINS * LOW_SCORE)])
    return {
        "complete": float(found.is_complete),
        "warnings": len(found.reasons) if found.is_complete else 0,
        "ended_timestamp_seconds": run.finished_at.timestamp() if run.finished_at else 0.0,
        "duration_seconds": _seconds(report),
        "documents": run.documents_in,
        "classified": run.classified,
        "failed": run.failed,
        "rejected": run.rejected,
        "missing": run.missing,
        "retried": run.retried,
        "batches": len(report.batches),
        "units": run.units,
        "cost_usd": run.cost_usd,
        "forecast_usd": run.forecast_usd or 0.0,
        "repeated": run.repeated,
        "reused": run.reused,
        "saved_units": run.saved_units,
        "saved_usd": run.saved_usd,
        "low_score_share": low / labels if labels else 0.0,
        "mean_score": _mean_score(report),
        "drift_judged": float(run.drifted is not None),
        "drifted": float(run.drifted or False),
        "drift_psi": drift.get("psi") or 0.0,
    }


def _seconds(report: NightReport) -> float:
    started, finished = report.run.started_at, report.run.finished_at
    return (finished - started).total_seconds() if started and finished else 0.0


def _mean_score(report: NightReport) -> float:
    """Return the mean of the scores of all labels, each weighted with its documents."""
    scored = [(label.documents, label.mean_score) for label in report.labels if label.mean_score is not None]
    documents = sum(number for number, _ in scored)
    return sum(number * score for number, score in scored) / documents if documents else 0.0
