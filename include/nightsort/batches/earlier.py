"""Keep the batches of an earlier preparation of the same run whose documents are all still in the source.

A day is prepared again when documents arrive late. A batch whose documents are all still there, each with the
same id and the same text, keeps its name, so that its job is found again and not paid for again. Only new and
changed documents go into further batches. The place and the order of documents in the source do not matter. A
batch that has lost a document is given up, since its job is about all of its documents; its other documents
are put into new batches.

Memory does not grow with the documents: the keys of the documents sent are on local disk, sorted within each
batch. So are the arriving documents, a block at a time, until it is known which of them are new. Without an
earlier preparation nothing is kept and nothing is written.
"""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nightsort.arrow.hashing import StoredRun, hash_texts, mix
from nightsort.batches.manifest import ManifestError
from nightsort.batches.stored import read_batch
from nightsort.sources.source_files import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt
    from typing_extensions import Self

    from nightsort.arrow.columns import Column
    from nightsort.arrow.hashing import Hashes
    from nightsort.batches.plan import Batch, RunPlan
    from nightsort.batches.stored import IdsAndTexts
    from nightsort.storage import Access

    Chosen = npt.NDArray[np.bool_]

log = logging.getLogger(__name__)

BLOCK_DOCUMENTS: Final = 2**18
BLOCK_BYTES: Final = 2**28
"""A block of arriving documents ends at the first of these two limits."""

_ARRIVING: Final = pa.schema({"document_id": pa.string(), "text": pa.string()})


class EarlierBatches:
    """The batches of a run's last preparation; use it in a ``with``.

    :attr:`next_number` is the number of the first batch to be added.

    :param plan: of the run's last preparation.
    :param access: storage.
    :param scratch: a local folder.
    """

    def __init__(self, plan: RunPlan, access: Access, scratch: Path) -> None:
        self._access = access
        self._per_file = plan.input_format == "ONE_DOC_PER_FILE"
        self._scratch = scratch
        self._keys_file = (scratch / "sent.keys").open("w+b")
        self._sent: list[_SentBatch] = []
        self.next_number = 0
        for batch in plan.batches:
            keys = self._keys_of(batch)
            if keys is None:
                continue
            self.next_number = max(self.next_number, batch.number + 1)
            # Of a batch whose documents are all forgotten there is nothing to keep.
            if left := keys.shape[1]:
                now = replace(batch, documents=left, forgotten=batch.lines - left)
                self._sent.append(_SentBatch(now, keys, self._keys_file))
        # Return Arrow's cached memory now; otherwise it adds to the peak while new documents are read.
        pa.default_memory_pool().release_unused()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._keys_file.close()

    def new_documents(self, documents: Iterator[pa.RecordBatch]) -> Iterator[IdsAndTexts]:
        """Yield the documents that are in no batch that can be kept; at the end :attr:`kept` is known.

        :param documents: all documents of the source.
        :returns: columns of ids and of texts.
        :raises OSError: no space left on local disk.
        """
        if not self._sent:
            for records in documents:
                yield records["document_id"], records["text"]
            return
        while (block := _Block(documents, self._scratch / "arriving.arrows")).keys.size:
            known = self._find(block.keys)
            yield from _chosen(block.documents(), ~known)
        for sent in self._sent:
            if sent.number_found and not sent.complete:
                log.info("Batch %s has lost documents; its other documents are sent again", sent.batch.name)
                stored = read_batch(sent.batch, self._access, per_file=self._per_file)
                yield from _chosen(map(_not_forgotten, stored), sent.found)

    @property
    def kept(self) -> list[Batch]:
        """The batches whose documents were all found."""
        return [sent.batch for sent in self._sent if sent.complete]

    def _find(self, keys: Hashes) -> Chosen:
        """Return which documents were sent before, and mark them in their batches."""
        order = np.argsort(keys[0])
        known = np.zeros(len(order), np.bool_)
        unknown = order
        for sent in self._sent:
            if not sent.complete:
                found = sent.find(keys[:, unknown])
                known[unknown[found]] = True
                unknown = unknown[~found]
            if not len(unknown):
                break
        return known

    def _keys_of(self, batch: Batch) -> Hashes | None:
        """Return the keys of a batch's documents; ``None`` if its objects are missing or changed.

        Forgotten documents have none, so no document of the source is found to be one of them.
        """
        keys = np.empty((2, batch.lines), np.uint64)
        number = size = left = 0
        try:
            for ids, texts in read_batch(batch, self._access, per_file=self._per_file):
                here = _keys(*_not_forgotten((ids, texts)))
                keys[:, left : left + here.shape[1]] = here
                left += here.shape[1]
                number += len(texts)
                size += pc.sum(pc.binary_length(texts)).as_py() + (0 if self._per_file else len(texts))
        except (FileNotFoundError, ManifestError, SourceError, pa.ArrowInvalid):
            size = -1
        if (number, size) != (batch.lines, batch.bytes):
            log.warning(
                "The objects of batch %s are missing or changed; its documents are sent again", batch.name
            )
            return None
        return keys[:, :left]


class _SentBatch:
    """A batch that was sent: its documents' keys in a file, and which of them were found, as bits.

    :param file: with the keys of all batches, and their indices in the batch.
    """

    def __init__(self, batch: Batch, keys: Hashes, file: IO[bytes]) -> None:
        self.batch = batch
        self.number_found = 0
        self._found = np.packbits(np.zeros(batch.documents, np.bool_))
        order = np.argsort(keys[0])
        self._keys = StoredRun(file, keys[0][order], keys[1][order])
        self._file = file
        self._indices_at = file.tell()
        file.write(order.astype(np.uint32).data)
        file.flush()

    @property
    def complete(self) -> bool:
        """Whether all its documents were found."""
        return self.number_found == self.batch.documents

    @property
    def found(self) -> Chosen:
        """Which documents were found, in the batch's order."""
        return np.unpackbits(self._found, count=self.batch.documents).astype(np.bool_)

    def find(self, keys: Hashes) -> Chosen:
        """Return which documents are in this batch, and mark them as found."""
        at = self._keys.find(keys[0], keys[1])
        held = at >= 0
        if held.any():
            content = os.pread(self._file.fileno(), 4 * self.batch.documents, self._indices_at)
            found = self.found
            found[np.frombuffer(content, np.uint32)[at[held]]] = True
            self.number_found = int(np.count_nonzero(found))
            self._found = np.packbits(found)
        return held


class _Block:
    """The next documents of the source on local disk, and their keys.

    :param documents: the documents of one block are taken from it.
    :param path: the file, which is overwritten.
    """

    def __init__(self, documents: Iterator[pa.RecordBatch], path: Path) -> None:
        self._path = str(path)
        keys = [np.empty((2, 0), np.uint64)]
        number = size = 0
        with pa.OSFile(self._path, "wb") as file, pa.ipc.new_stream(file, _ARRIVING) as stream:
            for records in documents:
                stream.write_batch(records.select(_ARRIVING.names))
                keys.append(_keys(records["document_id"], records["text"]))
                number += len(records)
                size += records.nbytes
                if number >= BLOCK_DOCUMENTS or size >= BLOCK_BYTES:
                    break
        self.keys = np.concatenate(keys, axis=1)

    def documents(self) -> Iterator[IdsAndTexts]:
        """Yield the ids and texts."""
        with pa.OSFile(self._path, "rb") as file, pa.ipc.open_stream(file) as stream:
            for records in stream:
                yield records["document_id"], records["text"]


def _chosen(documents: Iterator[IdsAndTexts], chosen: Chosen) -> Iterator[IdsAndTexts]:
    start = 0
    for ids, texts in documents:
        here = chosen[start : start + len(ids)]
        if here.any():
            mask = pa.array(here)
            yield ids.filter(mask), texts.filter(mask)
        start += len(ids)


def _not_forgotten(documents: IdsAndTexts) -> IdsAndTexts:
    ids, texts = documents
    if not ids.null_count:
        return documents
    there = ids.is_valid()
    return ids.filter(there), texts.filter(there)


def _keys(ids: Column, texts: Column) -> Hashes:
    """Return a 128-bit hash of each id with its text, in two rows."""
    (id_first, id_second), (text_first, text_second) = hash_texts(ids), hash_texts(texts)
    return np.stack((id_first ^ mix(text_first), id_second ^ mix(text_second)))
