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
from nightsort_airflow.exceptions import TriedAgainError, logged

if TYPE_CHECKING:
    from collections.abc import Iterator

_GRANT: Final = (
    "Grant the connection's identity this permission; docs/iam/airflow-policy.json lists all of them."
)
_KEYS: Final = "AWS does not know the keys of the AWS connection: correct the connection."
_NOT_OFFERED: Final = (
    "Comprehend does not offer custom classification to this account in this region, and no IAM permission "
    "changes that: use another region for the connection and `work_uri`, or ask AWS Support."
)
_VALUE: Final = "Comprehend refuses the request: correct the named value in the spec."

# What to do about a permanent error, by botocore's error code.
REMEDIES: Final = {
    "AccessDeniedException": _GRANT,
    "AccessDenied": _GRANT,
    "UnauthorizedOperation": _GRANT,
    "NotAuthorizedException": _NOT_OFFERED,
    "UnrecognizedClientException": _KEYS,
    "InvalidClientTokenId": _KEYS,
    "InvalidSignatureException": "The secret key of the AWS connection or the clock is wrong: correct it.",
    "ValidationException": _VALUE,
    "InvalidRequestException": _VALUE,
    "UnsupportedLanguageException": "Custom classification supports "
    f"{', '.join(LANGUAGES)}: correct `language`.",
    "KmsKeyValidationException": "Correct the keys under `kms`, and let the data access role use them.",
    "TooManyTagsException": "A resource takes at most 50 tags: shorten `tags`.",
    "ResourceLimitExceededException": "The account's quota of trainings or models is full: wait for other "
    "trainings, delete versions that nobody uses, or ask AWS for a higher quota; then clear the task.",
    "ResourceNotFoundException": "It does not exist (any more) in this account and region: train again, or "
    "correct the ARN.",
}

# The same codes have other remedies where endpoints are opened, changed and closed.
OF_ENDPOINTS: Final = frozenset(
    {
        "GetMetricData",
        "RegisterScalableTarget",
        "PutScalingPolicy",
        "DeregisterScalableTarget",
        "DescribeScalableTargets",
        "CreateEndpoint",
        "DescribeEndpoint",
        "UpdateEndpoint",
        "DeleteEndpoint",
        "ListEndpoints",
        "ListTagsForResource",
        "ClassifyDocument",
    }
)
REAL_TIME_POLICY: Final = "airflow-real-time-policy.json"
SMALL_NIGHTS_POLICY: Final = "airflow-small-nights-policy.json"
SERVE_POLICY: Final = "serve-policy.json"
CLOSE_POLICY: Final = "close-endpoints-policy.json"

_GRANT_FOR_ENDPOINTS: Final = (
    "Grant the identity this permission; docs/iam/README.md says who needs which for endpoints."
)
ENDPOINT_REMEDIES: Final = {
    "AccessDeniedException": _GRANT_FOR_ENDPOINTS,
    "AccessDenied": _GRANT_FOR_ENDPOINTS,
    "ResourceLimitExceededException": "The account's quota of endpoints or inference units is full: delete "
    "endpoints that nobody uses, take fewer units, or ask AWS for a higher quota; then clear the task.",
    "ResourceNotFoundException": "The model or the endpoint does not exist (any more) in this account and "
    "region: use a classifier version that is there.",
    "ResourceUnavailableException": "The model is not trained, or the endpoint is not in service: use a "
    "version that is TRAINED, and an endpoint that is IN_SERVICE.",
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

DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "403", "UnauthorizedOperation"})


def remedy(error: BaseException, endpoint_policy: str | None = None) -> str | None:
    """
    Return what a person has to do about an error of AWS; None where a retry may help.

    :param error: any exception; only botocore's have a remedy.
    :param endpoint_policy: the file in ``docs/iam`` that grants what is asked of endpoints here; None: it
        depends on who asks.
    """
    if isinstance(error, ClientError):
        if error.response.get("Error", {}).get("Message", "").startswith("UNSUPPORTED_OPERATION"):
            return _NOT_OFFERED
        remedies = REMEDIES
        if error.operation_name in OF_ENDPOINTS:
            remedies = {**REMEDIES, **ENDPOINT_REMEDIES}
        found = remedies.get(error_code(error))
        if found == _GRANT_FOR_ENDPOINTS and endpoint_policy:
            return f"Grant the identity this permission: docs/iam/{endpoint_policy} has it."
        return found
    if isinstance(error, ParamValidationError):
        return "Correct the named value."
    if isinstance(error, NoRegionError):
        return "Set region_name in the extra of the AWS connection; without one, set AWS_DEFAULT_REGION."
    if isinstance(error, NoCredentialsError):
        return "Add keys or a role to the AWS connection, or run the worker with a role."
    return None


def error_code(error: ClientError) -> str:
    """Return the code in an answer of AWS, for instance ``ThrottlingException``."""
    return error.response.get("Error", {}).get("Code", "")


def is_denied(error: ClientError) -> bool:
    """
    Return whether a call was refused because a permission is missing.

    :param error: what AWS answered.
    """
    return error_code(error) in DENIED


def is_temporary(error: ClientError) -> bool:
    """
    Return whether the same call may succeed a little later.

    :param error: what AWS answered.
    """
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error_code(error) in THROTTLED or status >= 500


@contextmanager
def fail_on_permanent_aws_errors(doing: str, endpoint_policy: str | None = None) -> Iterator[None]:
    """
    Fail the task with a remedy and without a retry on permanent AWS errors; pass on all others.

    The cause of every expected failure is logged first, as one line.

    :param doing: what was attempted, for the message, for instance ``"start the classification job x"``.
    :param endpoint_policy: as for :func:`remedy`.
    """
    try:
        yield
    except (AirflowFailException, TriedAgainError) as error:
        logged(error)
        raise
    except (BotoCoreError, ClientError) as error:
        if (what_to_do := remedy(error, endpoint_policy)) is None:
            raise
        cause = str(error).rstrip(".")
        raise logged(AirflowFailException(f"Cannot {doing}: {cause}. {what_to_do}")) from None
