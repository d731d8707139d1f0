"""Errors of AWS: which are permanent, what to do about them, and which only mean that AWS is busy."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from airflow.sdk.exceptions import AirflowFailException
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
)

from nightsort.comprehend.limits import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

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


THROTTLED: Final = frozenset(
    {
        "LimitExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


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
    """Return the code of an error that AWS answered with, for instance ``ThrottlingException``."""
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
