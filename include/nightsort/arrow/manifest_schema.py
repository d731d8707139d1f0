"""The columns that say which document is on which line of a file, in batches and in training data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from nightsort.arrow.hashing import HASH

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST_SCHEMA: Final = pa.schema(
    {"file": pa.dictionary(pa.int32(), pa.string()), "line": pa.int64(), "document_id": pa.string()}
)
"""A row per line, in the order of the input: base name of its file, line from 0 (0 where a file is one
document), id; null where the line has no document. In a batch there follows a row for each further document
with the text of a line, with the file and line of that text."""

HASHED_SCHEMA: Final = MANIFEST_SCHEMA.append(pa.field("text_hash", HASH))
"""The columns of a batch's manifest: the hash of each line's text too, null where the text is forgotten and
for further documents."""

_LINES: Final = b"lines"
_FEW_VALUES: Final[Any] = ["file"]


def manifest_writer(
    path: Path, schema: pa.Schema = MANIFEST_SCHEMA, *, lines: int | None = None
) -> pq.ParquetWriter:
    """Open a Parquet file for writing.

    :param path: a local file.
    :param schema: its columns.
    :param lines: how many of its rows are lines; ``None``: all.
    :returns: what takes record batches, for a ``with``.
    """
    if lines is not None:
        schema = schema.with_metadata({_LINES: str(lines)})
    # Hashes cannot be compressed.
    compression: Any = {name: "none" if name == "text_hash" else "zstd" for name in schema.names}
    return pq.ParquetWriter(path, schema, use_dictionary=_FEW_VALUES, compression=compression)


def number_of_lines(parquet: pq.ParquetFile) -> int:
    """Return how many of a manifest's rows are lines.

    :param parquet: the manifest.
    :raises ValueError: what it says is no number.
    """
    metadata = parquet.metadata
    return int((metadata.metadata or {}).get(_LINES, metadata.num_rows))


def rows_schema(parquet: pq.ParquetFile) -> pa.Schema:
    """Return the columns of a manifest: those of earlier releases have no hashes.

    :param parquet: the manifest.
    """
    return HASHED_SCHEMA if "text_hash" in parquet.schema_arrow.names else MANIFEST_SCHEMA
