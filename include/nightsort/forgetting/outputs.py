"""Take the results of documents out of a job's output."""

from __future__ import annotations

import io
import tarfile
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import orjson

from nightsort.results.archive import read_member
from nightsort.results.columns import MEMBER, blocks_of_lines
from nightsort.results.lines import OddObjectError, line_number, pieces, seems_to_be
from nightsort.storage import upload_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nightsort.storage import Access

Places: TypeAlias = "dict[str, frozenset[int] | None]"
"""Lines by the base name of their file; ``None``: all of them."""


def drop_results(
    uri: str, places: Places, access: Access, scratch: Path, renamed: Mapping[str, str] | None = None
) -> int:
    """Write an output anew without the results of some documents; if it has none of them, it stays as it is.

    :param uri: the job's ``output.tar.gz``.
    :param places: where the documents are in the input.
    :param access: storage.
    :param scratch: a local folder.
    :param renamed: files of others that are named anew.
    :returns: how many results were taken out or changed.
    :raises ArchiveError: it is damaged.
    """
    content, packed = scratch / MEMBER, scratch / "output.tar.gz"
    dropped = 0
    with content.open("wb") as left:
        for block in blocks_of_lines(read_member(access.path(uri), MEMBER)):
            # A line that is longer than any result cannot be read by anybody, and goes as well.
            if block is not None:
                dropped += _write_others(block, places, left, renamed or {})
    if not dropped:
        return 0
    with content.open("rb") as left, tarfile.open(packed, "w:gz", compresslevel=6) as tar:
        member = tarfile.TarInfo(MEMBER)
        member.size = content.stat().st_size
        tar.addfile(member, left)
    upload_whole(packed, uri, access)
    return dropped


def _write_others(block: bytes, places: Places, left: IO[bytes], renamed: Mapping[str, str]) -> int:
    """Write the lines of a block that are about other documents; return how many are others than before."""
    dropped = 0
    kept: list[bytes] = []
    for line in io.BytesIO(block):
        row = _parsed(line)
        if row is None:
            others, gone = _other_pieces(line, places)
            kept.append(others)
            dropped += gone
        elif _is_one(row, places):
            dropped += 1
        elif renamed and isinstance(row, dict) and row.get("File") in renamed:
            dropped += 1
            kept.append(orjson.dumps({**row, "File": renamed[row["File"]]}, option=orjson.OPT_APPEND_NEWLINE))
        else:
            kept.append(line)
    left.write(b"".join(kept))
    return dropped


def _other_pieces(line: bytes, places: Places) -> tuple[bytes, int]:
    """Return what is left of a line that holds several objects, or none that can be read."""
    text = line.decode("utf-8", "surrogateescape")
    kept: list[str] = []
    dropped = 0
    for piece, readable in pieces(text):
        row = _parsed(piece.encode("utf-8", "surrogateescape")) if readable else None
        if _is_one(row, places) if row is not None else _is_place(*seems_to_be(piece), places):
            dropped += 1
        else:
            kept.append(piece)
    return "".join((*kept, "\n")).encode("utf-8", "surrogateescape") if dropped else line, dropped


def _parsed(text: bytes) -> Any:
    """Return the object of a line; ``None`` if it is not one."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _is_one(row: Any, places: Places) -> bool:
    if not isinstance(row, dict):
        return False
    try:
        line = line_number(row.get("Line"))
    except OddObjectError:
        line = None
    return _is_place(row.get("File"), line, places)


def _is_place(file: Any, line: int | None, places: Places) -> bool:
    if not isinstance(file, str) or file not in places:
        return False
    lines = places[file]
    return lines is None or line in lines
