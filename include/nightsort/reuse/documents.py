"""The documents of a run whose texts earlier runs have classified: one Parquet file for each version."""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from nightsort.arrow.hashing import HASH
from nightsort.arrow.label_lists import LABEL, SCORES
from nightsort.reuse.store import LABEL_NAMES
from nightsort.wording import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from upath import UPath

_TYPES: Final[dict[str, pa.DataType]] = {
    "document_id": pa.string(),
    "labels": LABEL_NAMES,
    "scores": SCORES,
    "run_key": LABEL,
    "text_hash": HASH,
    "units": pa.int64(),
}
REUSED_SCHEMA: Final = pa.schema(_TYPES)
"""A row for each document that was not sent, since the run ``run_key`` classified its text, in the order in
which they came. ``units`` is what it would have cost. The row of a forgotten document has these two alone."""

_FEW_VALUES: Final[Any] = ["labels.list.element", "scores.list.element", "run_key", "units"]
_ROWS_AT_ONCE: Final = 16_384
_COPIED_BYTES: Final = 2**20


class DamagedResultsError(Exception):
    """A file with results that cannot be read, or is not as Nightsort writes it."""


def reused_writer(path: Path) -> pq.ParquetWriter:
    """Open a Parquet file with :data:`REUSED_SCHEMA` for writing, with a checksum for each page.

    :param path: a local file.
    :returns: what takes record batches, for a ``with``.
    """
    return pq.ParquetWriter(
        path, REUSED_SCHEMA, use_dictionary=_FEW_VALUES, compression="zstd", write_page_checksum=True
    )


def read_reused_documents(path: UPath, columns: Sequence[str] = REUSED_SCHEMA.names) -> Iterator[Any]:
    """Stream the rows of a file with :data:`REUSED_SCHEMA`.

    :param path: the file, of which there is a local copy meanwhile: a night may reuse ten million documents.
    :param columns: the columns that are read.
    :returns: record batches.
    :raises FileNotFoundError: it is gone.
    :raises DamagedResultsError: it cannot be read, or is not as Nightsort writes it.
    """
    schema = pa.schema([REUSED_SCHEMA.field(name) for name in columns])
    with tempfile.TemporaryFile(prefix="nightsort-") as local:
        with path.open("rb") as stored:
            shutil.copyfileobj(stored, local, _COPIED_BYTES)
        try:
            parquet = pq.ParquetFile(local, page_checksum_verification=True)
            for group in range(parquet.num_row_groups):
                rows = parquet.read_row_group(group, list(columns), use_threads=False)
                for part in rows.select(list(columns)).to_batches(_ROWS_AT_ONCE):
                    arrays = [part[field.name].cast(field.type) for field in schema]
                    yield pa.record_batch(arrays, schema=schema)
        except (pa.ArrowException, KeyError, OSError, ValueError) as error:
            raise DamagedResultsError(first_line(error)) from error
