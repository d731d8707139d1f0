"""The part of the crash matrix about small nights: where ``start_job`` is struck while it asks the endpoint.

Each act is a night of few texts, whose classifier has an open endpoint.
"""

from __future__ import annotations

from typing import Final

from tests.integration.crash_points import (
    AWS,
    BACKFILL,
    CLEAR,
    EXCEPTION,
    LOST,
    POSTGRES,
    SCHEDULER,
    SECOND_RUN,
    TASK,
    WORKER,
    WORKER_ALONE,
    Hang,
    Place,
    Point,
)

STORED_TOGETHER: Final = 5
REQUESTS: Final = 1
"""So many answers are stored together, and so many requests run at a time: small, to strike in the middle."""

ASKED_AGAIN: Final = STORED_TOGETHER + 2 * REQUESTS
"""The texts that are asked for again after a strike: those of a block, and those on their way."""

ASKS: Final = "before it asks the endpoint"
ANSWERING: Final = "after the endpoint answered and before the answer came"
ANSWERED: Final = "between the first answers and their being stored"
STORED: Final = "when some answers are stored, and others not yet"
WRITES: Final = "when all answers are stored, and before they are its output"
WRITTEN: Final = "after its output is written"
ANSWERED_ALL: Final = "after the endpoint's work and before Airflow knows"

_ANSWERS: Final = "nightsort.real_time.answers:StoredAnswers"

START_JOB: Final[dict[str, Place]] = {
    ASKS: Point("nightsort.real_time.classify:classify_documents", "before"),
    ANSWERING: Hang("ClassifyDocument"),
    ANSWERED: Point(f"{_ANSWERS}.add", "before"),
    STORED: Point(f"{_ANSWERS}.add", "after", time=2),
    WRITES: Point(f"{_ANSWERS}.complete", "before"),
    WRITTEN: Point(f"{_ANSWERS}.complete", "after"),
    ANSWERED_ALL: Point("nightsort_airflow.operators.batch_job:StartBatchJobOperator.execute", "after"),
}

WHILE_IT_ASKS: Final = (ANSWERING, ANSWERED, STORED)
"""The points at which a strike may cost answers that are not stored yet."""

# A task that lives on meets no further point, so what does not kill it comes last.
SMALL_ACTS: Final[tuple[tuple[tuple[str, str, str], ...], ...]] = (
    (
        ("start_job", ANSWERED, TASK),
        ("start_job", STORED, TASK),
        ("start_job", WRITES, AWS),
    ),
    (
        ("start_job", ASKS, WORKER),
        ("start_job", STORED, WORKER),
        ("start_job", STORED, POSTGRES),
    ),
    (
        ("start_job", ASKS, TASK),
        ("start_job", WRITTEN, TASK),
        ("start_job", ANSWERED_ALL, POSTGRES),
    ),
    (
        ("start_job", ANSWERING, TASK),
        ("start_job", STORED, SCHEDULER),
        ("start_job", ANSWERING, AWS),
    ),
    (
        ("start_job", ANSWERED, EXCEPTION),
        ("start_job", WRITES, WORKER),
        ("start_job", ANSWERED_ALL, AWS),
    ),
    (
        ("start_job", ANSWERED, WORKER_ALONE),
        ("start_job", ANSWERED_ALL, TASK),
        ("start_job", ANSWERED_ALL, CLEAR),
    ),
    (
        ("start_job", STORED, CLEAR),
        ("start_job", STORED, SECOND_RUN),
        ("start_job", ANSWERED_ALL, BACKFILL),
    ),
    (("start_job", ANSWERING, LOST),),
    (("start_job", STORED, AWS),),
    (("start_job", WRITES, POSTGRES),),
)
