"""Comprehend's service model, and the checks that botocore leaves to the service: maximums, patterns,
enums."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
import regex
from botocore.model import ListShape, StringShape, StructureShape
from botocore.validate import ParamValidator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import ServiceModel, Shape


@cache
def service_model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("comprehend")


def enum(shape_name: str) -> tuple[str, ...]:
    shape = service_model().shape_for(shape_name)
    assert isinstance(shape, StringShape)
    return tuple(shape.enum)


def problems(operation: str, request: dict[str, Any]) -> list[str]:
    """All that is wrong with a request, by botocore's own validator and by the constraints that it
    ignores."""
    shape = service_model().operation_model(operation).input_shape
    assert shape is not None
    report = ParamValidator().validate(request, shape)
    found = [report.generate_report()] if report.has_errors() else []
    return found + list(_ignored_by_botocore(shape, request, operation))


def _ignored_by_botocore(shape: Shape, value: Any, where: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            yield from _ignored_by_botocore(shape.members[name], member, f"{where}.{name}")
    elif isinstance(shape, ListShape):
        yield from _too_long(shape, value, where)
        for number, member in enumerate(value):
            yield from _ignored_by_botocore(shape.member, member, f"{where}[{number}]")
    elif shape.type_name == "string":
        yield from _too_long(shape, value, where)
        pattern = shape.metadata.get("pattern")
        if pattern and not regex.fullmatch(pattern, value):
            yield f"{where}: {value!r} is not {pattern}"
        if shape.metadata.get("enum") and value not in shape.metadata["enum"]:
            yield f"{where}: {value!r} is none of {shape.metadata['enum']}"


def _too_long(shape: Shape, value: Any, where: str) -> Iterator[str]:
    longest = shape.metadata.get("max")
    if longest is not None and len(value) > longest:
        yield f"{where}: {len(value)} is over {longest}"
