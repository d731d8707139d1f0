"""Cut the stream of new texts into batches on local disk."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_128

from nightsort.arrow.columns import from_numpy, offsets_and_bytes, one_batch
from nightsort.arrow.hashing import HASH
from nightsort.arrow.manifest_schema import HASHED_SCHEMA
from nightsort.comprehend.prices import document_units
from nightsort.errors import NightsortError
from nightsort.layout import document_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from nightsort.arrow.columns import Column
    from nightsort.classifier_spec.model import ClassifierSpec

MAX_BATCHES: Final = 1_000
"""Batches of one run (choice: Airflow maps a task at most 1,024 times by default)."""

_ROWS_AT_ONCE: Final = 32_768
_LINES: Final = pa.schema({"document_id": pa.string(), "text_hash": HASH})


class Lines(NamedTuple):
    """Texts that are sent, as columns.

    :param ids: of the document that each is of.
    :param texts: the texts.
    :param digests: their hashes.
    """

    ids: Column
    texts: Column
    digests: Column

    def slice(self, start: int, number: int) -> Lines:
        """Return some of them."""
        return Lines(*(column.slice(start, number) for column in self))


class TooManyBatchesError(NightsortError):
    """More batches than one run can have; the message names the limits of the spec that make them small."""


class LocalBatch:
    """One batch on local disk: a file with a line per text, and a file with ids and hashes of these lines.

    :param number: its number in the run.
    :param path: the file with the texts.
    """

    def __init__(self, number: int, path: Path) -> None:
        self.number = number
        self.path = path
        self.lines = self.text_bytes = self.units = 0
        self._texts = path.open("wb")
        self._ids_path = path.with_suffix(".ids")
        self._ids = pa.ipc.new_stream(str(self._ids_path), _LINES)
        self._latest: list[Any] = []
        self._hash = xxh3_128()

    def add(self, ids: Column, texts: Column, digests: Column) -> None:
        """Append lines.

        :param ids: the ids of their documents.
        :param texts: their texts.
        :param digests: the hashes of the texts.
        """
        joined: Column = pc.binary_join_element_wise(texts, "", "\n")
        content = offsets_and_bytes(joined)[1].data
        self._texts.write(content)
        self._hash.update(content)
        self._latest.append(pa.record_batch([ids, digests], schema=_LINES))
        if sum(map(len, self._latest)) >= _ROWS_AT_ONCE:
            self._write_ids()
        self.lines += len(ids)
        self.text_bytes += len(content) - len(ids)
        self.units += int(document_units(texts).sum())

    def _write_ids(self) -> None:
        self._ids.write_batch(one_batch(self._latest))
        self._latest = []

    def close(self) -> None:
        """Close the files."""
        self._texts.close()
        if self._latest:
            self._write_ids()
        self._ids.close()

    def remove(self) -> None:
        """Remove the files, if they are still there."""
        for path in (self.path, self._ids_path):
            path.unlink(missing_ok=True)

    def fingerprint(self, *, per_file: bool) -> str:
        """Return a hash of the content.

        :param per_file: each text has a file of its own, whose name is hashed too.
        :returns: hex digits.
        """
        if per_file:
            for name in self.file_names():
                self._hash.update(b"\0" + name.encode())
        return self._hash.hexdigest()

    def file_names(self) -> Iterator[str]:
        """Yield the names of the texts' files, for ONE_DOC_PER_FILE."""
        for rows in self._stored():
            yield from map(document_file, rows["document_id"].to_pylist())

    def manifest_rows(self, name: str | None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the manifest for the lines.

        :param name: of the file with all texts; ``None``: each text has a file of its own.
        """
        start = 0
        for rows in self._stored():
            ids, digests = rows.columns
            if name is None:
                names = map(document_file, ids.to_pylist())
                files: Column = pa.array(names, HASHED_SCHEMA.field("file").type)
                lines = np.zeros(len(ids), np.int64)
            else:
                first: Column = pa.repeat(pa.scalar(0, pa.int32()), len(ids))
                files = pa.DictionaryArray.from_arrays(first, pa.array([name]))
                lines = np.arange(start, start + len(ids))
            yield pa.record_batch([files, from_numpy(lines), ids, digests], schema=HASHED_SCHEMA)
            start += len(ids)

    def _stored(self) -> Iterator[Any]:
        with pa.OSFile(str(self._ids_path), "rb") as file, pa.ipc.open_stream(file) as stored:
            yield from stored


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
    lines: Iterable[Lines], spec: ClassifierSpec, folder: Path, *, taken: Collection[int] = ()
) -> Iterator[LocalBatch]:
    """Cut the stream by the spec's limits. A text above the limit in bytes has a batch of its own.

    :param lines: the texts that are sent.
    :param spec: with the limits.
    :param folder: a local folder.
    :param taken: numbers that other batches of the run have.
    :returns: the batches, each closed before the next one begins.
    :raises TooManyBatchesError: there are more batches than one run can have.
    """
    line_end = 0 if spec.input_format == "ONE_DOC_PER_FILE" else 1
    batch: LocalBatch | None = None
    numbers = (number for number in count() if number not in taken)
    made = room = 0
    try:
        for some in lines:
            ends = np.cumsum(np.asarray(pc.binary_length(some.texts)).astype(np.int64) + line_end)
            start = 0
            while start < len(ends):
                if batch is None:
                    made += 1
                    check_batch_count(made, spec)
                    number = next(numbers)
                    batch = LocalBatch(number, folder / f"batch-{number:05}.txt")
                    room = spec.batch.max_bytes
                before = int(ends[start - 1]) if start else 0
                fits = int(np.searchsorted(ends, before + room, side="right")) - start
                take = max(0, min(fits, spec.batch.max_documents - batch.lines))
                if not take and not batch.lines:
                    take = 1
                if take:
                    batch.add(*some.slice(start, take))
                    room -= int(ends[start + take - 1]) - before
                    start += take
                if start < len(ends) or batch.lines == spec.batch.max_documents:
                    batch.close()
                    yield batch
                    batch = None
        if batch is not None:
            batch.close()
            yield batch
    finally:
        if batch is not None:
            batch.close()
