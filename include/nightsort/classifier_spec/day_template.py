"""Texts with a day in them: ``{day}`` is ``2026-11-20``, ``{day:%Y/%m/%d}`` is ``2026/11/20``.

The format is that of ``strftime``. ``{{`` and ``}}`` are braces that belong to the text.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY: Final = "{day}"

_ISO: Final = "%Y-%m-%d"
_TOKEN: Final = re.compile(r"\{\{|\}\}|\{day(?::([^{}]*))?\}|[{}]")
_PLACEHOLDER: Final = re.compile(r"\{[^{}]{0,40}\}?")
_HOW: Final = "the only placeholder is {day}, with a format as in {day:%Y/%m/%d}; write {{ and }} for braces"

_FIRST: Final = date(2026, 1, 1)
_TWO_YEARS: Final = 731


def template_problem(template: str) -> str | None:
    """Return what is wrong with the braces of a text, and the remedy; ``None`` if nothing is.

    :param template: a URI or a query.
    """
    for found in _TOKEN.finditer(template):
        if found[0] in ("{", "}"):
            placeholder = _PLACEHOLDER.match(template, found.start())
            name = placeholder[0] if placeholder else found[0]
            return f"{name} is an unknown placeholder; {_HOW}"
        if found[1] is not None and (problem := _format_problem(found[1])):
            return f"{found[0]} {problem}; write for instance {{day:%Y/%m/%d}}"
    return None


def _format_problem(of_day: str) -> str | None:
    first, last = (_rendered(of_day, day) for day in (date(2026, 1, 2), date(2037, 12, 31)))
    if first == last:
        return "is the same on every day"
    if "%" in _rendered(of_day.replace("%%", ""), _FIRST) or not first.isprintable():
        return "has a directive that strftime does not know"
    return None


def render(template: str, day: date) -> str:
    """Put a day into a text.

    :param template: a text without a :func:`template_problem`.
    :param day: the day.
    :returns: the text, with single braces.
    """
    return "".join(text if of_day is None else _rendered(of_day, day) for text, of_day in _parts(template))


def any_day(template: str) -> str:
    """Return a glob that matches the text of every day."""
    return "".join(text if of_day is None else _glob(of_day) for text, of_day in _parts(template))


def _glob(of_day: str) -> str:
    short, long = (_rendered(of_day, day) for day in (date(2026, 1, 2), date(2026, 12, 20)))
    digit = "[0-9]" if len(short) == len(long) else "[0-9]*"
    return re.sub(r"[^\W\d]+", "*", re.sub(r"\d", "\0", short)).replace("\0", digit)


def has_day(template: str) -> bool:
    """Return whether the text differs from day to day."""
    return any(of_day is not None for _, of_day in _parts(template))


def before_day(template: str) -> str:
    """Return the text before the first day, with single braces; all of it where it has no day."""
    before = ""
    for text, of_day in _parts(template):
        if of_day is not None:
            break
        before += text
    return before


@cache
def tells_days_apart(template: str) -> bool:
    """Return whether two days that follow each other always have two texts.

    ``{day:%Y-%m}`` for instance is the same for a whole month.
    """
    return all(render(template, day) != render(template, day + timedelta(days=1)) for day in _days())


@cache
def comes_back(template: str) -> bool:
    """Return whether two days of two years share a text, for instance with ``{day:%m-%d}``."""
    return len({render(template, day) for day in _days()}) < _TWO_YEARS


def _days() -> Iterator[date]:
    return (_FIRST + timedelta(days=number) for number in range(_TWO_YEARS))


def _rendered(of_day: str, day: date) -> str:
    return day.strftime(of_day)


def _parts(template: str) -> Iterator[tuple[str, str | None]]:
    """Yield each piece of fixed text with ``None``, and each day as an empty text with its format."""
    end = 0
    for found in _TOKEN.finditer(template):
        if found.start() > end:
            yield template[end : found.start()], None
        if found[0] in ("{{", "}}"):
            yield found[0][0], None
        else:
            yield "", found[1] or _ISO
        end = found.end()
    if end < len(template):
        yield template[end:], None
