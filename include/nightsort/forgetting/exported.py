"""Find documents in exported files, and take their rows out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nightsort.arrow.columns import from_numpy
from nightsort.errors import NightsortError
from nightsort.exports import EXPORT_SCHEMA, ROWS_PER_GROUP, export_writer
from nightsort.forgetting.manifests import is_one_of
from nightsort.storage import download, remove_file, upload_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nightsort.arrow.columns import Column
    from nightsort.storage import Access

_ROWS_AT_ONCE: Final = 65_536
_NEWER: Final = ("source", "source_run")
"""Columns that files of earlier releases lack."""


class ExportedFileError(NightsortError):
    """An exported file that cannot be read: which, and what to do."""


def find_in_exported(uri: str, ids: Column, access: Access) -> Counter[str]:
    """Return how often each id is in an exported file.

    :param uri: the file.
    :param ids: the ids.
    :param access: storage.
    :raises ExportedFileError: it cannot be read.
    """
    found: Counter[str] = Counter()
    with access.path(uri).open("rb") as file:
        for rows in _rows(file, uri, ["document_id"]):
            here = is_one_of(rows["document_id"], ids)
            found.update(rows["document_id"].take(from_numpy(here)).to_pylist())
    return found


def erase_from_exported(uri: str, ids: Column, access: Access, scratch: Path) -> None:
    """Write an exported file anew, without the rows of some documents; remove it if it has no others.

    :param uri: the file.
    :param ids: the ids.
    :param access: storage.
    :param scratch: a local folder.
    """
    before, after = scratch / "exported.parquet", scratch / "left.parquet"
    download(uri, before, access)
    left = 0
    with before.open("rb") as file, export_writer(after) as writer:
        for kept in _rows(file, uri, EXPORT_SCHEMA.names, ROWS_PER_GROUP, without=ids):
            if len(kept):
                writer.write_table(pa.Table.from_batches([kept], EXPORT_SCHEMA), len(kept))
                left += len(kept)
    if left:
        upload_whole(after, uri, access)
    else:
        remove_file(uri, access)


def _rows(
    file: Any,
    uri: str,
    columns: list[str],
    rows_at_once: int = _ROWS_AT_ONCE,
    without: Column | None = None,
) -> Iterator[Any]:
    """Yield some columns of a file, without the rows of some documents; null where it lacks a newer one."""
    schema = pa.schema([EXPORT_SCHEMA.field(name) for name in columns])
    try:
        parquet: Any = pq.ParquetFile(file)
        there = parquet.schema_arrow.names
        columns = [name for name in columns if name in there or name not in _NEWER]
        for rows in parquet.iter_batches(batch_size=rows_at_once, columns=columns, use_threads=False):
            if without is not None:
                others = np.ones(len(rows), np.bool_)
                others[is_one_of(rows["document_id"], without)] = False
                rows = rows.filter(pa.array(others))
            # After the filter: the dictionary of a column would keep the labels of the rows that are gone.
            for name in _NEWER:
                if name in schema.names and name not in there:
                    rows = rows.append_column(name, pa.nulls(len(rows)))
            yield rows.select(schema.names).cast(schema)
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise ExportedFileError(
            f"{uri} cannot be read, so nothing says which documents it holds; remove it"
        ) from error
