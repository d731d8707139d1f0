"""The service model's patterns, written for Java, for Python's `re`: it lacks Unicode properties."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache
from itertools import groupby

_PROPERTY = re.compile(r"\\(?P<sign>[pP])\{(?P<name>\w+)\}")


@cache
def python_pattern(pattern: str) -> re.Pattern[str]:
    r"""Return a pattern with ``\p{L}`` and its kin written out as ranges."""
    return re.compile(_PROPERTY.sub(_written_out, pattern))


def _written_out(match: re.Match[str]) -> str:
    ranges = r"\x00-\x7f" if match["name"] == "ASCII" else _categories()[match["name"]]
    if _in_brackets(match.string, match.start()):
        # The model has no negated property within brackets.
        return ranges
    return f"[^{ranges}]" if match["sign"] == "P" else f"[{ranges}]"


def _in_brackets(pattern: str, position: int) -> bool:
    before = re.sub(r"\\.", "", pattern[:position])
    return before.count("[") > before.count("]")


@cache
def _categories() -> dict[str, str]:
    """Return the characters of each major general category (L, N, Z, ...) as ranges of a character class."""
    ranges: dict[str, list[str]] = {}
    for name, run in groupby(range(sys.maxunicode + 1), lambda point: unicodedata.category(chr(point))[0]):
        points = list(run)
        ranges.setdefault(name, []).append(f"\\U{points[0]:08x}-\\U{points[-1]:08x}")
    return {name: "".join(parts) for name, parts in ranges.items()}
