"""What a wait for Comprehend writes into the log of its task: one line a minute."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from structlog.typing import FilteringBoundLogger

# A little less than a minute, so that a poll every minute gives a line every minute.
SAY_SECONDS: Final = 55.0


class WaitLog:
    """
    Write a line a minute: what is waited for, its state, since when, and how long others took.

    :param log: the logger of the task.
    :param what: what is waited for, for instance ``The training of tickets``.
    :param began: what it began with.
    """

    def __init__(self, log: FilteringBoundLogger, what: str, began: str = "submission") -> None:
        self._log = log
        self._what = what
        self._began = began
        self._said = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the last line is a minute old."""
        return time.monotonic() - self._said >= SAY_SECONDS

    def say(self, status: str, began: datetime | None, others: str = "") -> None:
        """
        Write the line.

        :param status: the state that Comprehend reports.
        :param began: when it began.
        :param others: how long others took, as a sentence.
        """
        self._said = time.monotonic()
        waited = datetime.now(timezone.utc) - began if began else timedelta(0)
        self._log.info(
            "%s is %s, %s after its %s. %s", self._what, status, duration_text(waited), self._began, others
        )


def other_trainings(documents: int | None) -> str:
    """
    Say how long trainings of this size have taken on AWS.

    :param documents: training and test documents; None: unknown.
    """
    if not documents:
        return ""
    # Imported here: it needs pyarrow, which a DAG parse does not.
    from nightsort.comprehend.prices import forecast_training

    low, high = forecast_training(documents).hours
    return f"Trainings of {number_of(documents, 'document')} have taken {low:.1f} to {high:.1f} h on AWS."


def other_jobs(jobs: Iterable[Mapping[str, Any]], classifier_arn: str) -> str:
    """
    Say how long the complete jobs of a classifier took.

    :param jobs: jobs as Comprehend lists them.
    :param classifier_arn: the ARN of the version; the jobs of its other versions count too.
    """
    classifier = classifier_arn.partition("/version/")[0]
    took = [
        job["EndTime"] - job["SubmitTime"]
        for job in jobs
        if "EndTime" in job
        and "SubmitTime" in job
        and job.get("DocumentClassifierArn", "").partition("/version/")[0] == classifier
    ]
    if not took:
        return "No other job of this classifier is complete."
    shortest, longest = duration_text(min(took)), duration_text(max(took))
    durations = shortest if shortest == longest else f"{shortest} to {longest}"
    return f"{number_of(len(took), 'other job')} of this classifier took {durations}."


def duration_text(duration: timedelta) -> str:
    """
    Return a duration in words, for instance ``40 seconds``, ``12 minutes`` or ``1.5 hours``.

    :param duration: the duration.
    """
    seconds = max(int(duration.total_seconds()), 0)
    if seconds < 100:
        return number_of(seconds, "second")
    if seconds < 100 * 60:
        return number_of(round(seconds / 60), "minute")
    return number_of(round(seconds / 3600, 1), "hour")
