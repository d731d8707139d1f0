"""
The failures that Nightsort's operators raise.

Two families. A subclass of ``AirflowFailException`` ends the task at once: another try cannot help, a person
has to act, and the message says how. All others are tried again by Airflow; every operator here finds what it
has already started.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from airflow.sdk.exceptions import AirflowException, AirflowFailException
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
)

from nightsort.comprehend.limits import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# What to do about an error that no retry cures, by botocore's error code. Throttling and server errors are
# not here: they pass by themselves.
REMEDIES: Final = {
    "AccessDeniedException": "Grant the connection's identity this right: docs/iam/airflow-policy.json lists "
    "them all.",
    "AccessDenied": "Grant the connection's identity this right: docs/iam/airflow-policy.json lists them "
    "all.",
    "UnauthorizedOperation": "Grant the connection's identity this right: docs/iam/airflow-policy.json lists "
    "them all.",
    "UnrecognizedClientException": "The keys of the AWS connection are not known to AWS: correct the "
    "connection.",
    "InvalidClientTokenId": "The keys of the AWS connection are not known to AWS: correct the connection.",
    "InvalidSignatureException": "The secret key of the AWS connection is wrong, or the clock is: correct "
    "it.",
    "ValidationException": "Comprehend refuses the request as it is: correct the named value in the spec.",
    "InvalidRequestException": "Comprehend refuses the request as it is: correct the named value in the "
    "spec.",
    "UnsupportedLanguageException": f"Custom classification knows {', '.join(LANGUAGES)}: correct "
    "`language`.",
    "KmsKeyValidationException": "Correct the keys under `kms`, and let the data access role use them.",
    "TooManyTagsException": "A resource takes at most 50 tags: shorten `tags`.",
    "ResourceLimitExceededException": "The account's quota of trainings or models is full: wait for other "
    "trainings, delete versions that nobody uses, or ask AWS for more; then clear the task.",
    "ResourceNotFoundException": "It is not there (any more) in this account and region: train again, or "
    "correct the ARN.",
}


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


def remedy(error: BaseException) -> str | None:
    """
    Say what a person has to do about an error of AWS; None where another try may help.

    :param error: any exception; of those that are not botocore's, nothing is known.
    """
    if isinstance(error, ClientError):
        return REMEDIES.get(error_code(error))
    if isinstance(error, ParamValidationError):
        return "Correct the named value."
    if isinstance(error, NoRegionError):
        return "Set region_name in the extra of the AWS connection."
    if isinstance(error, NoCredentialsError):
        return "Give the connection keys or a role, or the worker a role of its own."
    return None


def error_code(error: ClientError) -> str:
    """Give the code of an error that AWS answered with, for instance ``ThrottlingException``."""
    return error.response.get("Error", {}).get("Code", "")


@contextmanager
def fail_on_permanent_aws_errors(doing: str) -> Iterator[None]:
    """
    End the task at once, with a remedy, on AWS errors that no retry cures; let all others pass as they are.

    :param doing: what was attempted, for the message, for instance ``"start the classification job x"``.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        if (what_to_do := remedy(error)) is None:
            raise
        raise AirflowFailException(f"Cannot {doing}: {error} {what_to_do}") from error
