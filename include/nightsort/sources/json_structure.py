"""Where the objects of JSON end and how many values there are, without parsing and in little memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from nightsort.arrow.columns import true_indices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nightsort.arrow.columns import Bytes, Flags, Indices

_WINDOW: Final = 1_000_000
"""So many bytes are looked at together."""


def ends_of_objects(data: bytes) -> Iterator[Indices]:
    """Yield where each outer object ends, in data that begins outside of objects, some at a time."""
    start = depth = lowest = 0
    for values, outside in _outside_texts(data):
        closing = (values == ord("}")) & outside
        depths = depth + np.cumsum(((values == ord("{")) & outside).astype(np.int8) - closing, dtype=np.int32)
        # Below zero there were too many ends; what follows is counted from there.
        lowests = np.minimum.accumulate(np.minimum(depths, lowest))
        yield true_indices(closing & (depths == lowests)) + (start + 1)
        depth, lowest = int(depths[-1]), int(lowests[-1])
        start += len(values)


def count_values(data: bytes) -> int:
    """Return about how many values some JSON has: its commas and opening brackets."""
    count = 0
    for values, outside in _outside_texts(data):
        signs = (values == ord(",")) | (values == ord("[")) | (values == ord("{"))
        count += int(np.count_nonzero(signs & outside))
    return count


def deepest(data: bytes) -> int:
    """Return how many lists and objects are inside of one another, at most."""
    depth = most = 0
    for values, outside in _outside_texts(data):
        # The brackets of lists and objects differ from each other in one bit.
        kind = values & ~np.uint8(0x20)
        steps = ((kind == ord("[")) & outside).astype(np.int8) - ((kind == ord("]")) & outside)
        depths = depth + np.cumsum(steps, dtype=np.int32)
        depth, most = int(depths[-1]), max(most, int(depths.max()))
    return most


def _outside_texts(data: bytes) -> Iterator[tuple[Bytes, Flags]]:
    """Yield the bytes, some at a time, and which of them are outside of texts in quotes."""
    escaped = in_text = False
    for start in range(0, len(data), _WINDOW):
        values = np.frombuffer(data, dtype=np.uint8, count=min(_WINDOW, len(data) - start), offset=start)
        quotes, escaped = _quotes(values, escaped)
        before = np.cumsum(quotes, dtype=np.int32) + in_text
        # No text goes on in the next line, so one that is not closed does no harm there.
        line_ends = true_indices(values == ord("\n"))
        lengths = np.diff(line_ends, prepend=-1, append=len(values) - 1)
        outside = (before - np.repeat(np.append(0, before[line_ends]), lengths)) % 2 == 0
        yield values, outside
        in_text = not outside[-1]


def _quotes(values: Bytes, escaped: bool) -> tuple[Flags, bool]:
    """Return the quotes that no backslash escapes.

    :param escaped: whether a backslash escapes the first byte.
    :returns: the quotes, and whether a backslash escapes what follows.
    """
    quotes = values == ord('"')
    backslashes = true_indices(values == ord("\\"))
    if escaped:
        quotes[0] = False
        backslashes = backslashes[1:] if values[0] == ord("\\") else backslashes
    first = np.flatnonzero(np.diff(backslashes, prepend=-2) != 1)
    lengths = np.diff(first, append=len(backslashes))
    behind = (backslashes[first] + lengths)[lengths % 2 == 1]
    inside = behind[behind < len(values)]
    quotes[inside] = False
    return quotes, len(inside) < len(behind)
