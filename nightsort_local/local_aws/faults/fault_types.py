"""The kinds of faults, as data: read from JSON, sent to worker processes.

A request fault strikes calls of Comprehend or S3. A work fault strikes trainings or jobs.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from typing import Annotated, Any, Literal, get_args

import botocore.session
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from typing_extensions import Self

from nightsort_local.local_aws.settings import SettingError

S3 = "s3:"
"""Prefix of S3 operations; a name without it is an operation of Comprehend."""

MAX_SECONDS = 3_600

_Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS)]
_Share = Annotated[float, Field(ge=0, le=1)]


class Fault(BaseModel):
    """The common members of all faults.

    :param times: how often it strikes; None for no limit.
    :param rate: the share of its matches that it strikes.
    :param after: how many matches it skips first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    times: Annotated[int, Field(ge=1)] | None = 1
    rate: _Share = 1.0
    after: Annotated[int, Field(ge=0)] = 0


# --- requests -----------------------------------------------------------------------------------------------


class RequestFault(Fault):
    """A fault of requests.

    :param operation: ``CreateDocumentClassifier``, ``s3:GetObject``; ``*`` matches anything within a
        service.
    """

    operation: str

    @field_validator("operation")
    @classmethod
    def _check_operation(cls, pattern: str) -> str:
        names = _operations("s3" if pattern.startswith(S3) else "comprehend")
        if not any(fnmatchcase(name, pattern.removeprefix(S3)) for name in names):
            raise _refused(
                f"{pattern!r} matches no operation; it must name one of Comprehend (DescribeEndpoint) or one "
                "of S3 (s3:GetObject), or contain a * (*, Describe*, s3:*)"
            )
        return pattern

    def matches(self, operation: str) -> bool:
        """Return whether the fault matches an operation. Names of S3 operations begin with ``s3:``."""
        return operation.startswith(S3) == self.operation.startswith(S3) and fnmatchcase(
            operation, self.operation
        )


class ErrorAnswer(RequestFault):
    """The request is refused; nothing is done.

    :param code: the error's code: ThrottlingException, InternalServerException, SlowDown …
    :param status: the HTTP status; None for AWS's status of the code.
    """

    kind: Literal["error"] = "error"
    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9.]+$")]
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    message: str = "Injected by the fault control of the local AWS."


class Latency(RequestFault):
    """The request waits before it is processed."""

    kind: Literal["latency"] = "latency"
    seconds: _Seconds


class ResetBefore(RequestFault):
    """The connection is reset; nothing is done."""

    kind: Literal["reset_before"] = "reset_before"


class ResetAfter(RequestFault):
    """The request is processed and saved; then the connection is reset instead of an answer."""

    kind: Literal["reset_after"] = "reset_after"


class HangAfter(RequestFault):
    """The request is processed and saved; the answer comes after a delay."""

    kind: Literal["hang_after"] = "hang_after"
    seconds: _Seconds


# --- work ---------------------------------------------------------------------------------------------------


class WorkFault(Fault):
    """A fault of trainings or jobs.

    :param resource: the kind of work.
    :param name: a part of the JobName or of the classifier's name; None matches any name.
    """

    resource: Literal["training", "job"]
    name: Annotated[str, Field(min_length=1)] | None = None

    def matches(self, resource: str, name: str) -> bool:
        """Return whether the fault matches a training or a job of this name."""
        return resource == self.resource and (self.name or "") in name


class Fail(WorkFault):
    """The work ends IN_ERROR or FAILED, with this message."""

    kind: Literal["fail"] = "fail"
    message: str = "INTERNAL_ERROR: Injected by the fault control of the local AWS."


class Stuck(WorkFault):
    """The work stays TRAINING or IN_PROGRESS before it runs. None: until the fault is removed."""

    kind: Literal["stuck"] = "stuck"
    seconds: _Seconds | None = None


class Warn(WorkFault):
    """A training ends TRAINED_WITH_WARNING, with this message."""

    kind: Literal["warning"] = "warning"
    resource: Literal["training"] = "training"
    message: str = "Injected by the fault control of the local AWS."


class OutputFault(WorkFault):
    """A fault of a job's output."""

    resource: Literal["job"] = "job"


class OutputMissing(OutputFault):
    """The job is COMPLETED, but there is no archive."""

    kind: Literal["output_missing"] = "output_missing"


class OutputTruncated(OutputFault):
    """The archive is truncated to this share of its bytes."""

    kind: Literal["output_truncated"] = "output_truncated"
    keep: Annotated[float, Field(ge=0, lt=1)] = 0.5


class LinesFault(OutputFault):
    """A fault of lines of the predictions.

    :param lines: zero-based line numbers. Without `lines` and `share`, the first line.
    :param share: a share of all lines, evenly spaced, at least one line.
    """

    lines: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    share: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _check_choice(self) -> Self:
        if self.lines is not None and self.share is not None:
            raise _refused("give lines or share, not both")
        return self


class LostLines(LinesFault):
    """The lines are missing."""

    kind: Literal["lost_lines"] = "lost_lines"


class DoubledLines(LinesFault):
    """The lines are duplicated."""

    kind: Literal["doubled_lines"] = "doubled_lines"


class ErrorLines(LinesFault):
    """The lines have ErrorCode and ErrorMessage instead of a prediction."""

    kind: Literal["error_lines"] = "error_lines"
    code: str = "INTERNAL_SERVER_ERROR"
    message: str = "Injected by the fault control of the local AWS."


class WrongLines(LinesFault):
    """The lines are neither UTF-8 nor JSON."""

    kind: Literal["wrong_lines"] = "wrong_lines"


class ShuffledLines(OutputFault):
    """The lines are in another order."""

    kind: Literal["shuffled_lines"] = "shuffled_lines"


AnyFault = Annotated[
    ErrorAnswer
    | Latency
    | ResetBefore
    | ResetAfter
    | HangAfter
    | Fail
    | Stuck
    | Warn
    | OutputMissing
    | OutputTruncated
    | LostLines
    | DoubledLines
    | ErrorLines
    | WrongLines
    | ShuffledLines,
    Field(discriminator="kind"),
]

_ADAPTER: TypeAdapter[Any] = TypeAdapter(AnyFault)
_MODELS = {model.model_fields["kind"].default: model for model in get_args(get_args(AnyFault)[0])}


def parse_fault(content: Any) -> Fault:
    """Return the fault of a JSON object.

    :raises SettingError: the object is invalid; the message lists each invalid member and the allowed values.
    """
    try:
        fault: Fault = _ADAPTER.validate_python(content)
    except ValidationError as error:
        raise SettingError("; ".join(_message(problem, content) for problem in error.errors())) from error
    return fault


def _message(problem: Any, content: Any) -> str:
    kind = content.get("kind") if isinstance(content, dict) else None
    # In the location of a member, pydantic puts the fault's kind before the name.
    member = ".".join(str(part) for part in problem["loc"] if part != kind)
    if problem["type"] == "extra_forbidden":
        return f"{kind} has no member {member!r}; its members are {', '.join(_MODELS[kind].model_fields)}"
    if not member:
        return f"{content!r:.80} is not a fault: {problem['msg']}"
    return f"{member} of {kind}: {problem['msg']}"


def _refused(message: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{message}", {"message": message})


@cache
def _operations(service: str) -> tuple[str, ...]:
    return tuple(botocore.session.get_session().get_service_model(service).operation_names)
