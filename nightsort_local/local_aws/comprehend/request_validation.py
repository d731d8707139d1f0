"""Validate requests against botocore's service model.

botocore itself checks required members, types and minimums, but no maximum, pattern or enum. The real service
returns those as a ``ValidationException`` that lists every invalid member.
"""

from __future__ import annotations

import base64
import binascii
import math
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import botocore.session
import regex

from nightsort_local.local_aws.comprehend.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import (
        ListShape,
        MapShape,
        OperationModel,
        ServiceModel,
        Shape,
        StringShape,
        StructureShape,
    )

TARGET_PREFIX = "Comprehend_20171127"
"""Start of ``X-Amz-Target`` (service model, ``targetPrefix``)."""


@cache
def service_model() -> ServiceModel:
    """Return botocore's model of Comprehend."""
    return botocore.session.get_session().get_service_model("comprehend")


@cache
def operation_model(operation: str) -> OperationModel:
    """Return the model of one operation.

    :raises ApiError: UnknownOperationException, as on AWS.
    """
    if operation not in service_model().operation_names:
        raise ApiError("UnknownOperationException", f"Comprehend has no operation {operation!r}.")
    return service_model().operation_model(operation)


def parse_request(operation: str, body: Any) -> dict[str, Any]:
    """Return the parameters of a request in the model's types; drop members that the model does not have.

    The body is the decoded content of a JSON or CBOR request. Timestamps become epoch seconds (float), blobs
    become bytes.

    :raises ApiError: ``SerializationException`` for a wrong type; ``ValidationException`` with every violated
        constraint.
    """
    return parsed(operation_model(operation).input_shape, body)


def parsed(shape: Shape | None, body: Any) -> dict[str, Any]:
    """Return the parameters of a request to any JSON service; see :func:`parse_request`.

    :param shape: the input of the operation; None: it takes nothing.
    """
    if shape is None:
        return {}
    parameters = cast("dict[str, Any]", typed(shape, body))
    broken = list(problems(shape, parameters))
    if broken:
        count = f"{len(broken)} validation error{'s' if len(broken) > 1 else ''} detected: "
        raise ApiError("ValidationException", count + "; ".join(broken))
    return parameters


# --- types --------------------------------------------------------------------------------------------------

_SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int, float),
    "long": (int, float),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
    "blob": (str, bytes),  # base64 in JSON, bytes in CBOR
}

_TYPE_NAMES = {"integer": "an Integer", "timestamp": "milliseconds since epoch"}
"""Names of types in messages, where they are not "a" and the type."""


def typed(shape: Shape, value: Any) -> Any:
    """Return the content of a request in the types of its shape; see :func:`parse_request`.

    Conversions and messages are those of AWS's JSON services, as measured on Athena
    (https://github.com/aoyagikouhei/athena-local) and, for timestamps, on X-Ray: a null counts as missing, in
    lists too, and an integer loses its fraction.
    """
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        return {
            name: typed(member, value[name])
            for name, member in cast("StructureShape", shape).members.items()
            if value.get(name) is not None
        }
    if kind == "list" and isinstance(value, list):
        member = cast("ListShape", shape).member
        return [typed(member, item) for item in value if item is not None]
    if kind == "map" and isinstance(value, dict):
        member = cast("MapShape", shape).value
        return {name: typed(member, item) for name, item in value.items() if item is not None}
    if not isinstance(value, _SCALARS.get(kind, ())) or (isinstance(value, bool) and kind != "boolean"):
        raise _wrong_type(shape, value)
    if kind == "blob":
        return _blob(shape, cast("str | bytes", value))
    if isinstance(value, (int, float)) and kind != "boolean":
        if not math.isfinite(value):
            raise _wrong_type(shape, value)
        return int(value) if kind in ("integer", "long") else float(value)
    return value


def _blob(shape: Shape, value: str | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _wrong_type(shape, value) from error


def _wrong_type(shape: Shape, value: Any) -> ApiError:
    kind = shape.type_name
    if isinstance(value, list):
        message = "Start of list found where not expected"
    elif isinstance(value, dict):
        message = "Start of structure or map found where not expected."
    elif kind == "list":
        message = "Expected list or null"
    elif kind == "structure":
        message = "Expected null"
    else:
        found = {True: "TRUE", False: "FALSE"}[value] if isinstance(value, bool) else _token(value)
        message = f"{found}_VALUE can not be converted to {_TYPE_NAMES.get(kind, f'a {kind.capitalize()}')}"
    return ApiError("SerializationException", message)


def _token(value: Any) -> str:
    return "NUMBER" if isinstance(value, (int, float)) else "STRING"


# --- constraints --------------------------------------------------------------------------------------------

_SURROGATES = (r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")
"""The characters beyond the first plane, as the models write them and as Python does."""

_FAILED = "failed to satisfy constraint: Member must"


def problems(shape: Shape, value: Any, where: str = "") -> Iterator[str]:
    """Yield AWS's message for each constraint that a typed value violates."""
    kind = shape.type_name
    if kind == "structure":
        structure = cast("StructureShape", shape)
        for name in structure.required_members:
            if name not in value:
                yield f"Value null at '{_member(where, name)}' {_FAILED} not be null"
        for name, member in value.items():
            yield from problems(structure.members[name], member, _member(where, name))
    elif kind == "list":
        yield from _range_problems(shape, value, where, "length", len(value))
        for number, item in enumerate(value, 1):
            yield from problems(cast("ListShape", shape).member, item, _item(where, number))
    elif kind in ("string", "blob"):
        yield from _range_problems(shape, value, where, "length", len(value))
        if kind == "string":
            yield from _text_problems(cast("StringShape", shape), value, where)
    elif kind in ("integer", "long", "float", "double"):
        yield from _range_problems(shape, value, where, "value", value)


def _range_problems(shape: Shape, value: Any, where: str, quantity: str, size: float) -> Iterator[str]:
    minimum, maximum = shape.metadata.get("min"), shape.metadata.get("max")
    if minimum is not None and size < minimum:
        yield _failed(shape, value, where, f"have {quantity} greater than or equal to {minimum}")
    if maximum is not None and size > maximum:
        yield _failed(shape, value, where, f"have {quantity} less than or equal to {maximum}")


def _text_problems(shape: StringShape, value: str, where: str) -> Iterator[str]:
    pattern = shape.metadata.get("pattern")
    # The patterns are Java's: `re` does not support Unicode properties, and characters are of UTF-16.
    if pattern is not None and not regex.fullmatch(pattern.replace(*_SURROGATES), value):
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
