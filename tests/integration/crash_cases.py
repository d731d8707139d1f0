"""The crash matrix, as data: which task is struck at which point, and by which means.

``python tests/integration/crash_cases.py`` writes it into ``docs/reliability.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.integration.crash_endpoint_cases import SERVE, SERVE_ACTS
from tests.integration.crash_points import (
    AFTER,
    API_CALL,
    AWS,
    BACKFILL,
    BEFORE,
    CLEAR,
    EXCEPTION,
    LOST,
    POSTGRES,
    SCHEDULER,
    SECOND_RUN,
    TASK,
    TRIGGERER,
    WORKER,
    WORKER_ALONE,
    Complete,
    Hang,
    Lost,
    Place,
    Point,
    Waiting,
)
from tests.integration.crash_small_cases import SMALL_ACTS, START_JOB

PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN: Final = "<!-- the matrix: python tests/integration/crash_cases.py -->\n"
END: Final = "<!-- end of the matrix -->\n"


@dataclass(frozen=True)
class Case:
    """One cell of the matrix."""

    act: int
    name: str
    point: str
    means: str
    place: Place

    @property
    def task(self) -> str:
        """The id of the task."""
        grouped = self.name in ("start_job", "load_predictions")
        return f"classify_batch.{self.name}" if grouped else self.name

    @property
    def kind(self) -> str:
        """``train``, ``classify`` or ``serve``."""
        return "train" if self.name in TRAIN else "serve" if self.name in SERVE else "classify"

    @property
    def loses(self) -> bool:
        """Whether Comprehend loses half of the documents that are first sent."""
        return self.act in LOSING

    @property
    def small(self) -> bool:
        """Whether it is a night of few texts, which go through the open endpoint."""
        return self.act in SMALL

    def __str__(self) -> str:
        return f"{self.name} is struck {self.point} by {self.means}"


def _operator(module: str, name: str, method: str = "execute") -> str:
    return f"nightsort_airflow.{module}:{name}.{method}"


def _around(call: str, between: dict[str, Place]) -> dict[str, Place]:
    return {BEFORE: Point(call, "before"), **between, AFTER: Point(call, "after")}


def _paid(operation: str) -> dict[str, Place]:
    return {
        CALL: Point(API_CALL, "before", operation),
        TAKEN: Hang(operation),
        STARTED: Point(API_CALL, "after", operation),
    }


UPLOADS: Final = "between two uploads"
INPUTS: Final = "between the inputs and the manifests"
REUSES: Final = "between what it reuses and the manifests"
KEEPS: Final = "between the rows and the results that it keeps"
KEPT: Final = "between the results that it keeps and its commit"
REJECTED: Final = "between rejects and reused documents"
REUSED: Final = "between reused documents and sums"
REMOVES: Final = "before it removes what an earlier attempt left"
CALL: Final = "before the call"
DEFERS: Final = "before it defers"
OVER: Final = "when the wait is over"
COMMIT: Final = "before its commit"
COMMITTED: Final = "after its commit"
COPY: Final = "in the middle of the COPY"
COPIED: Final = "between COPY and commit"
READS: Final = "while it reads the output"
TAKEN: Final = "after AWS took the call and before its answer came"
STARTED: Final = "after the answer and before it is stored"
WHILE: Final = "while waiting"
COMPLETE: Final = "after the night is complete"

_JOB = "operators.comprehend", "ComprehendStartDocumentClassificationJobOperator"
_SENSOR = "sensors.comprehend", "ComprehendDocumentClassifierTrainedSensor"
_COPY = Point("psycopg:Copy.write", "before", time=3)
_LOADS = Point(_operator("operators.classification", "LoadPredictionsOperator"), "before")
_EXPORTS = Point(_operator("operators.classification", "ExportPredictionsOperator"), "before")


def _waits(module: str, name: str, resource: str) -> dict[str, Place]:
    return {
        DEFERS: Point(_operator(module, name, "defer"), "before"),
        WHILE: Waiting(resource),
        OVER: Point(_operator(module, name, "execute_complete"), "before"),
        AFTER: Point(_operator(module, name, "execute_complete"), "after"),
    }


WAITS: Final = {"wait_for_training": "training", "score_active_version": "job", "start_job": "job"}
"""The tasks that wait, and what for."""

TRAIN: Final[dict[str, dict[str, Place]]] = {
    "prepare_training_data": _around(
        _operator("operators.training", "PrepareTrainingDataOperator"),
        {
            UPLOADS: Point("nightsort.training.prepare:upload", "after"),
        },
    ),
    "create_classifier": {
        **_paid("CreateDocumentClassifier"),
        AFTER: Point(
            _operator("operators.comprehend", "ComprehendCreateDocumentClassifierOperator"), "after"
        ),
    },
    "wait_for_training": _waits(*_SENSOR, "training"),
    "evaluate_classifier": _around(
        _operator("operators.training", "EvaluateClassifierOperator"),
        {
            COMMIT: Point("psycopg:Transaction.__exit__", "before", time=2),
            COMMITTED: Point("nightsort.tables.versions:record_version", "after"),
        },
    ),
    "score_active_version": {**_paid("StartDocumentClassificationJob"), **_waits(*_JOB, "job")},
    "promote_classifier": _around(
        _operator("operators.training", "PromoteClassifierOperator"),
        {
            COMMIT: Point("nightsort.tables.versions:_activate", "after"),
            COMMITTED: Point("nightsort.tables.versions:record_decision", "after"),
        },
    ),
}

CLASSIFY: Final[dict[str, dict[str, Place]]] = {
    "prepare_batches": _around(
        _operator("operators.classification", "PrepareBatchesOperator"),
        {
            REUSES: Point("nightsort.reuse.lookup:Reused.write", "after"),
            INPUTS: Point("nightsort.batches.repeats:Repeats.sort", "after"),
            UPLOADS: Point("nightsort.batches.prepare:upload", "after"),
            "between two XComs": Point(
                "airflow.sdk.execution_time.task_runner:RuntimeTaskInstance.xcom_push", "after"
            ),
        },
    ),
    "approve_cost": _around(_operator("operators.approval", "ApproveCostOperator"), {}),
    "start_job": {**_paid("StartDocumentClassificationJob"), **_waits(*_JOB, "job"), **START_JOB},
    "load_predictions": _around(
        _operator("operators.classification", "LoadPredictionsOperator"),
        {
            READS: Hang("s3:GetObject", since=_LOADS),
            COPY: _COPY,
            COPIED: Point("nightsort.tables.load:_copy", "after"),
            KEEPS: Point("nightsort.tables.load:replace_rows", "after"),
            KEPT: Point("nightsort.reuse.store:ResultsWriter.upload", "after"),
            COMMITTED: Point("nightsort.tables.load:load_predictions", "after"),
        },
    ),
    "prepare_retries": _around(
        _operator("operators.failed_documents", "PrepareRetriesOperator"),
        {
            UPLOADS: Point("nightsort.batches.uploads:upload", "after"),
        },
    ),
    "retry_batch.start_job": _paid("StartDocumentClassificationJob"),
    "retry_batch.load_predictions": _around(
        _operator("operators.classification", "LoadPredictionsOperator"),
        {
            COPIED: Point("nightsort.tables.load:_copy", "after"),
            KEPT: Point("nightsort.reuse.store:ResultsWriter.upload", "after"),
        },
    ),
    "reconcile_run": _around(
        _operator("operators.reconcile", "ReconcileRunOperator"),
        {
            COPY: _COPY,
            COPIED: Point("nightsort.tables.load:_copy", "after"),
            REJECTED: Point("nightsort.tables.unsent:load_rejects", "after"),
            REUSED: Point("nightsort.tables.unsent:load_reused", "after"),
            COMMIT: Point("nightsort.tables.runs:write_run", "after"),
            COMMITTED: Point("nightsort.tables.runs:finish_run", "after"),
        },
    ),
    "export_predictions": _around(
        _operator("operators.classification", "ExportPredictionsOperator"),
        {
            READS: Hang("s3:GetObject", since=_EXPORTS),
            UPLOADS: Point("nightsort.exports:upload_whole", "after"),
            REMOVES: Point("nightsort.exports:_remove_others", "before"),
        },
    ),
}


_PLACES: Final = {**TRAIN, **CLASSIFY, **SERVE}

# Each act is one run of a DAG, struck at one point after the other. A task stands two deaths, one that waits
# four; what is started is started once, so only one strike of an act finds AWS at work on the call.
ACTS: Final[tuple[tuple[tuple[str, str, str], ...], ...]] = (
    (
        ("prepare_training_data", BEFORE, TASK),
        ("prepare_training_data", UPLOADS, EXCEPTION),
        ("create_classifier", CALL, TASK),
        ("create_classifier", TAKEN, TASK),
        ("wait_for_training", DEFERS, TASK),
        ("wait_for_training", WHILE, TRIGGERER),
        ("wait_for_training", OVER, EXCEPTION),
        ("evaluate_classifier", BEFORE, TASK),
        ("evaluate_classifier", COMMIT, POSTGRES),
        ("score_active_version", CALL, TASK),
        ("score_active_version", STARTED, WORKER),
        ("score_active_version", DEFERS, TASK),
        ("score_active_version", WHILE, TRIGGERER),
        ("score_active_version", OVER, TASK),
        ("promote_classifier", BEFORE, TASK),
        ("promote_classifier", COMMIT, POSTGRES),
    ),
    (
        ("prepare_training_data", AFTER, SCHEDULER),
        ("create_classifier", STARTED, TASK),
        ("create_classifier", AFTER, TASK),
        ("wait_for_training", WHILE, SCHEDULER),
        ("wait_for_training", AFTER, TASK),
        ("evaluate_classifier", COMMITTED, TASK),
        ("evaluate_classifier", AFTER, TASK),
        ("score_active_version", TAKEN, LOST),
        ("score_active_version", AFTER, TASK),
        ("promote_classifier", COMMITTED, SCHEDULER),
        ("promote_classifier", AFTER, TASK),
    ),
    (
        ("create_classifier", CALL, WORKER_ALONE),
        ("wait_for_training", WHILE, CLEAR),
        ("wait_for_training", WHILE, AWS),
        ("score_active_version", TAKEN, SCHEDULER),
    ),
    (("create_classifier", TAKEN, AWS), ("score_active_version", TAKEN, TASK)),
    (("create_classifier", TAKEN, SECOND_RUN), ("promote_classifier", COMPLETE, SECOND_RUN)),
    (("create_classifier", TAKEN, LOST),),
    (
        ("prepare_batches", BEFORE, TASK),
        ("prepare_batches", REUSES, EXCEPTION),
        ("start_job", CALL, TASK),
        ("start_job", TAKEN, TASK),
        ("start_job", OVER, TASK),
        ("load_predictions", BEFORE, TASK),
        ("load_predictions", COPY, EXCEPTION),
        ("reconcile_run", BEFORE, TASK),
        ("reconcile_run", COPY, TASK),
        ("export_predictions", BEFORE, TASK),
        ("export_predictions", UPLOADS, EXCEPTION),
    ),
    (
        ("prepare_batches", AFTER, TASK),
        ("prepare_batches", UPLOADS, SCHEDULER),
        ("start_job", STARTED, EXCEPTION),
        ("start_job", DEFERS, TASK),
        ("start_job", WHILE, SCHEDULER),
        ("start_job", AFTER, TASK),
        ("load_predictions", COPIED, TASK),
        ("load_predictions", READS, AWS),
        ("reconcile_run", COPIED, WORKER),
        ("reconcile_run", REJECTED, TASK),
        ("export_predictions", UPLOADS, SCHEDULER),
        ("export_predictions", AFTER, TASK),
    ),
    (
        ("prepare_batches", INPUTS, TASK),
        ("prepare_batches", "between two XComs", WORKER),
        ("start_job", TAKEN, SCHEDULER),
        ("start_job", WHILE, AWS),
        ("load_predictions", COPY, WORKER),
        ("load_predictions", COMMITTED, TASK),
        ("reconcile_run", COMMIT, EXCEPTION),
        ("reconcile_run", COMMITTED, SCHEDULER),
        ("export_predictions", UPLOADS, WORKER),
        ("export_predictions", REMOVES, TASK),
        ("start_job", COMPLETE, CLEAR),
    ),
    (
        ("start_job", TAKEN, WORKER),
        ("start_job", WHILE, CLEAR),
        ("load_predictions", COPIED, WORKER_ALONE),
        ("load_predictions", AFTER, TASK),
        ("reconcile_run", COMMIT, POSTGRES),
        ("reconcile_run", AFTER, TASK),
        ("export_predictions", READS, AWS),
        ("reconcile_run", COMPLETE, SECOND_RUN),
    ),
    (
        ("start_job", TAKEN, AWS),
        ("load_predictions", COPY, POSTGRES),
        ("load_predictions", COPIED, POSTGRES),
        ("reconcile_run", COMPLETE, BACKFILL),
    ),
    (
        ("start_job", TAKEN, LOST),
        ("load_predictions", COPIED, SCHEDULER),
        ("load_predictions", COPIED, CLEAR),
        ("prepare_batches", COMPLETE, CLEAR),
    ),
    (
        ("start_job", STARTED, CLEAR),
        ("load_predictions", COPY, SECOND_RUN),
        ("load_predictions", KEEPS, TASK),
        ("load_predictions", KEPT, WORKER),
        ("reconcile_run", REUSED, TASK),
        ("prepare_batches", COMPLETE, SECOND_RUN),
    ),
    (
        ("start_job", TAKEN, SECOND_RUN),
        ("load_predictions", COPY, BACKFILL),
    ),
    (
        ("load_predictions", KEPT, POSTGRES),
        ("load_predictions", KEEPS, AWS),
        ("reconcile_run", REUSED, POSTGRES),
    ),
    (
        ("prepare_batches", REUSES, WORKER),
        ("prepare_batches", UPLOADS, EXCEPTION),
        ("approve_cost", BEFORE, TASK),
        ("approve_cost", AFTER, TASK),
        ("start_job", TAKEN, BACKFILL),
        ("start_job", WHILE, TRIGGERER),
    ),
    (("start_job", CALL, WORKER_ALONE), ("start_job", WHILE, SECOND_RUN)),
    (
        ("prepare_retries", BEFORE, TASK),
        ("prepare_retries", UPLOADS, EXCEPTION),
        ("retry_batch.start_job", CALL, TASK),
        ("retry_batch.start_job", TAKEN, SCHEDULER),
        ("retry_batch.load_predictions", COPIED, TASK),
        ("retry_batch.load_predictions", AFTER, TASK),
        ("reconcile_run", BEFORE, TASK),
        ("reconcile_run", COMPLETE, SECOND_RUN),
    ),
    (
        ("prepare_retries", AFTER, TASK),
        ("retry_batch.start_job", STARTED, TASK),
        ("retry_batch.load_predictions", KEPT, SECOND_RUN),
    ),
    *SERVE_ACTS,
    *SMALL_ACTS,
)
LOSING: Final = (17, 18)
"""The acts in which Comprehend loses half of the documents that are first sent."""

SMALL: Final = range(len(ACTS) - len(SMALL_ACTS), len(ACTS))
"""The acts that are nights of few texts."""


def _place(task: str, point: str, means: str) -> Place:
    if point == COMPLETE:
        return Complete()
    place = _PLACES[task][point]
    return Lost(place.operation) if means == LOST and isinstance(place, Hang) else place


CASES: Final = [
    Case(number, task, point, means, _place(task, point, means))
    for number, act in enumerate(ACTS)
    for task, point, means in act
]


def _quick(acts: tuple[int, ...]) -> frozenset[Case]:
    """Each case of these acts that is the first with its task or its means."""
    met: set[str] = set()
    found = []
    for case in CASES:
        if case.act in acts and not {case.name, case.means} <= met:
            met |= {case.name, case.means}
            found.append(case)
    return frozenset(found)


QUICK: Final = _quick((1, 9, 15, 17, 19, 21))
"""Every task and every means, each at least once: what `make test` plays of the matrix."""


def matrix_page() -> str:
    """The matrix as it stands in the documentation: a row for each point of each task."""
    rows: dict[tuple[str, str], list[str]] = {}
    order = [(task, point) for task, points in _PLACES.items() for point in (*points, COMPLETE)]
    for case in sorted(CASES, key=lambda case: order.index((case.name, case.point))):
        rows.setdefault((case.name, case.point), []).append(case.means)
    lines = [f"| `{task}` | {point} | {'; '.join(means)} |" for (task, point), means in rows.items()]
    return "\n".join(["| task | struck | by |", "|---|---|---|", *lines]) + "\n"


def write_page() -> None:
    """Put the matrix into the documentation."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{matrix_page()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    write_page()
