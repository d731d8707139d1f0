"""Find the documents of a run that is prepared again in the batches whose jobs were started before.

What was started is paid for, so such a batch is kept, whatever became of its documents: its name stays, its
job is found again, and its manifest says which documents have its lines now. A document is found by its id
and text, otherwise by its text alone. Only texts that are in no such batch are sent. A batch whose job was
never started is cut anew.

Memory does not grow with the documents: the hashes of all lines are on local disk. A batch of this release
has them in its manifest; the input of an older one is read.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from nightsort.arrow.columns import from_numpy
from nightsort.arrow.hashing import as_hashes, hash_texts, mix
from nightsort.batches.manifest import ManifestError
from nightsort.batches.manifest_files import Written, stored_rows, write_manifest
from nightsort.batches.stored import same_size
from nightsort.sources.source_files import SourceError
from nightsort.storage import upload_whole

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    import numpy.typing as npt

    from nightsort.arrow.columns import Column
    from nightsort.arrow.hash_numbers import HashNumbers
    from nightsort.arrow.hashing import Hashes, Numbers
    from nightsort.batches.plan import Batch, RunPlan
    from nightsort.batches.repeats import Repeats
    from nightsort.storage import Access

log = logging.getLogger(__name__)


class SentBatch(NamedTuple):
    """A batch that is kept.

    :param batch: as the plan has it.
    :param begin: number of its first line in the run.
    :param found: which lines have the document that they had, as bits.
    """

    batch: Batch
    begin: int
    found: npt.NDArray[np.uint8]


class EarlierBatches:
    """The batches of a run's last preparation whose jobs were started.

    :attr:`taken` are their numbers, :attr:`begins` the numbers of their first lines in the run, and
    :attr:`lines` that of the first line behind them.

    :param plan: of the run's last preparation.
    :param access: storage.
    :param numbers: gets the hashes of all lines, each with the number of the line.
    :param started: names of the batches whose jobs were started.
    """

    def __init__(self, plan: RunPlan, access: Access, numbers: HashNumbers, started: Collection[str]) -> None:
        self._access = access
        self._per_file = plan.input_format == "ONE_DOC_PER_FILE"
        self._numbers = numbers
        self.sent: list[SentBatch] = []
        for batch in plan.batches:
            if batch.name not in started:
                continue
            begin = numbers.next
            if self._take(batch, begin):
                numbers.next = begin + batch.lines
                self.sent.append(SentBatch(batch, begin, np.packbits(np.zeros(batch.lines, np.bool_))))
        self.lines = numbers.next
        self.taken = {sent.batch.number for sent in self.sent}
        self.begins = [sent.begin for sent in self.sent]
        # Return Arrow's cached memory now; otherwise it adds to the peak while new documents are read.
        pa.default_memory_pool().release_unused()

    def find(self, ids: Column, first: Hashes, second: Hashes) -> Numbers:
        """Return the line that each document had before, -1 for documents that had none.

        :param ids: their ids.
        :param first: the hashes of their texts.
        :param second: their second halves.
        """
        if not self.sent:
            return np.full(len(ids), -1, np.int64)
        lines = self._numbers.find(*_keys(ids, first, second))
        found = lines[lines >= 0]
        of_batch = np.searchsorted(self.begins, found, side="right") - 1
        for number in np.unique(of_batch).tolist():
            sent = self.sent[number]
            bits = np.unpackbits(sent.found, count=sent.batch.lines)
            bits[found[of_batch == number] - sent.begin] = 1
            sent.found[:] = np.packbits(bits)
        return lines

    def find_texts(self, first: Hashes, second: Hashes) -> Numbers:
        """Return the line that has each text, -1 for texts that are in none of these batches.

        :param first: the hashes of the texts.
        :param second: their second halves.
        """
        if not self.sent:
            return np.full(len(first), -1, np.int64)
        lines = self._numbers.find(first, second)
        return np.where(lines < self.lines, lines, -1)

    def write_manifests(self, repeats: Repeats, scratch: Path) -> tuple[list[Batch], Written]:
        """Write whose the lines of the batches are now.

        :param repeats: the documents whose texts are on lines, sorted by the batches that are kept first.
        :param scratch: a local folder.
        :returns: the batches with the documents that they have now, and what all of them hold.
        """
        kept, every = [], Written()
        for place, sent in enumerate(self.sent):
            local = scratch / "kept.parquet"
            written = write_manifest(
                local,
                self._rows(sent.batch),
                partial(repeats.of, place),
                lines=sent.batch.lines,
                per_file=self._per_file,
                found=np.unpackbits(sent.found, count=sent.batch.lines).astype(np.bool_),
            )
            upload_whole(local, sent.batch.manifest_uri, self._access)
            every.add(written)
            kept.append(replace(sent.batch, documents=written.documents))
        return kept, every

    def _take(self, batch: Batch, begin: int) -> bool:
        """Take the hashes of a batch's lines; return whether its objects are there and are its own."""
        try:
            whole = same_size(batch, self._access, per_file=self._per_file)
            whole = whole and sum(map(len, self._rows(batch))) == batch.lines
        except (FileNotFoundError, ManifestError, SourceError):
            whole = False
        if not whole:
            log.warning(
                "The objects of batch %s are missing or changed; its documents are sent again", batch.name
            )
            return False
        # Only now, when all of it could be read: a number cannot be taken back.
        line = begin
        for rows in self._rows(batch):
            self._number(rows["document_id"], rows["text_hash"], line)
            line += len(rows)
        return True

    def _rows(self, batch: Batch) -> Iterator[Any]:
        return stored_rows(batch, self._access, per_file=self._per_file)

    def _number(self, ids: Column, digests: Column, begin: int) -> None:
        there = np.flatnonzero(digests.is_valid().to_numpy(zero_copy_only=False))
        ids, digests = ids.take(from_numpy(there)), digests.take(from_numpy(there))
        first, second = as_hashes(digests)
        taken = np.flatnonzero(ids.is_valid().to_numpy(zero_copy_only=False))
        keys = _keys(ids.take(from_numpy(taken)), first[taken], second[taken])
        self._numbers.number(*keys, begin + there[taken])
        self._numbers.number(first, second, begin + there)


def _keys(ids: Column, first: Hashes, second: Hashes) -> tuple[Hashes, Hashes]:
    """Return a 128-bit hash of each id with its text."""
    id_first, id_second = hash_texts(ids)
    return id_first ^ mix(first), id_second ^ mix(second)
