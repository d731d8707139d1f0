"""Rows as the tables give them, for tests of one view."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.evaluation import Metrics
from nightsort.tables.classifier_history import Decision
from nightsort.tables.drift_series import DriftSeries, NightOfSeries
from nightsort.tables.night_reports import LabelReport, NightReport
from nightsort.tables.run_summaries import RunSummary
from nightsort.tables.versions import ClassifierVersion
from nightsort_airflow.ui.airflow_state import RunFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

BEGAN = datetime(2026, 11, 2, 2, 0, tzinfo=timezone.utc)
ARN = "arn:aws-cn:comprehend:cn-north-1:123456789012:document-classifier/tickets/version/v1"
RUN = RunSummary(
    classifier="tickets",
    run_key="20261101",
    day=date(2026, 11, 1),
    version="v1",
    state="complete",
    message=None,
    documents_in=100,
    classified=100,
    failed=0,
    rejected=0,
    retried=0,
    units=400,
    cost_usd=0.2,
    forecast_units=400,
    forecast_usd=0.2,
    source_uri=None,
    dag_id="classify_tickets",
    run_id="scheduled__1",
    started_at=BEGAN,
    finished_at=BEGAN,
    approved_by=None,
    approved_at=None,
    drifted=None,
    drift=None,
)
VERSION = ClassifierVersion(
    classifier="tickets",
    version="v1",
    arn=ARN,
    mode="MULTI_CLASS",
    language="en",
    status="TRAINED",
    test_fingerprint="f",
    training_uri="s3://bucket/training/v1/training.csv",
    training_documents=90,
    test_documents=10,
    labels={"a": {"training": 60, "test": 6}, "b": {"training": 30, "test": 4}},
    metrics=Metrics(macro_f1=0.8, micro_f1=0.9, accuracy=0.9),
    training_seconds=60.0,
    cost_usd=1.0,
    trained_at=BEGAN,
    recorded_at=BEGAN,
    promoted_at=BEGAN,
    active=True,
)
DECISION = Decision("v1", "", "f", "macro_f1", None, 0.8, True, "No version was active before.", BEGAN)
FACTS = RunFacts("classify_tickets", "scheduled__1", "failed", BEGAN, "classify_batch.start_job", 3)
SPEC = ClassifierSpec.model_validate(
    {
        "name": "tickets",
        "mode": "MULTI_CLASS",
        "labelled": {"uri": "s3://bucket/l/", "format": "csv"},
        "incoming": {"uri": "s3://bucket/{day}/", "format": "csv", "id_column": "id"},
        "work_uri": "s3://bucket/work",
        "data_access_role_arn": "arn:aws:iam::123456789012:role/R",
        "schedule": "0 2 * * *",
    }
)


def run(**columns: Any) -> RunSummary:
    """A night that went well, but for these columns."""
    return replace(RUN, **columns)


def report(**values: Any) -> NightReport:
    """The report of a night that went well, but for these values."""
    empty: dict[str, Any] = {
        "version_arn": ARN,
        "batches": [],
        "jobs": [],
        "failed_reasons": {},
        "rejected_reasons": {},
    }
    return NightReport(**{"run": RUN, "counted": True, **empty, **values})


def label_report(label: str, documents: int, share: float, shift: Any = None) -> LabelReport:
    """One label of a night, whose documents all have the score 0.9."""
    histogram = [documents if place == 18 else 0 for place in range(20)]
    return LabelReport(label, documents, share, 0.9, histogram, shift)


def series(*nights: Mapping[str, int], bands: Mapping[str, tuple[float, float]] | None = None) -> DriftSeries:
    """The nights of November 2026 from the first on, by label their documents, which all have the score 0.9.

    :param bands: the ends of each label's range in the last night.
    """
    labels = list(dict.fromkeys(label for night in nights for label in night))
    counts = np.array([[night.get(label, 0) for label in labels] for night in nights], float).reshape(
        len(nights), len(labels)
    )
    nothing = np.full(counts.shape, np.nan)
    low, high = nothing.copy(), nothing.copy()
    for label, (lower, upper) in (bands or {}).items():
        low[-1, labels.index(label)], high[-1, labels.index(label)] = lower, upper
    found = [
        NightOfSeries(
            run_key=f"202611{place:02}",
            day=date(2026, 11, place),
            version="v1",
            state="complete",
            documents=sum(night.values()),
            mean_score=0.9,
            drifted=None,
            verdict={},
        )
        for place, night in enumerate(nights, start=1)
    ]
    return DriftSeries(
        nights=found,
        labels=labels,
        shares=counts / np.maximum(counts.sum(axis=1, keepdims=True), 1),
        usual=nothing,
        low=low,
        high=high,
        mean_scores=nothing,
        score_low=np.full(len(nights), np.nan),
        score_high=np.full(len(nights), np.nan),
    )
