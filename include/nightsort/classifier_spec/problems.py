"""The problems of a classifier spec, as messages: file, key, problem, remedy."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from nightsort.classifier_spec.masking import HIDDEN, is_secret, masked_value
from nightsort.errors import NightsortError
from nightsort.wording import did_you_mean, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

EXAMPLES: dict[str, str] = {
    "name": "name: support-tickets",
    "mode": "mode: MULTI_CLASS",
    "language": "language: en",
    "labelled": "labelled: {uri: s3://bucket/labelled/, format: csv}",
    "incoming": 'incoming: {uri: "s3://bucket/incoming/{day}/", format: csv}',
    "format": "format: csv",
    "work_uri": "work_uri: s3://bucket/nightsort/support-tickets",
    "hours": 'hours: "08:00-18:00"',
    "max": "max: 4",
    "data_access_role_arn": "data_access_role_arn: arn:aws:iam::123456789012:role/Comprehend",
}
"""A line to copy for each required key."""


@dataclass(frozen=True)
class Problem:
    """One problem of a spec.

    :param key: the key in dotted form (``labelled.format``), empty when it concerns the whole file.
    :param message: what is wrong and what to do.
    """

    key: str
    message: str


class SpecError(NightsortError):
    """A broken spec. The message has one line per problem: file, key, what is wrong, what to do.

    :param file: the spec's file (or the folder that should hold specs).
    :param problems: every problem found, in the order of the file's keys.
    """

    def __init__(self, file: Path, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = tuple(problems)
        lines = (": ".join(filter(None, (str(file), p.key, p.message))) for p in problems)
        super().__init__("\n".join(map(one_line, lines)))

    def __str__(self) -> str:
        return Exception.__str__(self)

    def __reduce__(self) -> tuple[type[SpecError], tuple[Path, tuple[Problem, ...]]]:
        return type(self), (self.file, self.problems)


def refuse(message: str) -> PydanticCustomError:
    """Return the error with which a field's validator refuses a value."""
    return PydanticCustomError("refused", "{message}", {"message": message})


def refuse_keys(problems: Iterable[Problem]) -> PydanticCustomError:
    """Return the error with which a model's validator refuses keys that do not fit together."""
    return PydanticCustomError("refused_keys", "keys do not fit together", {"problems": tuple(problems)})


def shown(value: object) -> str:
    """Return a value as YAML shows it, shortened to 80 characters, without what may be a secret."""
    text = json.dumps(masked_value(value), ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def describe(errors: Iterable[ErrorDetails], models: Mapping[str, type[BaseModel]]) -> list[Problem]:
    """Turn pydantic's errors into problems with remedies.

    :param errors: as of ``ValidationError.errors()``.
    :param models: the model of each dotted key; ``""`` is the spec itself.
    """
    problems: list[Problem] = []
    for error in errors:
        key = ".".join(str(part) for part in error["loc"])
        if error["type"] == "refused_keys":
            within: tuple[Problem, ...] = error["ctx"]["problems"]
            problems += (Problem(".".join(filter(None, (key, p.key))), p.message) for p in within)
        else:
            problems.append(Problem(key, _message(error, key, models)))
    return problems


def _message(error: ErrorDetails, key: str, models: Mapping[str, type[BaseModel]]) -> str:
    parent, _, last = key.rpartition(".")
    value = HIDDEN if any(map(is_secret, error["loc"])) else error.get("input")
    context: dict[str, Any] = error.get("ctx", {})
    match error["type"]:
        case "refused":
            return str(context["message"])
        case "missing":
            example = EXAMPLES.get(last)
            return f"is missing; add it{f', for instance  {example}' if example else ''}"
        case "extra_forbidden":
            return _unknown_key(last, parent, models)
        case "literal_error":
            choices = context["expected"].replace("'", "").replace(" or ", ", ")
            return f"{shown(value)} is not a value for {last}; choose {choices}"
        case "string_type" if isinstance(value, (list, dict)):
            return f"must be one text, but is {shown(value)}"
        case "string_type":
            return f"must be text, but YAML reads {shown(value)}; put it in quotes"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"must contain keys, but is {shown(value)}"
        case "tuple_type":
            return f"must be a list, but is {shown(value)}; write  {last}: [first, second]"
    for bound, words in _BOUNDS.items():
        if bound in context:
            return f"must be {words} {context[bound]}, but is {shown(value)}"
    return f"{error['msg'].lower()}, but is {shown(value)}"


_BOUNDS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}


def _unknown_key(key: str, parent: str, models: Mapping[str, type[BaseModel]]) -> str:
    # The parts of a list have one model: notifiers.0 is one of notifiers.
    model = models.get(re.sub(r"\.\d+", "", parent))
    known = list(model.model_fields) if model else []
    homes = [name or "the top level" for name, other in models.items() if key in other.model_fields]
    if homes:
        return f"belongs to {' or '.join(homes)}, not here; move or remove it"
    if question := did_you_mean(key, known):
        return f"is not a key of the spec. {question}"
    return f"is not a key of the spec; remove it, or use one of {', '.join(known)}"
