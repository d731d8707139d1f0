"""Holds every answer of a boto3 client to botocore's output shapes: no extra member, no wrong value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from nightsort_local.local_aws.comprehend.request_validation import problems, typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import ListShape, OperationModel, Shape, StructureShape


def check_answers(client: Any) -> Any:
    """Make a client raise on an answer that the service model does not know; return the client."""
    client.meta.events.register(f"before-parse.{client.meta.service_model.service_id.hyphenize()}", _check)
    return client


def _check(operation_model: OperationModel, response_dict: dict[str, Any], **_: Any) -> None:
    content = json.loads(response_dict["body"] or b"{}")
    if response_dict["status_code"] >= 300:
        codes = {shape.name for shape in operation_model.error_shapes} | {"ValidationException"}
        assert content["__type"] in codes, f"{operation_model.name} models no {content['__type']}"
        return
    found = answer_problems(operation_model, content)
    assert not found, found


def answer_problems(operation_model: OperationModel, content: Any) -> list[str]:
    """All that the service model has against the content of a good answer."""
    shape = operation_model.output_shape
    assert shape is not None
    return [*_unknown(shape, content, operation_model.name), *problems(shape, typed(shape, content))]


def _unknown(shape: Shape, value: Any, where: str) -> Iterator[str]:
    if shape.type_name == "structure":
        members = cast("StructureShape", shape).members
        for name, member in value.items():
            if name in members:
                yield from _unknown(members[name], member, f"{where}.{name}")
            else:
                yield f"{where} has no member {name}"
    elif shape.type_name == "list":
        for number, item in enumerate(value):
            yield from _unknown(cast("ListShape", shape).member, item, f"{where}[{number}]")
