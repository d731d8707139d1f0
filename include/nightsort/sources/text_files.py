"""Plain texts: one document per line, or one document per file."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Final, cast

import numpy as np
import pyarrow as pa

from nightsort.arrow.columns import as_bytes, from_offsets_and_bytes, true_indices
from nightsort.comprehend.limits import MAX_DOCUMENT_BYTES
from nightsort.sources.row_blocks import BadRow, RawRows, find_lines, split_into_row_blocks
from nightsort.sources.source_files import CHUNK_BYTES
from nightsort.sources.text_streams import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nightsort.sources.streams import OpenedFile

FILES_PER_BATCH = 512

MAX_FILE_BYTES: Final = 4 * (MAX_DOCUMENT_BYTES + 1)
"""Read no more of a file that is one document. UTF-32 takes four bytes for a character that may be one in
UTF-8, and no compression makes a document so much larger."""


def read_lines(opened: Iterable[OpenedFile]) -> Iterator[RawRows]:
    """Read one document per line; a line ends with a line feed, with or without carriage return before it.

    :param opened: the files, each with its bytes.
    """
    for file, stream in opened:
        number = 0
        for block in split_into_row_blocks(stream, find_lines):
            if block.detail is not None:
                yield RawRows.only_bad(file.name, BadRow(number, block.detail, "too_large"))
                number += 1
                continue
            ends = true_indices(np.frombuffer(block.data, dtype=np.uint8) == ord("\n")) + 1
            if not block.data.endswith(b"\n"):
                ends = np.append(ends, len(block.data))
            # The line ends stay on the texts: cleaning removes them with the other white space.
            texts = from_offsets_and_bytes(pa.binary(), np.concatenate(([0], ends)), block.data)
            yield RawRows(file.name, np.arange(number, number + len(ends)), texts)
            number += len(ends)


def read_files(
    opened: Iterable[OpenedFile], *, labelled: bool, encoding: str | None = None
) -> Iterator[RawRows]:
    """Read one document per file, a few at a time and in order: its name is its id, its folder its label.

    :param opened: the files, each with at most :data:`MAX_FILE_BYTES` of it.
    :param labelled: the documents have labels.
    :param encoding: the spec's encoding; ``None``: the files were written by Nightsort, so they are text,
        whatever that begins with.
    """
    waiting: list[tuple[str, bytes]] = []
    size = 0
    for file, stream in opened:
        if encoding is not None:
            text, kind = text_of(stream, encoding)
            if kind is not None:
                bad = BadRow(0, f"it {kind}", "not_text", labels=_folder(file.name, labelled=labelled))
                yield RawRows.only_bad(file.name, bad)
                continue
            stream = cast("IO[bytes]", text)
        data = _document(stream)
        if data is None:
            detail = f"more than {MAX_DOCUMENT_BYTES // 1_000_000} MB"
            bad = BadRow(0, detail, "too_large", labels=_folder(file.name, labelled=labelled))
            yield RawRows.only_bad(file.name, bad)
            continue
        waiting.append((file.name, data))
        size += len(data)
        if size > CHUNK_BYTES or len(waiting) == FILES_PER_BATCH:
            yield _raw_rows(waiting, labelled=labelled)
            waiting, size = [], 0
    if waiting:
        yield _raw_rows(waiting, labelled=labelled)


def _folder(name: str, *, labelled: bool) -> tuple[str, ...]:
    return (PurePosixPath(name).parent.name,) if labelled else ()


def _document(stream: IO[bytes]) -> bytes | None:
    """Return the whole content, or ``None`` if it is larger than a document may be."""
    data = b""
    while len(data) <= MAX_DOCUMENT_BYTES and (more := stream.read(CHUNK_BYTES)):
        data = data + more if data else more
    return data if len(data) <= MAX_DOCUMENT_BYTES else None


def _raw_rows(files: list[tuple[str, bytes]], *, labelled: bool) -> RawRows:
    names = [name for name, _ in files]
    folders = [PurePosixPath(name).parent.name for name in names]
    column = pa.array(names, pa.string())
    return RawRows(
        file=column,
        rows=np.zeros(len(files), dtype=np.int64),
        texts=pa.array([data for _, data in files], pa.binary()),
        ids=as_bytes(column),
        labels=as_bytes(pa.array(folders, pa.string())) if labelled else None,
    )
