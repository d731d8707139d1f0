"""Keep hashes, lengths and labels of the labelled documents on local disk, until the split is known.

Assigning the split needs all documents at once, but not their texts, which are in the training file by then.
The numbers, some 40 bytes a document, are read in blocks, so that memory does not grow with the documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from nightsort.arrow.columns import Column, from_numpy, split_by_size, to_numpy
from nightsort.arrow.hashing import Hashes, hash_texts
from nightsort.training.document_labels import DocumentLabels, LabelEncoder, hash_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from nightsort.training.document_labels import Numbers

_NUMBERS, _IDS = "numbers.arrows", "ids.arrows"
_ID_COLUMNS: Final = ["document_id", "file", "row"]
_NUMBER_COLUMNS: Final = ["first", "second", "characters", "size", "labels"]
_BLOCK_DOCUMENTS: Final = 65_536


@dataclass(frozen=True)
class DocumentBlock:
    """Numbers about consecutive documents.

    :param indices: their indices among all documents.
    :param first: 64 bits of a hash of each text.
    :param second: the other 64 bits; two texts with the same 128 bits count as the same.
    :param characters: the length of each text.
    :param size: the size of each row of the training file, in bytes.
    :param labels: the labels of each.
    """

    indices: slice
    first: Hashes
    second: Hashes
    characters: Numbers
    size: Numbers
    labels: DocumentLabels

    def parts(self, max_bytes: int) -> Iterator[DocumentBlock]:
        """Yield the block in parts.

        :param max_bytes: the rows of a part have at most this size, unless it is one document.
        :returns: the parts in their order.
        """
        yield from map(self._part, split_by_size(self.size, max_bytes))

    def _part(self, rows: slice) -> DocumentBlock:
        return DocumentBlock(
            slice(self.indices.start + rows.start, self.indices.start + rows.stop),
            self.first[rows],
            self.second[rows],
            self.characters[rows],
            self.size[rows],
            self.labels.part(rows),
        )


@dataclass(frozen=True)
class LabelledDocuments:
    """All labelled documents of a source, in its order; they can be iterated several times.

    :param folder: with the files of numbers and of ids.
    :param count: how many documents there are.
    :param names: the labels by their numbers.
    """

    folder: Path
    count: int
    names: list[str]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[DocumentBlock]:
        for indices, batch in _read(self.folder / _NUMBERS):
            first, second, characters, size = map(to_numpy, batch.columns[:4])
            yield DocumentBlock(
                indices, first, second, characters, size, DocumentLabels.from_column(batch.column(4))
            )

    @cached_property
    def name_column(self) -> Column:
        """The labels as a column, by their numbers."""
        return pa.array(self.names, pa.string())

    @cached_property
    def label_hashes(self) -> Hashes:
        """A hash of each label's name."""
        return hash_labels(self.names)

    def ids(self) -> Iterator[tuple[slice, pa.RecordBatch]]:
        """Yield ids, files and rows of the documents, with their indices among all documents."""
        return _read(self.folder / _IDS)


def store_documents(
    batches: Iterable[pa.RecordBatch],
    folder: Path,
    *,
    write_rows: Callable[[Column, Column], Numbers],
    delimiter: str | None,
    limit: int,
    block_documents: int = _BLOCK_DOCUMENTS,
) -> LabelledDocuments | None:
    """Write the rows of documents, and keep on local disk the numbers that the split needs.

    :param batches: of :data:`nightsort.sources.documents.LABELLED_SCHEMA`.
    :param folder: a local folder.
    :param write_rows: called with the labels of documents, each as one text, and their texts; returns the
        size of each row in bytes.
    :param delimiter: joins the labels of a document; ``None`` where each has one.
    :param limit: stop reading after this many documents.
    :param block_documents: about how many documents are in a block.
    :returns: the documents, or ``None`` if there are more than `limit`.
    """
    labels = LabelEncoder()
    count = 0
    with (
        _Writer(folder / _NUMBERS, block_documents, None) as numbers,
        _Writer(folder / _IDS, block_documents, "lz4") as ids,
    ):
        for batch in batches:
            count += len(batch)
            if count > limit:
                return None
            texts: Column = batch.column("text")
            first, second = hash_texts(texts)
            document_labels, cells = labels.encode(batch.column("labels"), delimiter)
            size = write_rows(cells, texts)
            columns = [from_numpy(first), from_numpy(second), pc.utf8_length(texts), from_numpy(size)]
            numbers.add(pa.RecordBatch.from_arrays([*columns, document_labels.column()], _NUMBER_COLUMNS))
            ids.add(batch.select(_ID_COLUMNS))
    # Return Arrow's cached memory now; otherwise it adds to the peak while the split is assigned.
    pa.default_memory_pool().release_unused()
    return LabelledDocuments(folder, count, labels.names)


class _Writer:
    """Writes batches as an Arrow stream, joined to larger ones, so that few are read later."""

    def __init__(self, path: Path, rows: int, compression: Literal["lz4"] | None) -> None:
        self._rows = rows
        self._file = pa.OSFile(str(path), "wb")
        self._options = pa.ipc.IpcWriteOptions(compression=compression)
        self._sink: pa.RecordBatchStreamWriter | None = None
        self._waiting: list[pa.RecordBatch] = []

    def add(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        if sum(map(len, self._waiting)) >= self._rows:
            self._write()

    def _write(self) -> None:
        if not self._waiting:
            return
        table = pa.Table.from_batches(self._waiting).combine_chunks()
        self._waiting.clear()
        if self._sink is None:
            self._sink = pa.ipc.new_stream(self._file, table.schema, options=self._options)
        self._sink.write_table(table)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._write()
        if self._sink is not None:
            self._sink.close()
        self._file.close()


def _read(path: Path) -> Iterator[tuple[slice, pa.RecordBatch]]:
    if not path.stat().st_size:
        return
    start = 0
    with pa.OSFile(str(path), "rb") as file, pa.ipc.open_stream(file) as reader:
        for batch in reader:
            yield slice(start, start + len(batch)), batch
            start += len(batch)
