"""Write the manifest of a batch: whose its lines are, and which further documents have their texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nightsort.arrow.columns import from_numpy
from nightsort.arrow.hashing import HASH, as_column, hash_texts
from nightsort.arrow.manifest_schema import (
    HASHED_SCHEMA,
    manifest_writer,
    number_of_lines,
    rows_schema,
)
from nightsort.batches.manifest import ManifestError
from nightsort.batches.repeats import Repeat
from nightsort.batches.stored import read_batch
from nightsort.wording import first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    from nightsort.arrow.columns import Column
    from nightsort.batches.plan import Batch
    from nightsort.storage import Access

    Flags = npt.NDArray[np.bool_]


@dataclass
class Written:
    """What a manifest holds.

    :param documents: documents.
    :param repeated: those among them whose line is another document's.
    :param saved_units: units that these would have cost.
    """

    documents: int = 0
    repeated: int = 0
    saved_units: int = 0

    def add(self, other: Written) -> None:
        """Add what another manifest holds."""
        self.documents += other.documents
        self.repeated += other.repeated
        self.saved_units += other.saved_units


def write_manifest(
    path: Path,
    rows: Iterable[pa.RecordBatch],
    repeats: Callable[[], Iterator[Repeat]],
    *,
    lines: int,
    per_file: bool,
    found: Flags | None = None,
) -> Written:
    """Write a manifest to local disk. A line that lost its document is the first other one's with its text.

    :param path: the file.
    :param rows: its lines, with :data:`~nightsort.arrow.manifest_schema.HASHED_SCHEMA`.
    :param repeats: returns the documents that have the texts of lines, each time that it is called.
    :param lines: how many lines there are.
    :param per_file: each line has a file of its own.
    :param found: which of the lines still have their document; ``None``: all.
    :returns: what it holds.
    """
    written = Written()
    files: list[Column] = []
    with manifest_writer(path, HASHED_SCHEMA, lines=lines) as writer:
        start = 0
        owners = None if found is None else _Owners(found, repeats())
        for part in rows:
            part = part if owners is None else owners.of(part, start)
            writer.write_batch(part)
            written.documents += len(part) - part["document_id"].null_count
            if per_file or not files:
                files.append(part["file"].cast(pa.string()))
            start += len(part)
        names: Column = pa.concat_arrays(files) if per_file else files[0].slice(0, 1)
        others = repeats() if found is None else _without_takers(found, repeats())
        for repeat in others:
            writer.write_batch(_behind(repeat, names, per_file=per_file))
            written.documents += len(repeat.ids)
            written.repeated += len(repeat.ids)
            written.saved_units += int(repeat.units.sum())
    # Return Arrow's cached memory now; otherwise it adds to the peak while the next documents are read.
    pa.default_memory_pool().release_unused()
    return written


def stored_rows(batch: Batch, access: Access, *, per_file: bool) -> Iterator[Any]:
    """Yield the lines of a stored manifest, with :data:`~nightsort.arrow.manifest_schema.HASHED_SCHEMA`.

    The manifest of an earlier release has no hashes: they are made of the input.

    :param batch: the batch.
    :param access: storage.
    :param per_file: each line has a file of its own.
    :raises FileNotFoundError: the manifest is gone.
    :raises ManifestError: it cannot be read.
    """
    content = access.path(batch.manifest_uri).read_bytes()
    texts: Iterator[Any] | None = None
    waiting: Any = pa.array([], HASH)
    for part in _lines(content, batch.manifest_uri):
        if part.schema.names == HASHED_SCHEMA.names:
            yield part
            continue
        texts = texts or read_batch(batch, access, per_file=per_file)
        while len(waiting) < len(part):
            if (some := next(texts, None)) is None:
                raise ManifestError(f"{batch.manifest_uri}: the batch has fewer documents")
            ids, here = some
            forgotten: Any = ids.is_null()
            digests: Any = as_column(*hash_texts(here))
            waiting = pa.concat_arrays([waiting, pc.if_else(forgotten, pa.scalar(None, HASH), digests)])
        yield part.append_column("text_hash", waiting.slice(0, len(part)))
        waiting = waiting.slice(len(part))


def _lines(content: bytes, uri: str) -> Iterator[Any]:
    """Yield the lines of a manifest as it has them.

    :raises ManifestError: it cannot be read.
    """
    try:
        parquet = pq.ParquetFile(pa.BufferReader(content), read_dictionary=["file"])
        schema, left = rows_schema(parquet), number_of_lines(parquet)
        for rows in parquet.iter_batches(columns=schema.names, use_threads=False):
            part: Any = rows.slice(0, left).cast(schema)
            part.validate(full=True)
            left -= len(part)
            if len(part):
                yield part
    except (pa.ArrowException, KeyError, OSError, ValueError) as error:
        raise ManifestError(f"{uri}: not a manifest ({first_line(error)})") from error


class _Owners:
    """Whose the lines of a batch are now.

    :param found: which lines still have their document.
    :param repeats: the documents that have the texts of lines.
    """

    def __init__(self, found: Flags, repeats: Iterable[Repeat]) -> None:
        self._found = found
        taken = found.copy()
        lines, ids = [np.zeros(0, np.int64)], [pa.nulls(0, pa.string())]
        for repeat in repeats:
            takers = _take_free(repeat.lines, taken)
            lines.append(repeat.lines[takers])
            ids.append(repeat.ids.take(from_numpy(takers)))
        every = np.concatenate(lines)
        order = np.argsort(every)
        self._lines, self._ids = every[order], pa.concat_arrays(ids).take(from_numpy(order))

    def of(self, rows: Any, start: int) -> pa.RecordBatch:
        """Return rows of the manifest with the ids of the owners.

        :param rows: as they were.
        :param start: the line of the first of them.
        """
        begin, end = np.searchsorted(self._lines, (start, start + len(rows))).tolist()
        # The ids that were there, then those that come; an index of nothing is null.
        index = np.arange(len(rows))
        taken = self._lines[begin:end] - start
        index[taken] = len(rows) + np.arange(end - begin)
        vacant = ~self._found[start : start + len(rows)]
        vacant[taken] = False
        every = pa.concat_arrays([rows["document_id"], self._ids.slice(begin, end - begin)])
        ids: Column = every.take(pa.array(index, mask=vacant))
        return pa.record_batch([rows["file"], rows["line"], ids, rows["text_hash"]], schema=HASHED_SCHEMA)


def _without_takers(found: Flags, repeats: Iterable[Repeat]) -> Iterator[Repeat]:
    taken = found.copy()
    for repeat in repeats:
        others = np.ones(len(repeat.ids), np.bool_)
        others[_take_free(repeat.lines, taken)] = False
        if others.any():
            yield Repeat(repeat.lines[others], repeat.units[others], repeat.ids.filter(pa.array(others)))


def _take_free(lines: npt.NDArray[np.int64], taken: Flags) -> npt.NDArray[np.intp]:
    """Return which come first for a line that is not taken, and mark these lines as taken."""
    free = np.flatnonzero(~taken[lines])
    _, first = np.unique(lines[free], return_index=True)
    takers = np.sort(free[first])
    taken[lines[takers]] = True
    return takers


def _behind(repeat: Repeat, names: Column, *, per_file: bool) -> pa.RecordBatch:
    """Return the rows of documents behind the lines."""
    rows = len(repeat.ids)
    index = from_numpy(repeat.lines if per_file else np.zeros(rows, np.int64))
    files: Column = names.take(index).dictionary_encode()
    lines = from_numpy(np.zeros(rows, np.int64) if per_file else repeat.lines)
    columns = [files, lines, repeat.ids, pa.array([None] * rows, HASH)]
    return pa.record_batch(columns, schema=HASHED_SCHEMA)
