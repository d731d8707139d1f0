"""Overwrite lines of a local file with others of the same size."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Final

import numpy as np

from nightsort.errors import NightsortError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    Positions = npt.NDArray[np.int64]

_CHUNK_BYTES: Final = 8 * 2**20
_SAYS_NOTHING: Final = b"forgotten "
_NEWLINE: Final = 10


class LineMissingError(NightsortError):
    """A file that has fewer lines than its manifest says: which, and what to do."""


def filler(size: int) -> bytes:
    """Return a text that says nothing.

    It is not empty: what Comprehend does with an empty line is not documented, and all lines behind it have
    to keep their numbers.

    :param size: its size in bytes.
    """
    return (_SAYS_NOTHING * (size // len(_SAYS_NOTHING) + 1))[:size]


def overwrite_lines(path: Path, positions: Positions, replaced: Callable[[bytes], bytes]) -> bool:
    """Overwrite some lines of a file, in place.

    :param path: a local file; every line of it ends with a line feed.
    :param positions: which lines, from 0, sorted.
    :param replaced: returns what takes the place of a line, of the same size.
    :returns: whether a line was another one before.
    :raises LineMissingError: the file has fewer lines.
    """
    changed = False
    with path.open("r+b") as file:
        ends = _line_ends(file, np.unique(np.concatenate((positions - 1, positions))))
        for position in positions.tolist():
            if position not in ends:
                raise LineMissingError(
                    f"{path.name} has no line {position}, so it is not what Nightsort wrote; remove it"
                )
            start = ends[position - 1] + 1 if position else 0
            file.seek(start)
            line = file.read(ends[position] - start)
            after = replaced(line)
            if after != line:
                file.seek(start)
                file.write(after)
                changed = True
    return changed


def _line_ends(file: IO[bytes], wanted: Positions) -> dict[int, int]:
    """Return where lines end, by their positions."""
    ends: dict[int, int] = {}
    lines = start = 0
    while chunk := file.read(_CHUNK_BYTES):
        here = wanted[np.searchsorted(wanted, lines) :]
        count = chunk.count(b"\n")
        here = here[: np.searchsorted(here, lines + count)]
        if len(here):
            offsets = np.flatnonzero(np.frombuffer(chunk, np.uint8) == _NEWLINE) + start
            ends.update(zip(here.tolist(), offsets[here - lines].tolist(), strict=True))
        lines += count
        start += len(chunk)
    return ends
