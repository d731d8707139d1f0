"""Labelled documents between reading and writing: the texts on local disk, what is decided about them in
memory.

What is decided (side, doubles, conflicts) needs all documents at once, but only 24 bytes of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from include.nightsort.columnar.ahead import ahead
from include.nightsort.columnar.columns import Column, to_numpy
from include.nightsort.columnar.hashing import Hashes, hash_texts
from include.nightsort.sources.labels import SEPARATOR
from include.nightsort.training.splits import Labelling

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path

    from include.nightsort.training.splits import Flags


@dataclass(frozen=True)
class LabelledDocuments:
    """All labelled documents of a source.

    :param path: their ids, texts, files and rows, as an Arrow stream.
    :param first: a hash of each text.
    :param second: another one; both together stand for the text.
    :param characters: the length of each text.
    :param sets: the different sets of labels, each sorted.
    :param labels: all labels, sorted.
    :param labelling: which labels each document has, by their places in ``labels``.
    """

    path: Path
    first: Hashes
    second: Hashes
    characters: npt.NDArray[np.int32]
    sets: list[tuple[str, ...]]
    labels: list[str]
    labelling: Labelling

    def __len__(self) -> int:
        return len(self.first)

    def batches(self) -> Iterator[tuple[slice, pa.RecordBatch]]:
        """Yield the documents again, with their places among all documents."""
        return ahead(self._batches())

    def _batches(self) -> Generator[tuple[slice, pa.RecordBatch], None, None]:
        start = 0
        with pa.OSFile(str(self.path), "rb") as file, pa.ipc.open_stream(file) as reader:
            for batch in reader:
                yield slice(start, start + len(batch)), batch
                start += len(batch)


def spool(batches: Iterable[pa.RecordBatch], path: Path, *, most: int) -> LabelledDocuments | None:
    """Write documents to local disk and keep what the decisions need.

    :param batches: of :data:`include.nightsort.documents.LABELLED_SCHEMA`.
    :param path: the local file.
    :param most: stop reading behind this many documents.
    :returns: the documents, or ``None`` if there are more than ``most``.
    """
    columns = _Columns()
    count = 0
    sink: pa.RecordBatchStreamWriter | None = None
    with pa.OSFile(str(path), "wb") as file:
        for batch in batches:
            columns.add(batch)
            kept = batch.select(["document_id", "text", "file", "row"])
            if sink is None:
                sink = pa.ipc.new_stream(file, kept.schema)
            sink.write_batch(kept)
            count += len(batch)
            if count > most:
                return None
        if sink is None:
            sink = pa.ipc.new_stream(file, pa.schema([]))
        sink.close()
    return columns.finish(path)


class _Columns:
    def __init__(self) -> None:
        self._first: list[Hashes] = []
        self._second: list[Hashes] = []
        self._characters: list[npt.NDArray[np.int32]] = []
        self._set_of_document: list[npt.NDArray[np.intp]] = []
        self._number_of_cell: dict[str, int] = {}
        self._number_of_set: dict[tuple[str, ...], int] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        texts: Column = batch.column("text")
        labels: Column = batch.column("labels")
        first, second = hash_texts(texts)
        self._first.append(first)
        self._second.append(second)
        self._characters.append(to_numpy(pc.utf8_length(texts)))
        joined: Column = pc.binary_join(labels, SEPARATOR)
        cells = joined.dictionary_encode()
        numbers = np.array([self._number(cell) for cell in cells.dictionary.to_pylist()], dtype=np.intp)
        self._set_of_document.append(numbers[to_numpy(cells.indices)])

    def _number(self, cell: str) -> int:
        number = self._number_of_cell.get(cell)
        if number is None:
            labels = tuple(sorted(cell.split(SEPARATOR)))
            number = self._number_of_set.setdefault(labels, len(self._number_of_set))
            self._number_of_cell[cell] = number
        return number

    def finish(self, path: Path) -> LabelledDocuments:
        sets = list(self._number_of_set)
        labels = sorted({label for labels in sets for label in labels})
        place = {label: number for number, label in enumerate(labels)}
        return LabelledDocuments(
            path=path,
            first=_joined(self._first, np.uint64),
            second=_joined(self._second, np.uint64),
            characters=_joined(self._characters, np.int32),
            sets=sets,
            labels=labels,
            labelling=Labelling.of(
                _joined(self._set_of_document, np.intp),
                [[place[name] for name in names] for names in sets],
                len(labels),
            ),
        )


def _joined(parts: list[Any], kind: type) -> Any:
    return np.concatenate(parts) if parts else np.empty(0, dtype=kind)


@dataclass(frozen=True)
class Doubles:
    """Documents whose text stands more than once.

    :param again: the same text with the same labels as an earlier document.
    :param differing: the same text as another document, with other labels; all of them.
    """

    again: Flags
    differing: Flags

    @classmethod
    def of(cls, documents: LabelledDocuments) -> Doubles:
        """Find them by their hashes, sorting only what shares a hash with another document."""
        again, differing = np.zeros(len(documents), dtype=bool), np.zeros(len(documents), dtype=bool)
        if len(documents) < 2:
            return cls(again, differing)
        order = np.argsort(documents.first, kind="stable")
        equal = documents.first[order][1:] == documents.first[order][:-1]
        shared = order[np.append(equal, False) | np.insert(equal, 0, False)]
        if not len(shared):
            return cls(again, differing)
        sets = documents.labelling.set_of_document
        keys = (shared, sets[shared], documents.second[shared], documents.first[shared])
        shared = shared[np.lexsort(keys)]
        first, second, labels = documents.first[shared], documents.second[shared], sets[shared]
        same_text = (first[1:] == first[:-1]) & (second[1:] == second[:-1])
        same_labels = labels[1:] == labels[:-1]
        again[shared[1:][same_text & same_labels]] = True
        group = np.insert(np.cumsum(~same_text), 0, 0)
        mixed = np.zeros(group[-1] + 1, dtype=bool)
        mixed[group[1:][same_text & ~same_labels]] = True
        differing[shared[mixed[group]]] = True
        return cls(again, differing)
