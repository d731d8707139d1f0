"""The manifest of a batch: the file and line of each document. It is read when results are loaded.

A forgotten document leaves its line, so that all others keep theirs, with no id
(``docs/adr/0035-forgotten-documents-leave-their-line.md``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nightsort.arrow.columns import from_numpy
from nightsort.arrow.manifest_schema import MANIFEST_SCHEMA
from nightsort.errors import NightsortError
from nightsort.storage import must_exist

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt
    from upath import UPath

_ROWS_AT_ONCE = 16_384
_NONE: npt.NDArray[np.int64] = np.zeros(0, np.int64)


class ManifestError(NightsortError):
    """A file that is not a manifest, or cannot be read: which one, what is wrong, what to do."""


@dataclass(frozen=True)
class Manifest:
    """One batch's manifest in memory: about 60 bytes a document.

    :param document_ids: ids, in the order of the batch, null where a document is forgotten; a document's
        index is its *position*.
    """

    document_ids: Any
    _files: dict[str, int]
    _starts: npt.NDArray[np.int64]
    _counts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.document_ids)

    @cached_property
    def forgotten(self) -> npt.NDArray[np.bool_]:
        """Which positions are those of forgotten documents."""
        flags: npt.NDArray[np.bool_] = self.document_ids.is_null().to_numpy(zero_copy_only=False)
        return flags

    @property
    def number_forgotten(self) -> int:
        """How many documents are forgotten."""
        return int(self.document_ids.null_count)

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
            parquet = pq.ParquetFile(pa.BufferReader(content), read_dictionary=["file"])
            # On this thread, because each of Arrow's threads keeps memory of its own.
            batches = parquet.iter_batches(
                batch_size=_ROWS_AT_ONCE, columns=MANIFEST_SCHEMA.names, use_threads=False
            )
            manifest = cls.from_batches((batch.cast(MANIFEST_SCHEMA) for batch in batches), str(path))
        except (pa.ArrowException, KeyError, OSError, ValueError) as error:
            reason = (str(error).splitlines() or ["no reason given"])[0]
            raise ManifestError(f"{path}: not a manifest ({reason}). Run prepare_batches again") from error
        pa.default_memory_pool().release_unused()
        return manifest

    @classmethod
    def from_batches(cls, batches: Iterable[Any], where: str = "manifest") -> Manifest:
        """Return the manifest in record batches with :data:`MANIFEST_SCHEMA`.

        :param batches: the record batches.
        :param where: named in error messages.
        :returns: the manifest.
        :raises ManifestError: a row without file or line, or lines that do not count up from 0 in each file.
        """
        names: list[str] = []
        starts, ids = [_NONE], [pa.nulls(0, pa.large_string())]
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
        return cls(pa.concat_arrays(ids), files, every_start, counts)

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
