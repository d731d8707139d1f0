from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from nightsort.statistics.drift import LabelShift
from nightsort.tables.night_reports import Batch, Job
from nightsort_airflow.ui.views import night
from tests.unit.nightsort_airflow.ui.ui_rows import ARN, SPEC, label_report, report, run

BEGAN = datetime(2026, 11, 2, 2, 0, tzinfo=timezone.utc)


def job(**values: Any) -> Job:
    known: dict[str, Any] = {"batch": "b0", "attempt": 0, "documents": 10, "job_id": "j", "job_name": "n"}
    unknown = dict.fromkeys(("status", "message", "submitted_at", "ended_at"))
    return Job(**{**known, **unknown, **values})


def test_reasons_have_their_remedy_and_examples() -> None:
    rows = night.reasons(
        report(
            failed_reasons={"error:TOO_LONG": 1, "missing_from_output": 2, "error:ENDPOINT_NOT_ASKED": 4},
            rejected_reasons={"blank": 3},
            examples={"blank": ["x"]},
        )
    )
    assert [(row.kind, row.reason, row.documents) for row in rows] == [
        ("failed", "error:ENDPOINT_NOT_ASKED", 4),
        ("failed", "missing_from_output", 2),
        ("failed", "error:TOO_LONG", 1),
        ("rejected", "blank", 3),
    ]
    assert "a job can" in rows[0].remedy
    assert "run the day again" in rows[1].remedy
    assert "lies in the document" in rows[2].remedy
    assert rows[3].examples == ["x"]


def test_jobs_that_failed_come_first_then_each_batch_with_what_was_sent_again() -> None:
    ended = BEGAN + timedelta(minutes=10)
    found = [
        job(job_id="j1", submitted_at=BEGAN, ended_at=ended),
        job(job_id="j2", batch="b0-r1", attempt=1),
        job(job_id="j3", batch="b1"),
        job(job_id="j0", batch=None, attempt=None, status="FAILED", message="why"),
    ]
    rows = night.jobs(report(jobs=found, batches=[Batch("b0", 10, 8), Batch("b1", 10, 10)]), ARN)
    assert [(row.job.job_id, row.state) for row in rows] == [
        ("j0", "failed"),
        ("j1", "incomplete"),
        ("j2", "sent again"),
        ("j3", "loaded"),
    ]
    assert (rows[1].seconds, rows[2].seconds) == (600, None)
    assert rows[1].address is not None


def test_a_label_outside_its_range_says_so() -> None:
    shifts = [LabelShift("b", 600, 0.6, 0.5, 0.4, 0.55), LabelShift("a", 400, 0.4, 0.5, 0.45, 0.55)]
    found = [label_report("b", 600, 0.6, shifts[0]), label_report("a", 400, 0.4, shifts[1])]
    shown = night.labels(report(labels=found, trailing_nights=9, histogram=[0] * 18 + [1000, 0]))
    assert [(row.of.label, row.unusual) for row in shown.rows] == [("b", "above"), ("a", "below")]
    assert shown.nights_before == 9
    assert shown.mean_score is not None
    assert round(shown.mean_score, 6) == 0.9
    assert shown.documents == 1000
    assert shown.choices["a"]["y"][18] == 400
    assert shown.chart["data"][0]["marker"]["color"] == ["#d08a1d"] * 2


def test_without_nights_before_nothing_is_unusual() -> None:
    shown = night.labels(report(labels=[label_report("a", 4, 1.0)]))
    assert [row.unusual for row in shown.rows] == [""]
    assert len(shown.chart["data"]) == 1


def test_the_least_sure_documents_have_ids_labels_and_scores() -> None:
    found = {
        "document_id": "T-1",
        "labels": ["a", "b", "c"],
        "scores": [0.3, 0.2, 0.1],
        "batch": "b0",
        "line": 4,
    }
    (unsure,) = night.least_confident(report(least_confident=[found]))
    assert (unsure.document_id, unsure.label, unsure.score, unsure.others) == (
        "T-1",
        "a",
        0.3,
        [("b", 0.2), ("c", 0.1)],
    )


def test_the_rejects_lie_in_the_work_folder_of_the_spec() -> None:
    assert night.rejects_file(SPEC, run(), ARN) is None
    found = night.rejects_file(SPEC, run(rejected=1), ARN)
    assert found is not None
    assert found[0] == "s3://bucket/work/runs/20261101/rejects.jsonl"
    assert night.rejects_file(None, run(rejected=1), ARN) is None
