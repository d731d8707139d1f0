"""Find documents among those that a run has reused, and take them out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nightsort.arrow.columns import from_numpy
from nightsort.batches.manifest import ManifestError
from nightsort.forgetting.manifests import is_one_of
from nightsort.reuse.documents import (
    REUSED_SCHEMA,
    DamagedResultsError,
    read_reused_documents,
    reused_writer,
)
from nightsort.storage import upload_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nightsort.arrow.columns import Column
    from nightsort.storage import Access

_STAYS = ("run_key", "units")


def find_in_reused(uri: str, ids: Column, access: Access) -> Counter[str]:
    """Return how often each id is among reused documents.

    :param uri: a file with :data:`~nightsort.reuse.documents.REUSED_SCHEMA`.
    :param ids: the ids.
    :param access: storage.
    :raises ManifestError: it cannot be read.
    """
    found: Counter[str] = Counter()
    for rows in _rows(uri, access, ["document_id"]):
        found.update(rows["document_id"].take(from_numpy(is_one_of(rows["document_id"], ids))).to_pylist())
    return found


def erase_from_reused(uri: str, ids: Column, access: Access, scratch: Path) -> None:
    """Take documents out of a file; their rows stay, so that all others keep theirs, and say nothing.

    :param uri: the file.
    :param ids: the ids.
    :param access: storage.
    :param scratch: a local folder.
    """
    local = scratch / "reused.parquet"
    with reused_writer(local) as writer:
        for rows in _rows(uri, access, REUSED_SCHEMA.names):
            gone = np.zeros(len(rows), np.bool_)
            gone[is_one_of(rows["document_id"], ids)] = True
            writer.write_batch(_without(rows, pa.array(gone)) if gone.any() else rows)
    upload_whole(local, uri, access)


def _without(rows: Any, gone: Any) -> pa.RecordBatch:
    # By taking rows: a replaced list keeps its values in the column.
    index = pc.if_else(gone, None, pa.array(range(len(rows))))
    columns = [
        column if field.name in _STAYS else column.take(index)
        for field, column in zip(REUSED_SCHEMA, rows.columns, strict=True)
    ]
    return pa.record_batch(columns, schema=REUSED_SCHEMA)


def _rows(uri: str, access: Access, columns: list[str]) -> Iterator[Any]:
    try:
        yield from read_reused_documents(access.path(uri), columns)
    except DamagedResultsError as error:
        raise ManifestError(
            f"{uri}: not the results of reused documents, so nothing says which documents it holds; remove it"
        ) from error
