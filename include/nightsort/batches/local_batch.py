"""The stream of new documents, cut into batches on local disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from xxhash import xxh3_128

from nightsort.arrow.columns import from_numpy, offsets_and_bytes
from nightsort.batches.manifest import MANIFEST_SCHEMA
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
_FEW_VALUES: Final[Any] = ["file"]
_IDS: Final = pa.schema({"document_id": pa.string()})


class TooManyBatchesError(NightsortError):
    """More batches than one run can carry: how many, and which limit of the spec makes them so small."""


class Shard:
    """One batch on local disk: a file with a line per document, and one with their ids."""

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
        """Write some documents."""
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
        """Hash the content, and the names of files where each document has one."""
        if per_file:
            for name in self.file_names():
                self._hash.update(b"\0" + name.encode())
        return self._hash.hexdigest()

    def file_names(self) -> Iterator[str]:
        """Give the names of the documents' files, where each has one."""
        for ids in self._stored_ids():
            yield from map(document_file, ids.to_pylist())

    def write_manifest(self, name: str | None) -> None:
        """Write which document is where, in the order of the documents, to :attr:`manifest_path`.

        :param name: of the file with all of them; ``None``: each has a file of its own.
        """
        start = 0
        with pq.ParquetWriter(
            self.manifest_path, MANIFEST_SCHEMA, use_dictionary=_FEW_VALUES, compression="zstd"
        ) as writer:
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
        # Else what Arrow keeps of the manifest would lie beside what the next documents need.
        pa.default_memory_pool().release_unused()

    def _stored_ids(self) -> Iterator[Column]:
        with pa.OSFile(str(self._ids_path), "rb") as file, pa.ipc.open_stream(file) as stored:
            for batch in stored:
                yield batch.column(0)


def check_number(batches: int, spec: ClassifierSpec) -> None:
    """Check that a run can carry its batches.

    :raises TooManyBatchesError: it cannot.
    """
    if batches > MAX_BATCHES:
        raise TooManyBatchesError(
            f"{spec.name}: more than {MAX_BATCHES:,} batches, more than one run can carry. "
            f"Raise batch.max_documents ({spec.batch.max_documents:,}) or batch.max_bytes "
            f"({spec.batch.max_bytes:,}) in the spec, or give a smaller source"
        )


def shards(
    documents: Iterable[tuple[Column, Column]], spec: ClassifierSpec, folder: Path, *, first: int
) -> Iterator[Shard]:
    """Cut the stream by the spec's limits. A document above the limit in bytes gets a batch of its own.

    :param documents: columns of ids and of texts.
    :param first: number of the first batch.
    """
    line_end = 0 if spec.input_format == "ONE_DOC_PER_FILE" else 1
    shard: Shard | None = None
    number, room = first, 0
    try:
        for ids, texts in documents:
            ends = np.cumsum(np.asarray(pc.binary_length(texts)).astype(np.int64) + line_end)
            start = 0
            while start < len(texts):
                if shard is None:
                    check_number(number - first + 1, spec)
                    shard = Shard(number, folder / f"batch-{number:05}.txt")
                    number += 1
                    room = spec.batch.max_bytes
                before = int(ends[start - 1]) if start else 0
                fits = int(np.searchsorted(ends, before + room, side="right")) - start
                take = max(0, min(fits, spec.batch.max_documents - shard.documents))
                if not take and not shard.documents:
                    take = 1
                if take:
                    shard.add(ids.slice(start, take), texts.slice(start, take))
                    room -= int(ends[start + take - 1]) - before
                    start += take
                if start < len(texts) or shard.documents == spec.batch.max_documents:
                    shard.close()
                    yield shard
                    shard = None
        if shard is not None:
            shard.close()
            yield shard
    finally:
        if shard is not None:
            shard.close()
