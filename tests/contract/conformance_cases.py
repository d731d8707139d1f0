"""What an operation must refuse and what it must take, generated from the service model.

A path leads to a member: names of structure members, and ``[]`` for the items of a list.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

Path = tuple[str, ...]

ITEM = "[]"
ABSENT = object()
"""In place of a value: the member is left out."""

ACCOUNT = "123456789012"
COMPREHEND = f"arn:aws:comprehend:us-east-1:{ACCOUNT}:"

TEXTS = {
    "AttributeNamesListItem": ("", "a"),
    "ClientRequestTokenString": ("", "t"),
    "ComprehendArn": (f"{COMPREHEND}document-classifier/", "a"),
    "ComprehendArnName": ("", "n"),
    "ComprehendEndpointArn": (f"{COMPREHEND}document-classifier-endpoint/", "e"),
    "ComprehendEndpointName": ("", "e"),
    "ComprehendFlywheelArn": (f"{COMPREHEND}flywheel/", "f"),
    "ComprehendModelArn": (f"{COMPREHEND}document-classifier/", "m"),
    "CustomerInputString": ("", "x"),
    "DocumentClassifierArn": (f"{COMPREHEND}document-classifier/", "c"),
    "DocumentClassifierEndpointArn": (f"{COMPREHEND}document-classifier-endpoint/", "e"),
    "IamRoleArn": (f"arn:aws:iam::{ACCOUNT}:role/", "r"),
    "JobId": ("", "0"),
    "JobName": ("", "j"),
    "KmsKeyId": ("alias/", "k"),
    "LabelDelimiter": ("", "|"),
    "Policy": ("", "p"),
    "S3Uri": ("s3://conformance/", "s"),
    "SecurityGroupId": ("sg-", "0"),
    "String": ("", "x"),
    "SubnetId": ("subnet-", "0"),
    "TagKey": ("", "k"),
    "TagValue": ("", "v"),
    "VersionName": ("", "v"),
}
"""For each text shape what its values may begin with, and what they may go on with for ever."""

_ANY_TEXT = ("", "x")

_FURTHER_EDGES: dict[str, tuple[str, ...]] = {
    "ComprehendArnName": ("7", "a--b"),
    "IamRoleArn": (f"arn:aws-us-gov:iam::{ACCOUNT}:role/team/night sort",),
    "JobName": ("N\u00e4cht 1", "\u540d\u524d", "_.:/=+-%@"),
    "LabelDelimiter": tuple(" ~!@#$%^*-_+=|\\:;\t>?/"),
    "S3Uri": ("s3://abc", "s3://a.b-c/", "s3://conformance/\u00e4 #?", f"s3://conformance/{'s' * 900}"),
}
"""Good values that a narrow reading of a pattern would refuse."""

_STRANGERS = (
    "",
    "!",
    " ",
    "_",
    "-",
    "/",
    "#",
    "a\n",
    "\u00e9",
    "\u0100",
    "\u2028",
    "\x00",
    ",",
    "\U0001f600",
)
"""What breaks one pattern or another, alone or at either end of a good value."""

_WRONG_TYPES: dict[str, tuple[Any, ...]] = {
    "structure": ("text", 1, True, []),
    "list": ("text", 1, True, {}),
    "string": (1, 1.5, True, [], {}),
    "integer": ("1", True, [], {}),
    "double": ("1", True, [], {}),
    "boolean": ("true", 1, [], {}),
    "map": ("text", 1, True, []),
    "timestamp": ("yesterday", "2023-11-14T22:13:20Z", True, [], {}),
    "blob": ("not base64!", 1, True, [], {}),
}


@dataclass(frozen=True)
class Violation:
    """A request with one fault.

    Attributes:
        path: the member at fault.
        rule: which rule is broken, for the reader of a failure.
        request: the body.
        code: the error that it must give.
        message: what the error must say besides the member's name.
    """

    path: Path
    rule: str
    request: Any
    code: str
    message: str = ""


def members(shape: Shape, path: Path = ()) -> Iterator[tuple[Path, Shape]]:
    """Every member below a shape, each with the way to it."""
    if shape.type_name == "structure":
        for name, member in cast("StructureShape", shape).members.items():
            yield (*path, name), member
            yield from members(member, (*path, name))
    elif shape.type_name == "list":
        item = cast("ListShape", shape).member
        yield (*path, ITEM), item
        yield from members(item, (*path, ITEM))


def text(shape: Shape, length: int) -> str:
    """A good value of a text shape, so long if it can be."""
    begin, filler = TEXTS.get(shape.name, _ANY_TEXT)
    return begin + filler * (length - len(begin))


def sample(shape: Shape) -> Any:
    """A value with every member that the shape has, all of them good."""
    kind = shape.type_name
    if kind == "structure":
        return {name: sample(member) for name, member in cast("StructureShape", shape).members.items()}
    if kind == "list":
        return [sample(cast("ListShape", shape).member)]
    if kind == "string":
        enum = cast("StringShape", shape).enum
        return (
            enum[0] if enum else text(shape, max(len(TEXTS.get(shape.name, ("",))[0]) + 1, least(shape) or 1))
        )
    if kind == "map":
        return {"key": sample(cast("MapShape", shape).value)}
    return {
        "integer": 1, "double": 1.5, "boolean": True, "timestamp": 1_700_000_000.5, "blob": "eA==",
    }[kind]  # fmt: skip


def least(shape: Shape) -> int | None:
    """The minimum: of a number, or of a length."""
    found: int | None = shape.metadata.get("min")
    return found


def most(shape: Shape) -> int | None:
    """The maximum: of a number, or of a length."""
    found: int | None = shape.metadata.get("max")
    return found


def changed(request: Any, path: Path, value: Any) -> Any:
    """A copy of a request with another value at the path, in the first item of each list on the way."""
    if not path:
        return value
    request = copy.deepcopy(request)
    place = request
    for name in path[:-1]:
        place = place[0 if name == ITEM else name]
    last: Any = 0 if path[-1] == ITEM else path[-1]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return request


def at(request: Any, path: Path) -> Any:
    """The value at the path, in the first item of each list on the way."""
    for name in path:
        request = request[0 if name == ITEM else name]
    return request


def has(request: Any, path: Path) -> bool:
    """Whether a request has a member at the path."""
    try:
        at(request, path)
    except (KeyError, IndexError):
        return False
    return True


def violations(shape: StructureShape) -> Iterator[Violation]:
    """Every rule of every member broken, one at a time, in a request that is good otherwise."""
    good = sample(shape)
    required = set(_required(shape))
    for path, member in [((), shape), *members(shape)]:
        for value in _WRONG_TYPES[member.type_name]:
            rule = f"{type(value).__name__} for {member.type_name}"
            yield Violation(path, rule, changed(good, path, value), "SerializationException")
        if path in required:
            for rule, value in (("left out", ABSENT), ("null", None)):
                yield _broken(good, path, rule, value, "not be null")
        for rule, value, message in _broken_values(member):
            yield _broken(good, path, rule, value, message)


def _required(shape: Shape) -> Iterator[Path]:
    for path, owner in [((), shape), *members(shape)]:
        if owner.type_name == "structure":
            for name in cast("StructureShape", owner).required_members:
                yield (*path, name)


def _broken(good: Any, path: Path, rule: str, value: Any, message: str) -> Violation:
    return Violation(path, rule, changed(good, path, value), "ValidationException", message)


def _broken_values(shape: Shape) -> Iterator[tuple[str, Any, str]]:
    kind, low, high = shape.type_name, least(shape), most(shape)
    if kind == "integer":
        if low is not None:
            yield "under minimum", low - 1, f"greater than or equal to {low}"
        if high is not None:
            yield "over maximum", high + 1, f"less than or equal to {high}"
        return
    if low:
        yield "too short", _of_length(shape, low - 1), f"length greater than or equal to {low}"
    if high is not None:
        yield "too long", _of_length(shape, high + 1), f"length less than or equal to {high}"
    if kind != "string":
        return
    enum = cast("StringShape", shape).enum
    if enum:
        for value in ("", "NOPE", enum[0].swapcase(), f" {enum[0]}"):
            yield f"not in the enum: {value!r}", value, "satisfy enum value set"
    for value in not_matching(shape):
        yield f"not of the pattern: {value!r}", value, "satisfy regular expression pattern"


def _of_length(shape: Shape, length: int) -> Any:
    if shape.type_name == "list":
        return [sample(cast("ListShape", shape).member)] * length
    if shape.type_name == "blob":
        return "" if length == 0 else sample(shape)
    return text(shape, length)[:length]


def not_matching(shape: Shape) -> list[str]:
    """Values that a text shape's pattern forbids, of a length that it allows."""
    pattern = shape.metadata.get("pattern")
    if pattern is None:
        return []
    good = sample(shape)
    values = [value for stranger in _STRANGERS for value in (stranger, good + stranger, stranger + good)]
    found = [
        value
        for value in dict.fromkeys(values)
        if not regex.fullmatch(_of_python(pattern), value)
        and (least(shape) or 0) <= len(value) <= (most(shape) or 1_000)
    ]
    assert found, f"nothing here breaks the pattern of {shape.name}; add a character that does"
    return found


def _of_python(pattern: str) -> str:
    """A pattern of Java's whose characters beyond the first plane are pairs of surrogates."""
    return pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")


def edges(shape: Shape, good: Any) -> list[Any]:
    """The outermost good values: shortest and longest, least and greatest, each one of an enum.

    Args:
        good: the value in a good request; a longer list has more items like its first.
    """
    kind, low, high = shape.type_name, least(shape), most(shape)
    if kind == "string":
        enum = cast("StringShape", shape).enum
        if enum:
            return list(enum)
        shortest = max(low if low is not None else 1, len(TEXTS[shape.name][0]) + (low != 0))
        further = _FURTHER_EDGES.get(shape.name, ())
        return list(dict.fromkeys([text(shape, shortest), text(shape, high or 5_000), *further]))
    if kind == "integer":
        # A fraction is cut off.
        return [number for number in (low, high, 1.5) if number is not None]
    if kind == "timestamp":
        return [0, 1_700_000_000, 1_700_000_000.123]
    if kind == "list":
        item = cast("ListShape", shape).member
        return [
            [_another(item, good[0], number) for number in range(length)] for length in {low or 0, high or 3}
        ]
    if kind == "blob":
        return ["eA=="]
    return []


def _another(shape: Shape, good: Any, number: int) -> Any:
    """A value like the good one; what has to be unique in a list is another for each number."""
    if shape.type_name == "structure":
        return {**good, "Key": f"k{number}"} if "Key" in good else good
    enum = cast("StringShape", shape).enum
    return enum[number % len(enum)] if enum else f"{sample(shape)}{number}"
