"""Rows as the tables give them, for tests of one view."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timezone
from typing import Any

from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.tables.classifier_history import Decision
from nightsort.tables.night_reports import LabelReport, NightReport
from nightsort.tables.run_summaries import RunSummary
from nightsort_airflow.ui.airflow_state import RunFacts
from nightsort_airflow.ui.queries import LabelNight, Version

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
VERSION = Version(
    version="v1",
    arn=ARN,
    mode="MULTI_CLASS",
    language="en",
    status="TRAINED",
    message=None,
    test_fingerprint="f",
    training_uri="s3://bucket/training/v1/training.csv",
    training_documents=90,
    test_documents=10,
    labels={"a": {"training": 60, "test": 6}, "b": {"training": 30, "test": 4}},
    metrics={"macro_f1": 0.8, "micro_f1": 0.9, "accuracy": 0.9},
    training_seconds=60.0,
    cost_usd=1.0,
    trained_at=BEGAN,
    recorded_at=BEGAN,
    promoted_at=BEGAN,
    approved_by=None,
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
    empty: dict[str, Any] = {"batches": [], "jobs": [], "failed_reasons": {}, "rejected_reasons": {}}
    return NightReport(**{"run": RUN, "counted": True, **empty, **values})


def label_report(label: str, documents: int, share: float, shift: Any = None) -> LabelReport:
    """One label of a night, whose documents all have the score 0.9."""
    histogram = [documents if place == 18 else 0 for place in range(20)]
    return LabelReport(label, documents, share, 0.9, histogram, shift)


def label_night(number: int, counts: dict[str, int], **columns: Any) -> LabelNight:
    """The labels of a night of November 2026."""
    values: dict[str, Any] = {
        "run_key": f"202611{number:02}",
        "day": date(2026, 11, number),
        "version": "v1",
        "labels": list(counts),
        "documents": list(counts.values()),
        "score_sums": [0.9 * count for count in counts.values()],
        "drifted": None,
        "drift": None,
    }
    return LabelNight(**{**values, **columns})
