"""The stream of new documents, cut into batches on local disk."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from include.nightsort.costs import document_units
from include.nightsort.job_output.manifests import MANIFEST_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from include.nightsort.classifier_spec import ClassifierSpec
    from include.nightsort.columnar.columns import Column

MAX_BATCHES: Final = 1_000
"""Batches of one run (choice: Airflow maps a task at most 1,024 times by default)."""

_MANIFEST_ROWS: Final = 65_536


class TooManyBatchesError(ValueError):
    """More batches than one run can carry: how many, and which limit of the spec makes them so small."""


class Shard:
    """One batch on local disk: a line per document, and in memory the ids (40 MB for a million)."""

    def __init__(self, number: int, path: Path) -> None:
        self.number = number
        self.path = path
        self.documents = self.text_bytes = self.units = 0
        self.ids: list[Column] = []
        self._file = path.open("wb")
        self._hash = hashlib.blake2b(digest_size=16)

    def add(self, ids: Column, texts: Column) -> None:
        """Write some documents."""
        lines: Column = pc.binary_join_element_wise(texts, "", "\n")
        _, offsets, data = lines.buffers()
        ends = np.frombuffer(offsets, np.int32)[lines.offset : lines.offset + len(lines) + 1]
        content = memoryview(data)[ends[0] : ends[-1]]
        self._file.write(content)
        self._hash.update(content)
        self.ids.append(ids)
        self.documents += len(ids)
        self.text_bytes += len(content) - len(ids)
        self.units += int(document_units(texts).sum())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def fingerprint(self, names: Iterable[str]) -> str:
        """Hash the content, and the names of files where each document has one."""
        for name in names:
            self._hash.update(b"\0" + name.encode())
        return self._hash.hexdigest()

    def write_manifest(self, path: Path, names: Column, lines: Column) -> None:
        """Write which document is where.

        :param names: of each document the base name of its file.
        :param lines: and its line in it, from 0.
        """
        ids: Column = pa.chunked_array(self.ids, pa.string())
        table = pa.table([names, lines, ids], schema=MANIFEST_SCHEMA)
        few_values: Any = ["file"]
        pq.write_table(
            table, path, row_group_size=_MANIFEST_ROWS, use_dictionary=few_values, compression="zstd"
        )


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
