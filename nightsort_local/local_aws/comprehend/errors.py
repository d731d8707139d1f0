"""The errors of Comprehend's API: code, HTTP status and message."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An error answer of the service.

    :param code: the modelled error's name, for instance ``ResourceNotFoundException``.
    :param message: the text for the caller.
    :param status: the HTTP status; by default the service model's status of the code (see
        :data:`HTTP_STATUS`), otherwise 400.
    :param members: further members of the error's shape (``Reason``, ``Detail``).
    """

    def __init__(self, code: str, message: str, *, status: int | None = None, **members: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status if status is not None else HTTP_STATUS.get(code, 400)
        self.members = members

    def body(self) -> dict[str, Any]:
        """Return the body of the answer. botocore reads the code only from ``__type``."""
        member = "message" if self.code in _FRAMEWORK_ERRORS else "Message"
        return {"__type": self.code, **({member: self.message} if self.message else {}), **self.members}


_FRAMEWORK_ERRORS = frozenset({"ValidationException", "ThrottlingException"})
"""Errors of AWS's framework in front of the service. It writes ``message`` in lower case (seen in
Rekognition)."""

HTTP_STATUS = {
    "ResourceNotFoundException": 404,
    "ResourceUnavailableException": 404,
    "JobNotFoundException": 404,
    "TooManyRequestsException": 429,
    "InternalServerException": 500,
}
"""HTTP statuses that differ from 400, from the service model's ``httpStatusCode`` traits."""


def invalid_request(message: str, **members: Any) -> ApiError:
    """Return the error for a well-formed request with an invalid content."""
    return ApiError("InvalidRequestException", message, **members)


def resource_not_found() -> ApiError:
    """Return the error for an ARN without a resource, with the text of a CloudTrail record of AWS."""
    return ApiError("ResourceNotFoundException", "RESOURCE_NOT_FOUND: Could not find specified resource.")


def resource_in_use(message: str) -> ApiError:
    """Return the error for a name that is taken, or for a resource that is in use."""
    return ApiError("ResourceInUseException", message)


def resource_unavailable(message: str) -> ApiError:
    """Return the error for a resource whose state does not allow the operation."""
    return ApiError("ResourceUnavailableException", message)
