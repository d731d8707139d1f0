"""Read ``predictions.jsonl`` line by line, where a block holds a line that the fast reader refuses.

====================================================  ========================================================
a line holds                                          result
====================================================  ========================================================
one object                                            a prediction, or a failure
several objects, one after another                    each on its own
``ErrorCode``                                         a failure, reason ``error:<code>``
no ``Classes`` and no ``Labels``, or an empty list    a failure, reason ``no_labels``
``Line`` as a string, as a number, or absent          the same thing
no JSON, invalid UTF-8, a missing name or score, …    unreadable, with its line number and what is wrong
blanks                                                nothing
====================================================  ========================================================

An example in Comprehend's documentation has a curly quote in place of a straight one: this is not JSON, so
it is unreadable. Comprehend itself never wrote one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_LABELS = "no_labels"
"""The reason where Comprehend returns neither a label nor an error."""

UNNAMED_ERROR = "error:UNNAMED"
"""The reason where Comprehend returns an error whose code is not a valid error code."""

_BLANKS = re.compile(r"[ \t\r\n]*")
_NEXT_OBJECT = re.compile(r'\{\s*"File"\s*:')
_FILE = re.compile(rb'"File"\s*:\s*"([^"\\]*)"')
_LINE = re.compile(rb'"Line"\s*:\s*"?([0-9]{1,18})["\s,}]')
_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,100}")
_DIGITS = re.compile(r"[0-9]{1,18}")
_decoder = json.JSONDecoder()


@dataclass(frozen=True)
class Failure:
    """A document for which Comprehend returned no labels.

    :param file: base name of the input file.
    :param line: line in that file, from 0; ``None`` where the output has none.
    :param reason: ``error:<ErrorCode>`` or ``no_labels``.
    :param message: Comprehend's ``ErrorMessage``, if any.
    """

    file: str
    line: int | None
    reason: str
    message: str | None = None


@dataclass(frozen=True)
class Unreadable:
    """A piece of the output that cannot be read.

    :param number: line of ``predictions.jsonl``, from 1.
    :param problem: what is wrong with it; never its content.
    :param file: the input file that it seems to name, or ``None``.
    :param line: the line of that file that it seems to name, or ``None``.
    """

    number: int
    problem: str
    file: str | None = None
    line: int | None = None


class OddObjectError(ValueError):
    """An object that lacks what every result has."""


class LineReader:
    """Reads lines, and keeps their predictions in lists of equal length.

    Labels are best first. Lines without a prediction are in :attr:`failures` and :attr:`unreadable`.
    """

    def __init__(self) -> None:
        self.files: list[str] = []
        self.lines: list[int | None] = []
        self.labels: list[list[str]] = []
        self.scores: list[list[float]] = []
        self.failures: list[Failure] = []
        self.unreadable: list[Unreadable] = []

    def read(self, raw: bytes, number: int) -> None:
        """Read one line.

        :param raw: its bytes, with or without the line end.
        :param number: its place in ``predictions.jsonl``, from 1.
        """
        try:
            row = orjson.loads(raw)
        except orjson.JSONDecodeError:
            self._read_piecewise(raw.decode("utf-8", "surrogateescape"), number)
        else:
            self._take(row, number)

    def _read_piecewise(self, text: str, number: int) -> None:
        for piece, readable in pieces(text):
            if readable:
                self._take_text(piece, number)
            else:
                self._refuse(piece, number, "not JSON")

    def _take_text(self, piece: str, number: int) -> None:
        try:
            row = orjson.loads(piece.encode("utf-8", "surrogateescape"))
        except (orjson.JSONDecodeError, UnicodeEncodeError):
            self._refuse(piece, number, "not valid UTF-8 or not strict JSON")
        else:
            self._take(row, number)

    def _take(self, row: Any, number: int) -> None:
        """Keep one parsed object."""
        if not isinstance(row, dict):
            self.unreadable.append(Unreadable(number, "not an object"))
            return
        file = row.get("File")
        if not isinstance(file, str) or not file:
            self.unreadable.append(Unreadable(number, "without File"))
            return
        line: int | None = None
        try:
            line = line_number(row.get("Line"))
            labels, scores = _labels(row)
        except OddObjectError as error:
            self.unreadable.append(Unreadable(number, str(error), file, line))
            return
        if labels:
            self.files.append(file)
            self.lines.append(line)
            self.labels.append(labels)
            self.scores.append(scores)
        else:
            self.failures.append(_failure(row, file, line))

    def _refuse(self, piece: str, number: int, problem: str) -> None:
        self.unreadable.append(Unreadable(number, problem, *seems_to_be(piece)))


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the objects in a line, and what stands between them, each with whether it is JSON.

    :param text: a line that is not one object.
    """
    position = _after_blanks(text, 0)
    while position < len(text):
        end = _end_of_value(text, position)
        readable = end is not None
        if end is None:
            following = _NEXT_OBJECT.search(text, position + 1)
            end = following.start() if following else len(text)
        yield text[position:end], readable
        position = _after_blanks(text, end)


def seems_to_be(piece: str) -> tuple[str | None, int | None]:
    """Return the file and the line that a piece seems to name, though it cannot be read."""
    raw = piece.encode("utf-8", "surrogateescape")
    file, line = _FILE.search(raw), _LINE.search(raw)
    name = file[1].decode("utf-8", "replace") if file else None
    return name, int(line[1]) if line else None


def line_number(value: Any) -> int | None:
    """Read ``Line``: a number, a string of digits (what Comprehend writes), or absent.

    :raises OddObjectError: it is something else.
    """
    if value is None:
        return None
    if type(value) is int and 0 <= value < 10**18:
        return value
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    raise OddObjectError("Line is not a line number")


def good_label(name: Any) -> bool:
    """Whether this can be a label: a string, not empty, without the NUL that PostgreSQL does not store."""
    return isinstance(name, str) and bool(name) and "\0" not in name


def _labels(row: dict[str, Any]) -> tuple[list[str], list[float]]:
    """Return labels and scores, best first; nothing where Comprehend names an error or no label."""
    entries = row.get("Classes")
    if entries is None:
        entries = row.get("Labels")
    if entries is None or row.get("ErrorCode") is not None:
        return [], []
    if not isinstance(entries, list):
        raise OddObjectError("Classes or Labels is not a list")
    pairs: list[tuple[float, str]] = []
    for entry in entries:
        if not isinstance(entry, dict) or not good_label(entry.get("Name")):
            raise OddObjectError("a label without Name")
        score = entry.get("Score")
        if isinstance(score, bool) or not isinstance(score, (int, float)) or not 0 <= score <= 1:
            raise OddObjectError("a Score that is not between 0 and 1")
        pairs.append((float(score), entry["Name"]))
    pairs.sort(key=lambda pair: -pair[0])
    return [name for _, name in pairs], [score for score, _ in pairs]


def _failure(row: dict[str, Any], file: str, line: int | None) -> Failure:
    code, message = row.get("ErrorCode"), row.get("ErrorMessage")
    message = message if isinstance(message, str) else None
    if code is None:
        return Failure(file, line, NO_LABELS, message)
    named = isinstance(code, str) and _CODE.fullmatch(code)
    return Failure(file, line, f"error:{code}" if named else UNNAMED_ERROR, message)


def _after_blanks(text: str, position: int) -> int:
    match = _BLANKS.match(text, position)
    return match.end() if match else position


def _end_of_value(text: str, position: int) -> int | None:
    """Return where the JSON value that begins here ends, or ``None`` if none does."""
    try:
        return _decoder.raw_decode(text, position)[1]
    except (ValueError, RecursionError):
        return None
