"""
The failures that Nightsort's operators raise.

Two families. A subclass of ``AirflowFailException`` ends the task at once: another try cannot help, a person
has to act, and the message says how. All others are tried again by Airflow; every operator here finds what it
has already started.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException, AirflowFailException

if TYPE_CHECKING:
    from collections.abc import Sequence


class BrokenSpecsError(ValueError):
    """
    Some classifier specs cannot be used; their DAGs are missing until they are corrected.

    :param errors: one for each broken file; each says file, key and remedy.
    """

    def __init__(self, errors: Sequence[Exception]) -> None:
        told = "\n".join(str(error) for error in errors)
        super().__init__(
            f"{len(errors)} classifier spec(s) cannot be used, so their DAGs are missing:\n{told}"
        )


class ClassifierStateUnknownError(AirflowFailException):
    """Comprehend reports a state that this version of Nightsort does not know."""


class JobStateUnknownError(AirflowFailException):
    """Comprehend reports a job state that this version of Nightsort does not know."""


class TrainingFailedError(AirflowFailException):
    """The training ended without a usable model."""


class TrainingWarningsError(AirflowFailException):
    """The model is trained, but with warnings, and these are to fail the task."""


class TrainingTimeLimitError(AirflowFailException):
    """The training took longer than it may, and was stopped."""


class TrainingUnfinishedError(AirflowException):
    """The training still runs after the longest wait; a retry goes on waiting for the same training."""


class VersionGoneError(AirflowException):
    """AWS said that the version exists, and then that it does not; a retry looks again."""


class JobFailedError(AirflowException):
    """The classification job ended FAILED or STOPPED; a retry starts the next generation."""


class JobFailedForGoodError(AirflowFailException):
    """The classification job failed, and starting it once more would not help or has not helped."""


class JobUnfinishedError(AirflowException):
    """The classification job still runs after the longest wait; a retry goes on waiting for the same job."""


class JobGoneError(AirflowException):
    """Comprehend does not know the job that it had; a retry looks for it by name."""


class QuotaFullError(AirflowException):
    """For longer than one wait lasts, the account had no room for another job; a retry goes on waiting."""


class JobNameTakenError(AirflowFailException):
    """A job of this name exists, but it classifies other input or uses another classifier."""


class NoActiveVersionError(AirflowFailException):
    """The classifier has no version that the nightly DAG may use."""


class BudgetExceededError(AirflowFailException):
    """The forecast is over the spec's budget; nothing was started."""


class CostNotApprovedError(AirflowFailException):
    """A person, asked whether the cost above the budget is meant, said no, or said nothing in time."""


class BadInputError(AirflowFailException):
    """The documents or the spec cannot be used as they are; nothing was started."""


class DatabaseDriverError(AirflowFailException):
    """The database connection is not one of psycopg 3."""


class DeploymentBrokenError(AirflowFailException):
    """The doctor found something on which a night or a training would fail."""


class RunIncompleteError(AirflowFailException):
    """The night's numbers do not add up, or batches of it are missing; another try alone changes nothing."""
