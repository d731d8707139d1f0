"""Requests against botocore's service model, with the constraints that botocore leaves to the service.

botocore checks required members, types and minimums before it sends, but no maximum, pattern or enum: those
come back from the real service as a ``ValidationException`` that lists every member at fault.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timezone
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.utils import parse_timestamp

from include.local_stack.local_aws.comprehend.errors import ApiError
from include.local_stack.local_aws.comprehend.java_patterns import python_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StringShape, StructureShape

TARGET_PREFIX = "Comprehend_20171127"
"""What ``X-Amz-Target`` starts with (service model, ``targetPrefix``)."""


@cache
def service_model() -> ServiceModel:
    """Return botocore's model of Comprehend."""
    return botocore.session.get_session().get_service_model("comprehend")


@cache
def operation_model(operation: str) -> OperationModel:
    """Return the model of one operation; an unknown one raises the error that AWS gives for it."""
    if operation not in service_model().operation_names:
        raise ApiError("UnknownOperationException", f"Comprehend has no operation {operation!r}.")
    return service_model().operation_model(operation)


def parse_request(operation: str, body: Any) -> dict[str, Any]:
    """Return the parameters of a request, typed as the model says; members that the model lacks are dropped.

    The body is the content of a JSON or CBOR request. Timestamps become epoch seconds (float), blobs bytes.

    Raises:
        ApiError: ``SerializationException`` for a wrong type, ``ValidationException`` with every constraint
            that does not hold.
    """
    shape = operation_model(operation).input_shape
    if shape is None:
        return {}
    parameters = cast("dict[str, Any]", typed(shape, body))
    broken = list(problems(shape, parameters))
    if broken:
        count = f"{len(broken)} validation error{'s' if len(broken) > 1 else ''} detected: "
        raise ApiError("ValidationException", count + "; ".join(broken))
    return parameters


_FAILED = "failed to satisfy constraint: Member must"

_SCALARS: dict[str, type] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
}

# --- types --------------------------------------------------------------------------------------------------


def typed(shape: Shape, value: Any, where: str = "") -> Any:
    """Return a JSON value in the types of its shape; see :func:`parse_request`."""
    kind = shape.type_name
    if kind == "structure":
        return _structure(cast("StructureShape", shape), value, where)
    if kind == "list":
        if not isinstance(value, list):
            raise _wrong_type(value, where, "a list")
        member = cast("ListShape", shape).member
        return [typed(member, item, _item(where, number)) for number, item in enumerate(value, 1)]
    if kind == "timestamp":
        return _timestamp(value, where)
    if kind == "blob":
        return _blob(value, where)
    expected = _SCALARS[kind]
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise _wrong_type(value, where, f"a {kind}")
    return value


def _structure(shape: StructureShape, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong_type(value, where, "a structure")
    # A JSON null is an absent member, as in every AWS JSON protocol.
    return {
        name: typed(member, value[name], _member(where, name))
        for name, member in shape.members.items()
        if value.get(name) is not None
    }


def _timestamp(value: Any, where: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            moment: datetime = parse_timestamp(value)
        except ValueError as error:
            raise _wrong_type(value, where, "a timestamp") from error
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
    raise _wrong_type(value, where, "a timestamp")


def _blob(value: Any, where: str) -> bytes:
    if isinstance(value, bytes):  # CBOR has bytes of its own
        return value
    if not isinstance(value, str):
        raise _wrong_type(value, where, "base64 text")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise _wrong_type("(not base64)", where, "base64 text") from error


def _wrong_type(value: Any, where: str, expected: str) -> ApiError:
    return ApiError(
        "SerializationException", f"{where or 'the request'} must be {expected}, not {type(value).__name__}."
    )


# --- constraints --------------------------------------------------------------------------------------------


def problems(shape: Shape, value: Any, where: str = "") -> Iterator[str]:
    """Yield, in AWS's words, each constraint that a typed value does not hold to."""
    kind = shape.type_name
    if kind == "structure":
        structure = cast("StructureShape", shape)
        for name in structure.required_members:
            if name not in value:
                yield f"Value null at '{_member(where, name)}' {_FAILED} not be null"
        for name, member in value.items():
            yield from problems(structure.members[name], member, _member(where, name))
    elif kind == "list":
        yield from _length_problems(shape, value, where)
        for number, item in enumerate(value, 1):
            yield from problems(cast("ListShape", shape).member, item, _item(where, number))
    elif kind in ("string", "blob"):
        yield from _length_problems(shape, value, where)
        if kind == "string":
            yield from _text_problems(cast("StringShape", shape), value, where)
    elif kind in ("integer", "long", "float", "double"):
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if least is not None and value < least:
            yield _failed(shape, value, where, f"have value greater than or equal to {least}")
        if most is not None and value > most:
            yield _failed(shape, value, where, f"have value less than or equal to {most}")


def _length_problems(shape: Shape, value: Any, where: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and len(value) < least:
        yield _failed(shape, value, where, f"have length greater than or equal to {least}")
    if most is not None and len(value) > most:
        yield _failed(shape, value, where, f"have length less than or equal to {most}")


def _text_problems(shape: StringShape, value: str, where: str) -> Iterator[str]:
    pattern = shape.metadata.get("pattern")
    if pattern is not None and not python_pattern(pattern).fullmatch(value):
        yield _failed(shape, value, where, f"satisfy regular expression pattern: {pattern}")
    if shape.enum and value not in shape.enum:
        yield _failed(shape, value, where, f"satisfy enum value set: [{', '.join(shape.enum)}]")


def _failed(shape: Shape, value: Any, where: str, constraint: str) -> str:
    shown = "(sensitive)" if shape.metadata.get("sensitive") or isinstance(value, bytes) else f"'{value}'"
    return f"Value {shown} at '{where}' {_FAILED} {constraint}"


def _member(where: str, name: str) -> str:
    return f"{where}.{name[0].lower()}{name[1:]}" if where else f"{name[0].lower()}{name[1:]}"


def _item(where: str, number: int) -> str:
    return f"{where}.{number}.member"
