"""A wait for Comprehend says each minute what it waits for, for how long, and how long others took."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from nightsort_airflow.wait_log import WaitLog, duration_text, other_jobs, other_trainings

ARN = "arn:aws:comprehend:eu-west-1:123456789012:document-classifier/tickets/version/v2"
SUBMITTED = datetime(2026, 11, 1, tzinfo=timezone.utc)


class Lines:
    def __init__(self) -> None:
        self.said: list[str] = []

    def info(self, text: str, *values: object) -> None:
        self.said.append((text % values).strip())


def job(minutes: float, version: str = "v1", **more: Any) -> dict[str, Any]:
    arn = ARN.replace("/v2", f"/{version}")
    return {
        "DocumentClassifierArn": arn,
        "SubmitTime": SUBMITTED,
        "EndTime": SUBMITTED + timedelta(minutes=minutes),
        **more,
    }


def test_a_line_names_the_state_the_time_and_the_others() -> None:
    lines = Lines()
    submitted = datetime.now(timezone.utc) - timedelta(minutes=14)
    WaitLog(lines, "The training").say("TRAINING", submitted, "Others took 12 minutes.")  # type: ignore[arg-type]
    assert lines.said == [
        "The training is TRAINING, 14 minutes after its submission. Others took 12 minutes."
    ]


def test_the_next_line_is_due_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("nightsort_airflow.wait_log.time.monotonic", lambda: now)
    log = WaitLog(Lines(), "The training")  # type: ignore[arg-type]
    due = []
    for second in range(0, 181, 30):
        now = float(second)
        due.append(log.is_due)
        if log.is_due:
            log.say("TRAINING", SUBMITTED)
    assert due == [False, False, True, False, True, False, True]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 seconds"), (1, "1 second"), (99, "99 seconds"), (600, "10 minutes"), (5_400, "90 minutes"),
     (6_000, "1.7 hours"), (72_000, "20 hours")],
)  # fmt: skip
def test_durations_are_in_words(seconds: int, text: str) -> None:
    assert duration_text(timedelta(seconds=seconds)) == text


def test_other_trainings_are_those_of_this_size() -> None:
    assert other_trainings(6838) == "Trainings of 6,838 documents have taken 0.5 to 0.9 h on AWS."
    assert other_trainings(None) == ""


def test_other_jobs_are_those_of_the_same_classifier_in_any_version() -> None:
    stranger = job(99, DocumentClassifierArn=ARN.replace("tickets", "tickets-2"))
    running = {"DocumentClassifierArn": ARN, "SubmitTime": SUBMITTED}
    assert other_jobs([job(4), job(8, "v2"), stranger, running], ARN) == (
        "2 other jobs of this classifier took 4 minutes to 8 minutes."
    )
    assert other_jobs([job(4)], ARN) == "1 other job of this classifier took 4 minutes."
    assert other_jobs([stranger], ARN) == "No other job of this classifier is complete."
