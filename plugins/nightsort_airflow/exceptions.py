"""
The failures that Nightsort's operators raise.

A subclass of ``AirflowFailException`` fails the task without a retry: a person has to act, and the message
says how. Airflow retries after a :class:`TriedAgainError`; every operator finds what it has already started.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final, TypeVar

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Sequence


log = logging.getLogger(__name__)

ErrorT = TypeVar("ErrorT", bound=Exception)


def logged(error: ErrorT) -> ErrorT:
    """
    Log the cause of an expected failure as one line, and return the failure to raise it.

    Airflow logs every failure with its whole traceback. People read this line first. What is raised inside of
    :func:`~nightsort_airflow.aws_errors.fail_on_permanent_aws_errors` is logged there.

    :param error: the failure, whose message begins with the cause.
    """
    log.error("%s.", re.split(r"[.:]?\n|\.\s|\.$", str(error), maxsplit=1)[0])
    return error


RUN_AGAIN: Final = (
    "Clear all tasks of this run, or run the day again: that makes it anew. The job of a batch that lost its "
    "input, manifest or output may be paid for again; all other jobs are taken over."
)
"""What to do where an object of a run is gone."""

TRAIN_AGAIN: Final = (
    "Clear all tasks of this run, or run the DAG again: that writes training and test data anew, and a job "
    "whose output is gone runs again. Only the output of a training is made with its version: delete "
    "the version first (`aws comprehend delete-document-classifier`); it is trained, and paid for, again."
)
"""What to do where an object of a training is gone."""


class BrokenSpecsError(ValueError):
    """
    Classifier specs that cannot be used; their DAGs are missing until they are corrected.

    :param errors: one for each broken file, with file, key and remedy.
    """

    def __init__(self, errors: Sequence[Exception]) -> None:
        specs = number_of(len(errors), "classifier spec")
        messages = "\n".join(str(error) for error in errors)
        super().__init__(f"{specs} cannot be used, so the DAGs are missing:\n{messages}")


class TriedAgainError(AirflowException):
    """A failure after which Airflow tries again. Not for use by itself."""


class ClassifierStateUnknownError(AirflowFailException):
    """Comprehend reports a state that this version of Nightsort does not know."""


class JobStateUnknownError(AirflowFailException):
    """Comprehend reports a job state that this version of Nightsort does not know."""


class TrainingFailedError(AirflowFailException):
    """The training ended without a usable model."""


class TrainingWarningsError(AirflowFailException):
    """The model was trained with warnings, and the task is to fail on warnings."""


class TrainingTimeLimitError(AirflowFailException):
    """The training took longer than it may, and was stopped."""


class TrainingUnfinishedError(TriedAgainError):
    """The training still runs after the longest wait; a retry waits for the same training."""


class VersionGoneError(TriedAgainError):
    """AWS said that the version exists, and then that it does not; a retry asks again."""


class JobFailedError(TriedAgainError):
    """The classification job ended FAILED or STOPPED; a retry starts the next generation."""


class JobFailedForGoodError(AirflowFailException):
    """The classification job failed, and another generation would not help or has not helped."""


class JobUnfinishedError(TriedAgainError):
    """The classification job still runs after the longest wait; a retry waits for the same job."""


class JobGoneError(TriedAgainError):
    """Comprehend no longer knows the job; a retry looks for it by name."""


class QuotaFullError(TriedAgainError):
    """The account had no room for another job for the longest wait; a retry waits again."""


class JobNameTakenError(AirflowFailException):
    """A job of this name exists, but it classifies other input or uses another classifier."""


class EndpointStateUnknownError(AirflowFailException):
    """Comprehend reports an endpoint state that this version of Nightsort does not know."""


class EndpointNameTakenError(AirflowFailException):
    """An endpoint of this name exists, but it serves another model or has other inference units."""


class EndpointFailedError(TriedAgainError):
    """The endpoint ended FAILED; a retry creates it again."""


class EndpointBrokenError(AirflowFailException):
    """The endpoint is gone, or is FAILED or DELETING, and this task cannot open it."""


class EndpointUpdateFailedError(AirflowFailException):
    """The endpoint could not be changed. The message says what it serves."""


class EndpointUnfinishedError(TriedAgainError):
    """The endpoint still changes after the longest wait; a retry waits for the same endpoint."""


class EndpointGoneError(TriedAgainError):
    """The endpoint disappeared while it was waited for; a retry looks for it by name."""


class ClassificationInterruptedError(TriedAgainError):
    """Documents could not all be classified through an endpoint; a retry goes on with the rest."""


class NoActiveVersionError(AirflowFailException):
    """The classifier has no version that the nightly DAG may use."""


class BudgetExceededError(AirflowFailException):
    """The forecast is over the spec's budget; nothing was started."""


class CostNotApprovedError(AirflowFailException):
    """A person rejected a cost above the budget, or did not answer in time."""


class BadInputError(AirflowFailException):
    """The documents or the spec cannot be used; nothing was started."""


class DatabaseDriverError(AirflowFailException):
    """The database connection is not one of psycopg 3."""


class DeploymentBrokenError(AirflowFailException):
    """The doctor found something that would make a night or a training fail."""


class RunIncompleteError(AirflowFailException):
    """The night's counts do not add up, or batches are missing; another try alone changes nothing."""
