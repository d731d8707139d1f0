"""Find documents in a manifest, and take their ids out of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nightsort.arrow.columns import from_numpy
from nightsort.arrow.manifest_schema import MANIFEST_SCHEMA, manifest_writer
from nightsort.batches.manifest import ManifestError
from nightsort.naming import forgotten_file
from nightsort.storage import upload_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nightsort.arrow.columns import Column
    from nightsort.forgetting.lines import Positions
    from nightsort.storage import Access

_ROWS_AT_ONCE: Final = 32_768


@dataclass(frozen=True)
class Found:
    """Where documents are in a manifest.

    :param positions: rows of the manifest, from 0, sorted.
    :param files: the base name of the file of each.
    :param lines: the line of each in that file.
    :param ids: how often each id is there.
    :param documents: how many documents the manifest has.
    """

    positions: Positions
    files: list[str]
    lines: Positions
    ids: Counter[str]
    documents: int

    def lines_of(self, file: str) -> Positions:
        """Return the lines of one file, sorted."""
        return np.sort(self.lines[[name == file for name in self.files]])


def find_in_manifest(uri: str, ids: Column, access: Access) -> Found:
    """Find documents in a manifest.

    :param uri: the manifest.
    :param ids: the ids.
    :param access: storage.
    :raises ManifestError: it cannot be read.
    """
    positions, lines = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    files: list[str] = []
    counts: Counter[str] = Counter()
    start = 0
    for rows in _rows(uri, access):
        here = is_one_of(rows["document_id"], ids)
        if len(here):
            found = rows.take(from_numpy(here))
            positions.append(here + start)
            lines.append(found["line"].to_numpy())
            files += found["file"].to_pylist()
            counts.update(found["document_id"].to_pylist())
        start += len(rows)
    return Found(np.concatenate(positions), files, np.concatenate(lines), counts, start)


def is_one_of(column: Column, ids: Column) -> Positions:
    """Return which rows of a column hold one of the ids."""
    flags: Any = pc.is_in(column, value_set=ids, skip_nulls=True)
    return np.flatnonzero(flags.to_numpy(zero_copy_only=False))


def erase_from_manifest(uri: str, found: Found, access: Access, scratch: Path, *, per_file: bool) -> None:
    """Take the ids of documents out of a manifest; their rows stay.

    :param uri: the manifest.
    :param found: the documents.
    :param access: storage.
    :param scratch: a local folder.
    :param per_file: a file is named after its document, so its name goes as well.
    """
    local = scratch / "manifest.parquet"
    start = 0
    with manifest_writer(local) as writer:
        for rows in _rows(uri, access):
            begin, end = np.searchsorted(found.positions, (start, start + len(rows)))
            here = found.positions[begin:end]
            writer.write_batch(_without_ids(rows, here - start, here, per_file=per_file))
            start += len(rows)
    upload_whole(local, uri, access)


def _without_ids(rows: pa.RecordBatch, here: Positions, positions: Positions, *, per_file: bool) -> Any:
    if not len(here):
        return rows
    flags = np.zeros(len(rows), np.bool_)
    flags[here] = True
    mask = pa.array(flags)
    ids: Column = pc.replace_with_mask(rows["document_id"], mask, pa.scalar(None, pa.string()))
    files: Column = rows["file"]
    if per_file:
        names = pa.array(list(map(forgotten_file, positions.tolist())), pa.string())
        files = pc.replace_with_mask(files.cast(pa.string()), mask, names).cast(MANIFEST_SCHEMA.field(0).type)
    return pa.record_batch([files, rows["line"], ids], schema=MANIFEST_SCHEMA)


def _rows(uri: str, access: Access) -> Iterator[Any]:
    """Stream the rows of a manifest, with :data:`~nightsort.batches.manifest.MANIFEST_SCHEMA`."""
    content = access.path(uri).read_bytes()
    try:
        parquet: Any = pq.ParquetFile(pa.BufferReader(content), read_dictionary=["file"])
        for rows in parquet.iter_batches(
            batch_size=_ROWS_AT_ONCE, columns=MANIFEST_SCHEMA.names, use_threads=False
        ):
            yield rows.cast(MANIFEST_SCHEMA)
    except (pa.ArrowException, KeyError, OSError, ValueError) as error:
        raise ManifestError(
            f"{uri}: not a manifest, so nothing says which documents its batch holds; remove it and the input"
        ) from error
