"""The manifest of a batch: the file and line of each document. It is read when results are loaded.

A document that is forgotten, or that its source no longer has, leaves its line, so that all others keep
theirs, with no id (``docs/adr/0035-forgotten-documents-leave-their-line.md``). Further documents with the
text of a line come behind the lines (``docs/adr/0040-a-text-is-paid-for-once.md``); they are streamed, since
a line may have any number of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nightsort.arrow.columns import from_numpy
from nightsort.arrow.hashing import HASH
from nightsort.arrow.manifest_schema import number_of_lines, rows_schema
from nightsort.errors import NightsortError
from nightsort.storage import must_exist
from nightsort.wording import first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy.typing as npt
    from upath import UPath

_ROWS_AT_ONCE = 16_384
_NONE: npt.NDArray[np.int64] = np.zeros(0, np.int64)


class ManifestError(NightsortError):
    """A file that is not a manifest, or cannot be read: which one, what is wrong, what to do."""


@dataclass(frozen=True)
class Manifest:
    """One batch's manifest: its lines in memory, about 80 bytes each.

    :param document_ids: ids of the lines, in the order of the batch, null where a line has no document; its
        index is the line's *position*.
    :param text_hashes: hashes of their texts, null where a text is forgotten; ``None`` in manifests of
        earlier releases.
    """

    document_ids: Any
    text_hashes: Any
    _files: dict[str, int]
    _starts: npt.NDArray[np.int64]
    _counts: npt.NDArray[np.int64]
    _further: Callable[[], Iterable[Any]] = field(default=tuple)

    def __len__(self) -> int:
        return len(self.document_ids)

    @cached_property
    def vacant(self) -> npt.NDArray[np.bool_]:
        """Which lines have no document."""
        flags: npt.NDArray[np.bool_] = self.document_ids.is_null().to_numpy(zero_copy_only=False)
        return flags

    @property
    def number_vacant(self) -> int:
        """How many lines have no document."""
        return int(self.document_ids.null_count)

    @cached_property
    def documents(self) -> int:
        """How many documents there are, on lines of their own and behind the lines."""
        behind = sum(len(ids) - int(ids.null_count) for _, ids in self.repeats())
        return len(self) - self.number_vacant + behind

    def repeats(self) -> Iterator[tuple[npt.NDArray[np.int64], Any]]:
        """Stream the documents that have the text of a line which is another document's.

        :returns: positions of the lines, and ids, null where a document is gone.
        """
        for rows in self._further():
            yield self.positions(rows["file"].cast(pa.string()), rows["line"]), rows["document_id"]

    @property
    def files(self) -> list[str]:
        """Base names of the input files, in the order of the batch."""
        return list(self._files)

    @property
    def first_file(self) -> str:
        """Base name of the first input file, for messages; empty if there is none."""
        return next(iter(self._files), "")

    @classmethod
    def read(cls, path: UPath) -> Manifest:
        """Read a manifest's Parquet file.

        :param path: the file.
        :returns: the manifest.
        :raises MissingObjectError: it is gone.
        :raises ManifestError: no Parquet, other columns, or lines that do not count up from 0 in each file.
        """
        with must_exist(path):
            content = path.read_bytes()
        try:
            lines = number_of_lines(pq.ParquetFile(pa.BufferReader(content)))
            manifest = cls.from_batches(_rows(content, 0, lines), str(path), partial(_rows, content, lines))
        except (pa.ArrowException, KeyError, OSError, ValueError) as error:
            raise ManifestError(
                f"{path}: not a manifest ({first_line(error)}). Run prepare_batches again"
            ) from error
        pa.default_memory_pool().release_unused()
        return manifest

    @classmethod
    def from_batches(
        cls, batches: Iterable[Any], where: str = "manifest", further: Callable[[], Iterable[Any]] = tuple
    ) -> Manifest:
        """Return the manifest in record batches with :data:`~nightsort.arrow.manifest_schema.HASHED_SCHEMA`.

        :param batches: the lines; the hashes may be missing.
        :param where: named in error messages.
        :param further: returns the rows behind the lines, each time that it is called.
        :returns: the manifest.
        :raises ManifestError: a row without file or line, or lines that do not count up from 0 in each file.
        """
        names: list[str] = []
        starts, ids = [_NONE], [pa.nulls(0, pa.large_string())]
        hashes: list[Any] = [pa.array([], HASH)]
        rows = start = 0
        counts_up = True
        for batch in batches:
            if batch["file"].null_count or batch["line"].null_count:
                raise ManifestError(f"{where}: has empty values. Run prepare_batches again")
            codes = batch["file"].indices.to_numpy()
            first = np.flatnonzero(np.diff(codes, prepend=-1))
            here = batch["file"].dictionary.take(from_numpy(codes[first])).to_pylist()
            began = first + rows
            begun = bool(names and here and names[-1] == here[0])
            if begun:
                began[0] = start
            # Batch by batch, so that only the ids of the whole manifest are in memory.
            expected = np.arange(rows, rows + len(batch)) - np.repeat(
                began, np.diff(first, append=len(batch))
            )
            counts_up = counts_up and np.array_equal(batch["line"].to_numpy(), expected)
            names += here[begun:]
            starts.append(began[begun:])
            ids.append(batch["document_id"].cast(pa.large_string()))
            if "text_hash" in batch.schema.names:
                hashes.append(batch["text_hash"])
            rows += len(batch)
            start = began[-1] if len(began) else start
        files = {name: index for index, name in enumerate(names)}
        if len(files) != len(names) or not counts_up:
            raise ManifestError(
                f"{where}: its lines do not count up from 0 in each file, so Nightsort did not write it. "
                "Run prepare_batches again"
            )
        every_start = np.concatenate(starts)
        counts = np.diff(np.append(every_start, rows))
        text_hashes = pa.concat_arrays(hashes) if len(hashes) == len(ids) else None
        return cls(pa.concat_arrays(ids), text_hashes, files, every_start, counts, further)

    def positions(self, files: Any, lines: Any) -> npt.NDArray[np.int64]:
        """Return the position of each (file, line), -1 where the batch has no such line.

        :param files: base names, a column of strings.
        :param lines: lines from 0, a column of int64; null means the only line of a file that has one line.
        :returns: one position for each pair.
        """
        if len(self._files) == 1:
            name: Any = pa.scalar(self.first_file)
            file = np.where(pc.equal(files, name).to_numpy(zero_copy_only=False), 0, -1)
        else:
            file = np.fromiter(
                (self._files.get(name, -1) for name in files.to_pylist()), np.int64, len(files)
            )
        known = file >= 0
        counts = np.where(known, self._counts[file], 0) if self._files else np.zeros(len(file), np.int64)
        line = np.where(counts == 1, pc.fill_null(lines, 0).to_numpy(), pc.fill_null(lines, -1).to_numpy())
        known &= (line >= 0) & (line < counts)
        return np.where(known, (self._starts[file] if self._files else file) + line, -1)


def _rows(content: bytes, first: int, end: int | None = None) -> Iterator[Any]:
    """Stream the rows of a manifest between two of them."""
    parquet = pq.ParquetFile(pa.BufferReader(content), read_dictionary=["file"])
    schema = rows_schema(parquet)
    at = 0
    # On this thread, because each of Arrow's threads keeps memory of its own.
    for batch in parquet.iter_batches(batch_size=_ROWS_AT_ONCE, columns=schema.names, use_threads=False):
        start, stop = max(first - at, 0), len(batch) if end is None else min(end - at, len(batch))
        if start < stop:
            yield batch.slice(start, stop - start).cast(schema)
        at += len(batch)
