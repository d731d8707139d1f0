"""The objects in a line of JSON, by one grammar, whatever reads the line first.

pyarrow reads many lines in one call and takes more than the standard allows (``NaN``, bytes that are not
UTF-8, any depth); orjson takes less. The parser here takes all that either of them takes. So it depends on a
line alone whether the line can be read, and not on what read its neighbours.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

from nightsort.arrow.columns import is_utf8
from nightsort.sources.json_structure import count_values

Json: TypeAlias = Any

ABSENT: Final = object()
"""What :func:`find_value` returns where there is no such key."""

BETWEEN_OBJECTS: Final = b" \t\r\n\x1e[],"
"""What may stand between objects, so that an array of objects, or some on one line, can be read. 0x1E begins
a record of a JSON text sequence (RFC 7464)."""

_BLANKS: Final = re.compile(rb"[ \t\r\n]*")
_SEPARATORS: Final = re.compile(b"[%b]*" % re.escape(BETWEEN_OBJECTS))
_STRING: Final = rb'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"'
_WHOLE_NUMBER: Final = re.compile(rb"-?(?:0|[1-9][0-9]*)")
_SCALAR: Final = re.compile(
    _STRING
    + rb"|-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|NaN|Inf(?:inity)?)"
    + rb"|true|false|null"
)
_KEY: Final = re.compile(rb"(%b)[ \t\r\n]*:[ \t\r\n]*" % _STRING)
_EMPTY: Final[dict[bytes, type]] = {b"{": dict, b"[": list}
_CONSTANTS: Final = {b"true": True, b"false": False, b"null": None}
# Two objects side by side: no place inside of an object or of a text looks like this.
_NEXT_OBJECT: Final = re.compile(rb'\}[ \t\r\n\x1e]*(?=\{[ \t\r\n]*["}])')
_NEXT_OF_ARRAY: Final = re.compile(rb'\}[ \t\r\n]*,[ \t\r\n]*\{[ \t\r\n]*["}]')
LONG_LINE: Final = 1_000_000
"""Lines with more bytes are looked at before they are parsed."""

_MOST_VALUES: Final = 500_000
"""Each may take a hundred bytes in memory, whatever few it takes in the file."""

_MOST_DIGITS: Final = 4_000
"""Python refuses to read a number of more digits."""


class JsonError(ValueError):
    """Bytes that are not JSON.

    :param position: of the first byte that does not fit.
    """

    def __init__(self, position: int) -> None:
        self.position = position
        super().__init__(position)


class DamagedArrayError(JsonError):
    """An array that is damaged before its end: nobody can say how many objects are lost.

    :param position: of the first byte that does not fit.
    :param objects: how many objects there are before it.
    """

    def __init__(self, position: int, objects: int) -> None:
        super().__init__(position)
        self.objects = objects


@dataclass(frozen=True)
class Damage:
    """A part of a line that is no object.

    :param detail: what is wrong, without any of the text.
    :param reason: a key of :data:`nightsort.sources.rejects.REASONS`.
    """

    detail: str
    reason: str = "unreadable_row"


def objects_in(line: bytes) -> list[dict[str, Json] | Damage]:
    """Return the objects in a line, in their order: one, or several side by side or in an array.

    What is damaged is one item. Reading goes on behind it where an object follows another directly.

    :param line: without its line feed.
    :returns: none for a line that is empty, or that holds nothing but the brackets of an array. Of a key
        that is there twice the last value counts.
    :raises DamagedArrayError: a part of an array is damaged, and objects follow.
    """
    found = None if len(line) > LONG_LINE else parsed_by_orjson(line)
    return found or parse_objects(line)


def parsed_by_orjson(line: bytes) -> list[dict[str, Json] | Damage] | None:
    """Return the objects if orjson can read them all; it is the fastest for one line."""
    for text in (line, b"[%b]" % line.strip(BETWEEN_OBJECTS)):
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            continue
        if isinstance(value, dict):
            return [value]
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return value
    return None


def has_many_values(data: bytes) -> bool:
    """Return whether some JSON has more values than are read from one line."""
    return len(data) > LONG_LINE and count_values(data) > _MOST_VALUES


def parse_objects(line: bytes) -> list[dict[str, Json] | Damage]:
    """Return the objects in a line as :func:`objects_in` does, slowly, and with whole numbers of any size."""
    if has_many_values(line):
        return [Damage(f"more than {_MOST_VALUES:,} values in a row")]
    found: list[dict[str, Json] | Damage] = []
    end = 0
    while (at := _end(_SEPARATORS, line, end)) < len(line):
        value, position = _object_at(line, at)
        if value is not None:
            found.append(value)
            end = position
            continue
        if position == at:
            # What stands right behind an object shows that the object is damaged, too.
            del found[-1:]
        following = _NEXT_OBJECT.search(line, position)
        in_array = not {*line[end:at]}.isdisjoint(b"[,")
        if following is None and in_array and _NEXT_OF_ARRAY.search(line, at):
            raise DamagedArrayError(position, len(found))
        found.append(_damage(line, position))
        end = len(line) if following is None else following.end()
    return found


def _object_at(line: bytes, at: int) -> tuple[dict[str, Json] | None, int]:
    """Return the object that begins here and its end, or ``None`` and what does not fit."""
    if line[at] != ord("{"):
        return None, at
    try:
        return parse_value(line, at)
    except JsonError as error:
        return None, error.position


def _damage(line: bytes, position: int) -> Damage:
    line = line.rstrip()
    try:
        if not line.lstrip().startswith(b"{"):
            return Damage(f"{kind_of(orjson.loads(line))}, not an object")
    except orjson.JSONDecodeError:
        pass
    if not (line.isascii() or is_utf8(line)):
        return Damage("the line is not UTF-8", "invalid_utf8")
    if position >= len(line):
        return Damage(f"not JSON: the line ends too early, after {len(line):,} bytes")
    return Damage(f"not JSON: byte {position:,} of the line, counted from 0, does not fit")


def parse_value(data: bytes, start: int) -> tuple[Json, int]:
    """Parse one JSON value of any depth.

    :param start: where the value begins.
    :returns: the value, and where it ends. Bytes that are not UTF-8 are surrogates, see :func:`encoded`.
    :raises JsonError: there is no whole value.
    """
    opened: list[Json] = []
    keys: list[Json] = []
    at = start
    while True:
        value: Json = _EMPTY.get(data[at : at + 1])
        if value is None:
            value, at = _scalar(data, at)
        else:
            value = value()
            at = _end(_BLANKS, data, at + 1)
            if data[at : at + 1] != _closing(value):
                opened.append(value)
                key, at = _key(data, at, value)
                keys.append(key)
                continue
            at += 1
        # A value has ended, and with it perhaps the one that holds it.
        while opened:
            _put(value, opened[-1], keys[-1])
            at = _end(_BLANKS, data, at)
            if data[at : at + 1] == b",":
                keys[-1], at = _key(data, _end(_BLANKS, data, at + 1), opened[-1])
                break
            if data[at : at + 1] != _closing(opened[-1]):
                raise JsonError(at)
            at += 1
            value = opened.pop()
            keys.pop()
        else:
            return value, at


def find_value(found: Json, name: str) -> Json:
    """Return the value of a key, or of a nested one (``payload.body``); :data:`ABSENT` without it.

    A key that has the dot in its own name counts first.
    """
    while isinstance(found, dict):
        if name in found:
            return found[name]
        outer, dot, name = name.partition(".")
        if not dot:
            break
        found = found.get(outer)
    return ABSENT


def encoded(text: Json) -> bytes | None:
    """Return a text as it was in the file, in UTF-8 or not; ``None`` for anything else.

    Half of a surrogate pair is no character, and a text with it is none.
    """
    try:
        return text.encode(errors="surrogateescape") if isinstance(text, str) else None
    except UnicodeEncodeError:
        return None


def kind_of(value: Json) -> str:
    """Return what kind of JSON value it is, with its article, for messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number that is not whole"
        case str():
            return "a text" if encoded(value) is not None else "a text with half of a surrogate pair"
        case list():
            return "a list"
    return "an object"


def _end(pattern: re.Pattern[bytes], data: bytes, start: int) -> int:
    """Return where a pattern that matches everywhere ends."""
    found = pattern.match(data, start)
    return start if found is None else found.end()


def _closing(value: Json) -> bytes:
    return b"}" if isinstance(value, dict) else b"]"


def _key(data: bytes, at: int, container: Json) -> tuple[Json, int]:
    """Return the key that begins here and where its value begins; in a list there is none."""
    if isinstance(container, list):
        return None, at
    found = _KEY.match(data, at)
    if found is None:
        raise JsonError(at)
    return _text(found[1]), found.end()


def _put(value: Json, container: Json, key: Json) -> None:
    if isinstance(container, dict):
        container[key] = value
    else:
        container.append(value)


def _scalar(data: bytes, at: int) -> tuple[Json, int]:
    found = _SCALAR.match(data, at)
    if found is None:
        raise JsonError(at)
    written = found[0]
    if written.startswith(b'"'):
        return _text(written), found.end()
    if written in _CONSTANTS:
        return _CONSTANTS[written], found.end()
    if _WHOLE_NUMBER.fullmatch(written) and len(written) < _MOST_DIGITS:
        return int(written), found.end()
    return math.nan, found.end()


def _text(written: bytes) -> str:
    try:
        text: str = orjson.loads(written)
    except orjson.JSONDecodeError:
        # orjson takes neither bytes that are not UTF-8 nor half of a surrogate pair.
        text = json.loads(written.decode(errors="surrogateescape"))
    return text
