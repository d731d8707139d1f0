"""Numbers about labelled documents, between reading and deciding, on local disk.

What is decided (side, doubles, conflicts) needs all documents at once, but not their texts: these are in
the draft of the files by then. The numbers, some 40 bytes a document, are gone through in stretches, so
that memory does not grow with the documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from nightsort.arrow.columns import Column, from_numpy, split_by_size, to_numpy
from nightsort.arrow.hashing import Hashes, hash_texts
from nightsort.training.row_labels import LabelNumbers, RowLabels, hash_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from nightsort.training.row_labels import Numbers
    from nightsort.training.training_files import Drafts

_NUMBERS, _IDS = "numbers.arrows", "ids.arrows"
_ID_COLUMNS: Final = ["document_id", "file", "row"]
_NUMBER_COLUMNS: Final = ["first", "second", "characters", "size", "labels"]
_STRETCH: Final = 65_536


@dataclass(frozen=True)
class Stretch:
    """Numbers about some documents that follow one another.

    :param places: which documents they are among all.
    :param first: a hash of each text.
    :param second: another one; both together stand for the text.
    :param characters: the length of each text.
    :param size: the size of each row in the draft, in bytes.
    :param labels: the labels of each.
    """

    places: slice
    first: Hashes
    second: Hashes
    characters: Numbers
    size: Numbers
    labels: RowLabels

    def parts(self, most: int) -> Iterator[Stretch]:
        """Yield it in parts that take at most so many bytes in the draft, or are one document."""
        yield from map(self._part, split_by_size(self.size, most))

    def _part(self, rows: slice) -> Stretch:
        return Stretch(
            slice(self.places.start + rows.start, self.places.start + rows.stop),
            self.first[rows],
            self.second[rows],
            self.characters[rows],
            self.size[rows],
            self.labels.part(rows),
        )


@dataclass(frozen=True)
class LabelledDocuments:
    """All labelled documents of a source, in its order; can be gone through again and again.

    :param folder: where the numbers lie, and the ids if they were kept.
    :param count: how many documents there are.
    :param names: the labels by their numbers.
    """

    folder: Path
    count: int
    names: list[str]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Stretch]:
        for places, batch in _read(self.folder / _NUMBERS):
            first, second, characters, size = map(to_numpy, batch.columns[:4])
            yield Stretch(places, first, second, characters, size, RowLabels.of_column(batch.column(4)))

    @cached_property
    def name_column(self) -> Column:
        """The labels by their numbers, as a column."""
        return pa.array(self.names, pa.string())

    @cached_property
    def label_hashes(self) -> Hashes:
        """A hash of each label's name."""
        return hash_labels(self.names)

    def ids(self) -> Iterator[tuple[slice, pa.RecordBatch]]:
        """Yield ids, files and rows of the documents, with their places among all."""
        return _read(self.folder / _IDS)


def spool(
    batches: Iterable[pa.RecordBatch],
    folder: Path,
    drafts: Drafts,
    *,
    most: int,
    with_ids: bool,
    stretch: int = _STRETCH,
) -> LabelledDocuments | None:
    """Write documents to the draft, and to local disk what the decisions need.

    :param batches: of :data:`nightsort.sources.documents.LABELLED_SCHEMA`.
    :param folder: a local folder.
    :param most: stop reading behind this many documents.
    :param with_ids: keep the ids too.
    :param stretch: so many documents are gone through at a time later on.
    :returns: the documents, or ``None`` if there are more than ``most``.
    """
    labels = LabelNumbers()
    count = 0
    with _Writer(folder / _NUMBERS, stretch, None) as numbers, _Writer(folder / _IDS, stretch, "lz4") as ids:
        for batch in batches:
            count += len(batch)
            if count > most:
                return None
            texts: Column = batch.column("text")
            first, second = hash_texts(texts)
            row_labels, cells = labels.read(batch.column("labels"), drafts.delimiter)
            size = drafts.add(cells, texts)
            columns = [from_numpy(first), from_numpy(second), pc.utf8_length(texts), from_numpy(size)]
            numbers.add(pa.RecordBatch.from_arrays([*columns, row_labels.column()], _NUMBER_COLUMNS))
            if with_ids:
                ids.add(batch.select(_ID_COLUMNS))
    # What reading took is not needed again; without this it would stay beside what deciding takes.
    pa.default_memory_pool().release_unused()
    return LabelledDocuments(folder, count, labels.names)


class _Writer:
    """Writes batches as an Arrow stream, joined to batches that are worth a few steps of Python each."""

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
