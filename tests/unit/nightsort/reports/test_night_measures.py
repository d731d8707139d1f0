from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from nightsort.reports.night_measures import night_measures
from nightsort.tables.night_reports import Batch, LabelReport, NightReport
from nightsort.tables.run_summaries import RunSummary

ENDED = datetime(2026, 11, 19, 3, 0, tzinfo=timezone.utc)


def run(**changes: Any) -> RunSummary:
    nothing = dict.fromkeys(RunSummary.__dataclass_fields__)
    values: dict[str, Any] = {
        "classifier": "tickets",
        "run_key": "20261118",
        "day": date(2026, 11, 18),
        "state": "complete",
        "documents_in": 10,
        "classified": 7,
        "failed": 2,
        "rejected": 1,
        "retried": 3,
        "units": 90,
        "cost_usd": 0.045,
        "forecast_usd": 0.05,
        "repeated": 3,
        "reused": 2,
        "saved_units": 12,
        "saved_usd": 0.006,
        "started_at": ENDED - timedelta(minutes=20),
        "finished_at": ENDED,
    }
    return RunSummary(**{**nothing, **values, **changes})


def label(name: str, documents: int, score: float) -> LabelReport:
    return LabelReport(name, documents, documents / 8, score, [], None)


def night(**changes: Any) -> NightReport:
    # One document in each of the bins around 0.5, six at the top.
    histogram = [0] * 9 + [1, 1] + [0] * 8 + [6]
    report = NightReport(
        run=run(),
        counted=True,
        batches=[Batch("b1", 9, 9)],
        jobs=[],
        failed_reasons={},
        rejected_reasons={},
        labels=[label("bug", 6, 0.97), label("invoice", 2, 0.5)],
        histogram=histogram,
    )
    return replace(report, **changes)


def test_the_figures_of_a_night() -> None:
    measures = night_measures(night())
    assert measures == {
        "complete": 1,
        "warnings": 1,
        "ended_timestamp_seconds": ENDED.timestamp(),
        "duration_seconds": 1200,
        "documents": 10,
        "classified": 7,
        "failed": 2,
        "rejected": 1,
        "missing": 0,
        "retried": 3,
        "batches": 1,
        "units": 90,
        "cost_usd": 0.045,
        "forecast_usd": 0.05,
        "repeated": 3,
        "reused": 2,
        "saved_units": 12,
        "saved_usd": 0.006,
        "low_score_share": 1 / 8,
        "mean_score": pytest.approx((6 * 0.97 + 2 * 0.5) / 8),
        "drift_judged": 0,
        "drifted": 0,
        "drift_psi": 0,
    }


@pytest.mark.parametrize(("drifted", "figures"), [(True, (1, 1, 0.02)), (False, (1, 0, 0.02))])
def test_a_night_whose_drift_was_judged(drifted: bool, figures: tuple[float, ...]) -> None:
    measures = night_measures(night(run=run(drifted=drifted), drift={"psi": 0.02}))
    assert (measures["drift_judged"], measures["drifted"], measures["drift_psi"]) == figures


def test_a_night_with_missing_documents_is_not_complete() -> None:
    measures = night_measures(night(run=run(state="incomplete", classified=4)))
    assert (measures["complete"], measures["missing"]) == (0, 3)


def test_a_night_is_as_complete_and_as_warned_of_as_the_pages_say() -> None:
    empty = night(run=run(documents_in=0, classified=0, failed=0, rejected=0))
    assert (night_measures(empty)["complete"], night_measures(empty)["warnings"]) == (1, 1)
    assert night_measures(empty, "ok")["warnings"] == 0
    red = night_measures(night(run=run(state="failed", message="why")))
    assert (red["complete"], red["warnings"]) == (0, 0)


def test_a_night_of_which_little_is_known_has_every_figure() -> None:
    nothing = run(forecast_usd=None, started_at=None, finished_at=None)
    bare = NightReport(nothing, False, [], [], {}, {})
    measures = night_measures(bare)
    assert measures.keys() == night_measures(night()).keys()
    unknown = ("ended_timestamp_seconds", "duration_seconds", "forecast_usd", "low_score_share", "mean_score")
    assert [measures[name] for name in unknown] == [0] * 5
