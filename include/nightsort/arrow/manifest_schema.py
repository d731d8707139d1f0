"""The columns that say which document is on which line of a file, in batches and in training data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST_SCHEMA: Final = pa.schema(
    {"file": pa.dictionary(pa.int32(), pa.string()), "line": pa.int64(), "document_id": pa.string()}
)
"""A row per document, in the order of the input: base name of its file, line from 0 (0 where a file is one
document), id; null where the document is forgotten."""

_FEW_VALUES: Final[Any] = ["file"]


def manifest_writer(path: Path) -> pq.ParquetWriter:
    """Open a Parquet file with :data:`MANIFEST_SCHEMA` for writing.

    :param path: a local file.
    :returns: what takes record batches, for a ``with``.
    """
    return pq.ParquetWriter(path, MANIFEST_SCHEMA, use_dictionary=_FEW_VALUES, compression="zstd")
