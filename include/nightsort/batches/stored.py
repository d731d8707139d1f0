"""Read the documents of a batch back from its input and its manifest, as they were sent."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nightsort.arrow.columns import one_column
from nightsort.arrow.manifest_schema import MANIFEST_SCHEMA, number_of_lines
from nightsort.batches.manifest import ManifestError
from nightsort.sources.source_files import SourceFile, SourceGoneError
from nightsort.sources.streams import open_file, open_files
from nightsort.sources.text_files import MAX_FILE_BYTES, read_files, read_lines
from nightsort.storage import must_exist

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nightsort.arrow.columns import Column
    from nightsort.batches.plan import Batch
    from nightsort.storage import Access

    IdsAndTexts = tuple[Column, Column]

_FILES_TOGETHER: Final = 8_192
_SENT: Final = pa.schema([MANIFEST_SCHEMA.field("file"), MANIFEST_SCHEMA.field("document_id")])


def read_batch(batch: Batch, access: Access, *, per_file: bool) -> Iterator[IdsAndTexts]:
    """Stream the lines of a batch.

    :param batch: the batch.
    :param access: storage.
    :param per_file: each document has a file of its own.
    :returns: columns of ids and of texts, a row per line. A line without a document has no id; the text of a
        forgotten one says nothing.
    :raises MissingObjectError: its input or its manifest is gone.
    :raises ManifestError: the manifest cannot be read, or is another batch's.
    :raises SourceError: the input cannot be read.
    """
    manifest = _manifest(batch, access)
    ids: Column = manifest["document_id"]
    start = 0
    try:
        for texts in _texts(batch, manifest["file"], access, per_file=per_file):
            here = one_column(ids.slice(start, len(texts)))
            if len(here) < len(texts):
                raise ManifestError(f"{batch.manifest_uri}: the batch has more documents")
            yield here, texts
            start += len(texts)
    except SourceGoneError as error:
        with must_exist(error.uri):
            raise FileNotFoundError from error


def same_size(batch: Batch, access: Access, *, per_file: bool) -> bool:
    """Return whether the input of a batch has the size with which it was written.

    :param batch: the batch.
    :param access: storage.
    :param per_file: each line has a file of its own.
    :raises FileNotFoundError: it is gone.
    """
    fs, path = access.file(batch.input_uri)
    fs.invalidate_cache()
    if not per_file:
        return bool(fs.info(path)["size"] == batch.bytes)
    sizes = [found["size"] for found in fs.find(path, detail=True).values()]
    return (len(sizes), sum(sizes)) == (batch.lines, batch.bytes)


def _manifest(batch: Batch, access: Access) -> Any:
    """Return the files and ids of a batch's lines."""
    with must_exist(batch.manifest_uri):
        content = access.path(batch.manifest_uri).read_bytes()
    try:
        lines = number_of_lines(pq.ParquetFile(pa.BufferReader(content)))
        manifest: Any = pq.read_table(pa.BufferReader(content), columns=["file", "document_id"])
        return manifest.slice(0, lines).cast(_SENT)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ManifestError(f"{batch.manifest_uri}: not a manifest") from error


def _texts(batch: Batch, names: Column, access: Access, *, per_file: bool) -> Iterator[Column]:
    if not per_file:
        file = SourceFile(batch.input_uri, batch.name)
        with open_file(file, access) as stream:
            for block in read_lines([(file, stream)]):
                yield pc.utf8_rtrim(block.texts.cast(pa.string()), "\n")
        return
    for start in range(0, len(names), _FILES_TOGETHER):
        # Named by number: a file whose name ends in .gz would be read as compressed.
        files = [
            SourceFile(batch.input_uri + name, str(number))
            for number, name in enumerate(names.slice(start, _FILES_TOGETHER).to_pylist())
        ]
        with closing(open_files(files, access, limit=MAX_FILE_BYTES)) as opened:
            for block in read_files(opened, labelled=False):
                yield block.texts.cast(pa.string())
