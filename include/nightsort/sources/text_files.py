"""Plain texts: one document per line, or one document per file."""

from __future__ import annotations

from contextlib import closing
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

import numpy as np
import pyarrow as pa

from nightsort.arrow.columns import true_indices
from nightsort.comprehend.limits import MAX_DOCUMENT_BYTES
from nightsort.sources.row_blocks import BadRow, RawDocuments, lines, stretches
from nightsort.sources.source_files import CHUNK_BYTES
from nightsort.sources.streams import open_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nightsort.sources.source_files import SourceFile
    from nightsort.storage import Access

FILES_PER_BATCH = 512


def read_lines(stream: IO[bytes], *, file: str) -> Iterator[RawDocuments]:
    """Read one document per line; a line ends with a line feed, with or without carriage return before it."""
    number = 0
    for stretch in stretches(stream, lines):
        if stretch.detail is not None:
            yield RawDocuments.only_bad(file, BadRow(number, stretch.detail, "too_large"))
            number += 1
            continue
        ends = true_indices(np.frombuffer(stretch.data, dtype=np.uint8) == ord("\n")) + 1
        if not stretch.data.endswith(b"\n"):
            ends = np.append(ends, len(stretch.data))
        # The line ends stay on the texts: cleaning cuts them off with the other white space.
        offsets = pa.array(np.concatenate(([0], ends)), pa.int32()).buffers()[1]
        texts = pa.BinaryArray.from_buffers(
            pa.binary(), len(ends), [None, offsets, pa.py_buffer(stretch.data)]
        )
        yield RawDocuments(file, np.arange(number, number + len(ends)), texts)
        number += len(ends)


def read_files(files: Sequence[SourceFile], access: Access, *, labelled: bool) -> Iterator[RawDocuments]:
    """Read one document per file, a few at once and in order: its name is its id, its folder its label."""
    together: list[tuple[str, bytes]] = []
    size = 0
    # Packed, the largest document may be a little larger, and no sensible packer makes it twice as large.
    with closing(open_files(files, access, most=2 * (MAX_DOCUMENT_BYTES + 1))) as opened:
        for file, stream in opened:
            data = _document(stream)
            if data is None:
                detail = f"more than {MAX_DOCUMENT_BYTES // 1_000_000} MB"
                yield RawDocuments.only_bad(file.name, BadRow(0, detail, "too_large"))
                continue
            together.append((file.name, data))
            size += len(data)
            if size > CHUNK_BYTES or len(together) == FILES_PER_BATCH:
                yield _as_documents(together, labelled=labelled)
                together, size = [], 0
    if together:
        yield _as_documents(together, labelled=labelled)


def _document(stream: IO[bytes]) -> bytes | None:
    """Return all there is, or ``None`` if that is more than a document may have."""
    data = b""
    while len(data) <= MAX_DOCUMENT_BYTES and (more := stream.read(CHUNK_BYTES)):
        data = data + more if data else more
    return data if len(data) <= MAX_DOCUMENT_BYTES else None


def _as_documents(together: list[tuple[str, bytes]], *, labelled: bool) -> RawDocuments:
    names = [name for name, _ in together]
    folders = [PurePosixPath(name).parent.name for name in names]
    column = pa.array(names, pa.string())
    return RawDocuments(
        file=column,
        rows=np.zeros(len(together), dtype=np.int64),
        texts=pa.array([data for _, data in together], pa.binary()),
        ids=column.cast(pa.binary()),
        labels=pa.array(folders, pa.string()).cast(pa.binary()) if labelled else None,
    )
