"""Cut the stream of new documents into batches on local disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_128

from nightsort.arrow.columns import from_numpy, offsets_and_bytes
from nightsort.arrow.manifest_schema import MANIFEST_SCHEMA, manifest_writer
from nightsort.comprehend.prices import document_units
from nightsort.errors import NightsortError
from nightsort.naming import document_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from nightsort.arrow.columns import Column
    from nightsort.classifier_spec.model import ClassifierSpec

MAX_BATCHES: Final = 1_000
"""Batches of one run (choice: Airflow maps a task at most 1,024 times by default)."""

_MANIFEST_ROWS: Final = 32_768
_IDS: Final = pa.schema({"document_id": pa.string()})


class TooManyBatchesError(NightsortError):
    """More batches than one run can have; the message names the limits of the spec that make them small."""


class LocalBatch:
    """One batch on local disk: a file with a line per document, and a file with their ids.

    :param number: its number in the run.
    :param path: the file with the documents.
    """

    def __init__(self, number: int, path: Path) -> None:
        self.number = number
        self.path = path
        self.manifest_path = path.with_suffix(".parquet")
        self.documents = self.text_bytes = self.units = 0
        self._lines = path.open("wb")
        self._ids_path = path.with_suffix(".ids")
        self._ids = pa.ipc.new_stream(str(self._ids_path), _IDS)
        self._latest_ids: list[Column] = []
        self._hash = xxh3_128()

    def add(self, ids: Column, texts: Column) -> None:
        """Append documents.

        :param ids: their ids.
        :param texts: their texts.
        """
        lines: Column = pc.binary_join_element_wise(texts, "", "\n")
        content = offsets_and_bytes(lines)[1].data
        self._lines.write(content)
        self._hash.update(content)
        self._latest_ids.append(ids)
        if sum(map(len, self._latest_ids)) >= _MANIFEST_ROWS:
            self._write_ids()
        self.documents += len(ids)
        self.text_bytes += len(content) - len(ids)
        self.units += int(document_units(texts).sum())

    def _write_ids(self) -> None:
        self._ids.write_batch(pa.record_batch([pa.concat_arrays(self._latest_ids)], schema=_IDS))
        self._latest_ids = []

    def close(self) -> None:
        """Close the files."""
        self._lines.close()
        if self._latest_ids:
            self._write_ids()
        self._ids.close()

    def remove(self) -> None:
        """Remove the files, if they are still there."""
        for path in (self.path, self._ids_path, self.manifest_path):
            path.unlink(missing_ok=True)

    def fingerprint(self, *, per_file: bool) -> str:
        """Return a hash of the content.

        :param per_file: each document has a file of its own, whose name is hashed too.
        :returns: hex digits.
        """
        if per_file:
            for name in self.file_names():
                self._hash.update(b"\0" + name.encode())
        return self._hash.hexdigest()

    def file_names(self) -> Iterator[str]:
        """Yield the names of the documents' files, for ONE_DOC_PER_FILE."""
        for ids in self._stored_ids():
            yield from map(document_file, ids.to_pylist())

    def write_manifest(self, name: str | None) -> None:
        """Write the manifest to :attr:`manifest_path`.

        :param name: of the file with all documents; ``None``: each document has a file of its own.
        """
        start = 0
        with manifest_writer(self.manifest_path) as writer:
            for ids in self._stored_ids():
                if name is None:
                    names = map(document_file, ids.to_pylist())
                    files: Column = pa.array(names, MANIFEST_SCHEMA.field("file").type)
                    lines = np.zeros(len(ids), np.int64)
                else:
                    first: Column = pa.repeat(pa.scalar(0, pa.int32()), len(ids))
                    files = pa.DictionaryArray.from_arrays(first, pa.array([name]))
                    lines = np.arange(start, start + len(ids))
                writer.write_batch(pa.record_batch([files, from_numpy(lines), ids], schema=MANIFEST_SCHEMA))
                start += len(ids)
        # Return Arrow's cached memory now; otherwise it adds to the peak while the next documents are read.
        pa.default_memory_pool().release_unused()

    def _stored_ids(self) -> Iterator[Column]:
        with pa.OSFile(str(self._ids_path), "rb") as file, pa.ipc.open_stream(file) as stored:
            for records in stored:
                yield records.column(0)


def check_batch_count(batches: int, spec: ClassifierSpec) -> None:
    """Check that a run does not have too many batches.

    :param batches: how many it has.
    :param spec: with the limits that the message names.
    :raises TooManyBatchesError: there are too many.
    """
    if batches > MAX_BATCHES:
        raise TooManyBatchesError(
            f"{spec.name}: more than {MAX_BATCHES:,} batches, the limit for one run. "
            f"Raise batch.max_documents ({spec.batch.max_documents:,}) or batch.max_bytes "
            f"({spec.batch.max_bytes:,}) in the spec, or classify a smaller source"
        )


def cut_batches(
    documents: Iterable[tuple[Column, Column]], spec: ClassifierSpec, folder: Path, *, first: int
) -> Iterator[LocalBatch]:
    """Cut the stream by the spec's limits. A document above the limit in bytes has a batch of its own.

    :param documents: columns of ids and of texts.
    :param spec: with the limits.
    :param folder: a local folder.
    :param first: number of the first batch.
    :returns: the batches, each closed before the next one begins.
    :raises TooManyBatchesError: there are more batches than one run can have.
    """
    line_end = 0 if spec.input_format == "ONE_DOC_PER_FILE" else 1
    batch: LocalBatch | None = None
    number, room = first, 0
    try:
        for ids, texts in documents:
            ends = np.cumsum(np.asarray(pc.binary_length(texts)).astype(np.int64) + line_end)
            start = 0
            while start < len(texts):
                if batch is None:
                    check_batch_count(number - first + 1, spec)
                    batch = LocalBatch(number, folder / f"batch-{number:05}.txt")
                    number += 1
                    room = spec.batch.max_bytes
                before = int(ends[start - 1]) if start else 0
                fits = int(np.searchsorted(ends, before + room, side="right")) - start
                take = max(0, min(fits, spec.batch.max_documents - batch.documents))
                if not take and not batch.documents:
                    take = 1
                if take:
                    batch.add(ids.slice(start, take), texts.slice(start, take))
                    room -= int(ends[start + take - 1]) - before
                    start += take
                if start < len(texts) or batch.documents == spec.batch.max_documents:
                    batch.close()
                    yield batch
                    batch = None
        if batch is not None:
            batch.close()
            yield batch
    finally:
        if batch is not None:
            batch.close()
