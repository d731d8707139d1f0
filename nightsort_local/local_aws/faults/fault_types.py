"""The faults that the local AWS can be told to have, as data: read from JSON, handed to worker processes.

A fault of requests strikes calls of Comprehend or S3; one of work strikes trainings or jobs.
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
"""Begins the name of an S3 operation; a name without it is one of Comprehend."""

LONGEST_SECONDS = 3_600

_Seconds = Annotated[float, Field(ge=0, le=LONGEST_SECONDS)]
_Share = Annotated[float, Field(ge=0, le=1)]


class Fault(BaseModel):
    """What all faults say.

    :param times: how often it strikes before it is spent; None: for ever.
    :param rate: the share of its matches that it strikes.
    :param after: matches that it lets pass first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    times: Annotated[int, Field(ge=1)] | None = 1
    rate: _Share = 1.0
    after: Annotated[int, Field(ge=0)] = 0


# --- requests -----------------------------------------------------------------------------------------------


class RequestFault(Fault):
    """A fault of requests.

    :param operation: ``CreateDocumentClassifier``, ``s3:GetObject``; ``*`` stands for anything within a
        service.
    """

    operation: str

    @field_validator("operation")
    @classmethod
    def _check_operation(cls, pattern: str) -> str:
        names = _operations("s3" if pattern.startswith(S3) else "comprehend")
        if not any(fnmatchcase(name, pattern.removeprefix(S3)) for name in names):
            raise _refused(
                f"{pattern!r} matches no operation; it may be one of Comprehend (DescribeEndpoint), "
                "one of S3 (s3:GetObject), or either with a * in it (*, Describe*, s3:*)"
            )
        return pattern

    def matches(self, operation: str) -> bool:
        """Tell whether it concerns an operation; S3's begin with ``s3:``."""
        return operation.startswith(S3) == self.operation.startswith(S3) and fnmatchcase(
            operation, self.operation
        )


class ErrorAnswer(RequestFault):
    """The request is refused, and nothing is done.

    :param code: the error's code: ThrottlingException, InternalServerException, SlowDown …
    :param status: the HTTP status; None: the one that AWS sends with the code.
    """

    kind: Literal["error"] = "error"
    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9.]+$")]
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    message: str = "Injected by the fault control of the local AWS."


class Latency(RequestFault):
    """The request waits before it is done."""

    kind: Literal["latency"] = "latency"
    seconds: _Seconds


class ResetBefore(RequestFault):
    """The connection is reset, and nothing was done."""

    kind: Literal["reset_before"] = "reset_before"


class ResetAfter(RequestFault):
    """The request is done and what it did is kept; then the connection is reset instead of an answer."""

    kind: Literal["reset_after"] = "reset_after"


class HangAfter(RequestFault):
    """The request is done and what it did is kept; the answer comes so many seconds later."""

    kind: Literal["hang_after"] = "hang_after"
    seconds: _Seconds


# --- work ---------------------------------------------------------------------------------------------------


class WorkFault(Fault):
    """A fault of trainings or jobs.

    :param resource: what it strikes.
    :param name: a part of the JobName, or of the classifier's name; None: any.
    """

    resource: Literal["training", "job"]
    name: Annotated[str, Field(min_length=1)] | None = None

    def matches(self, resource: str, name: str) -> bool:
        """Tell whether it concerns a training or a job of a name."""
        return resource == self.resource and (self.name or "") in name


class Fail(WorkFault):
    """The work ends IN_ERROR or FAILED, with this message."""

    kind: Literal["fail"] = "fail"
    message: str = "INTERNAL_ERROR: Injected by the fault control of the local AWS."


class Stuck(WorkFault):
    """The work stays TRAINING or IN_PROGRESS; then it is done. None: until the fault is cleared."""

    kind: Literal["stuck"] = "stuck"
    seconds: _Seconds | None = None


class Warn(WorkFault):
    """A training ends TRAINED_WITH_WARNING, with this message."""

    kind: Literal["warning"] = "warning"
    resource: Literal["training"] = "training"
    message: str = "Injected by the fault control of the local AWS."


class OutputFault(WorkFault):
    """A fault of what a job writes."""

    resource: Literal["job"] = "job"


class OutputMissing(OutputFault):
    """The job is COMPLETED and there is no archive."""

    kind: Literal["output_missing"] = "output_missing"


class OutputTruncated(OutputFault):
    """The archive breaks off: only this share of its bytes is there."""

    kind: Literal["output_truncated"] = "output_truncated"
    keep: Annotated[float, Field(ge=0, lt=1)] = 0.5


class LinesFault(OutputFault):
    """A fault of some lines of the predictions.

    :param lines: their zero-based numbers; None together with no `share`: the first line.
    :param share: the share of all lines, chosen evenly, at least one.
    """

    lines: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    share: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _check_choice(self) -> Self:
        if self.lines is not None and self.share is not None:
            raise _refused("give lines or share, not both")
        return self


class LostLines(LinesFault):
    """The lines are not there."""

    kind: Literal["lost_lines"] = "lost_lines"


class DoubledLines(LinesFault):
    """The lines are there twice."""

    kind: Literal["doubled_lines"] = "doubled_lines"


class ErrorLines(LinesFault):
    """The lines say ErrorCode and ErrorMessage instead of a prediction."""

    kind: Literal["error_lines"] = "error_lines"
    code: str = "INTERNAL_SERVER_ERROR"
    message: str = "Injected by the fault control of the local AWS."


class WrongLines(LinesFault):
    """The lines are bytes that are neither UTF-8 nor JSON."""

    kind: Literal["wrong_lines"] = "wrong_lines"


class ShuffledLines(OutputFault):
    """All lines are there, in another order."""

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
    """Return the fault that JSON describes.

    :raises SettingError: it is none; the message says each member at fault and what may be.
    """
    try:
        fault: Fault = _ADAPTER.validate_python(content)
    except ValidationError as error:
        raise SettingError("; ".join(_said(problem, content) for problem in error.errors())) from error
    return fault


def _said(problem: Any, content: Any) -> str:
    kind = content.get("kind") if isinstance(content, dict) else None
    # For a member, pydantic puts the fault's kind before its name.
    member = ".".join(str(part) for part in problem["loc"] if part != kind)
    if problem["type"] == "extra_forbidden":
        return f"{kind} has no member {member!r}; it may have {', '.join(_MODELS[kind].model_fields)}"
    if not member:
        return f"a fault cannot be {content!r:.80}: {problem['msg']}"
    return f"{member} of {kind}: {problem['msg']}"


def _refused(message: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{message}", {"message": message})


@cache
def _operations(service: str) -> tuple[str, ...]:
    return tuple(botocore.session.get_session().get_service_model(service).operation_names)
