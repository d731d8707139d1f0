"""Decide which documents of a night are sent, and whose result is known or will be another one's.

A document keeps its line in a batch that was started. Otherwise it is, in this order: one more with the text
of such a line; one whose text an earlier run has classified; one with the text of another new line; a new
line. So a day that is prepared again comes to the same, whatever was classified meanwhile.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from nightsort.arrow.columns import from_numpy
from nightsort.arrow.hash_numbers import is_new
from nightsort.arrow.hashing import as_column, hash_texts
from nightsort.batches.local_batch import Lines
from nightsort.batches.repeats import Repeat
from nightsort.comprehend.prices import document_units

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import numpy.typing as npt

    from nightsort.arrow.hash_numbers import HashNumbers
    from nightsort.arrow.hashing import Hashes, Numbers
    from nightsort.batches.earlier import EarlierBatches
    from nightsort.batches.repeats import Repeats
    from nightsort.reuse.lookup import Reused

BLOCK_DOCUMENTS: Final = 2**16
BLOCK_BYTES: Final = 2**22
"""Texts are looked up in blocks that end at the first of these two limits: a look-up on disk takes the less
time for each, the more there are."""


class NewLines:
    """Yields the texts that are sent, and keeps the documents whose texts are on other lines.

    :param earlier: the batches that are kept.
    :param numbers: the hashes of the texts that have a line.
    :param repeats: gets the documents that have the texts of lines.
    :param reused: gets the documents that earlier runs have classified.
    :param same_night: whether equal texts of the night are sent once.
    """

    def __init__(
        self,
        earlier: EarlierBatches,
        numbers: HashNumbers,
        repeats: Repeats,
        reused: Reused,
        *,
        same_night: bool,
    ) -> None:
        self._earlier = earlier
        self._numbers = numbers
        self._repeats = repeats
        self._reused = reused
        self._same_night = same_night

    def of(self, documents: Iterator[pa.RecordBatch]) -> Generator[Lines, None, None]:
        """Yield the texts that are sent.

        :param documents: all documents of the source.
        :raises OSError: no space left on local disk.
        """
        while block := _block(documents):
            hashes = [hash_texts(records["text"]) for records in block]
            first, second = (np.concatenate(halves) for halves in zip(*hashes, strict=True))
            ids: Any = pa.concat_arrays([records["document_id"] for records in block])
            lines, new, known = self._lines(ids, first, second)
            start = 0
            while block:
                # Each leaves memory when its lines are written, and does not wait for the others.
                records = block.pop(0)
                end = start + len(records)
                other = np.flatnonzero((lines[start:end] >= 0) & ~new[start:end])
                if len(other):
                    some = records.take(from_numpy(other))
                    units = document_units(some["text"])
                    self._repeats.add(Repeat(lines[start:end][other], units, some["document_id"]))
                found = start + np.flatnonzero(known[start:end] >= 0)
                if len(found):
                    some = records.take(from_numpy(found - start))
                    units = document_units(some["text"])
                    self._reused.add(some["document_id"], first[found], second[found], known[found], units)
                here = new[start:end]
                if here.any():
                    digests = as_column(first[start:end], second[start:end])
                    every = Lines(records["document_id"], records["text"], digests)
                    yield every if here.all() else Lines(*(column.filter(pa.array(here)) for column in every))
                start = end

    def _lines(
        self, ids: Any, first: Hashes, second: Hashes
    ) -> tuple[Numbers, npt.NDArray[np.bool_], Numbers]:
        """Return what becomes of each document.

        :returns: its line, -1 for one that still has its own or is reused; whether the line is new; where its
            result is, -1 for one that is not reused.
        """
        own = self._earlier.find(ids, first, second)
        new = np.zeros(len(own), np.bool_)
        lines, known = np.full((2, len(own)), -1, np.int64)
        left = np.flatnonzero(own < 0)
        lines[left] = self._earlier.find_texts(first[left], second[left])
        left = left[lines[left] < 0]
        known[left] = self._reused.find(first[left], second[left])
        left = left[known[left] < 0]
        first, second = first[left], second[left]
        before = self._numbers.next
        if self._same_night:
            lines[left] = self._numbers.number(first, second)
            new[left] = is_new(lines[left], before)
        else:
            # No text of a line that was started is left, and those of new lines are not noted.
            new[left] = True
            lines[left] = before + np.arange(len(left))
            self._numbers.next = before + len(left)
        return lines, new, known


def _block(documents: Iterator[pa.RecordBatch]) -> list[Any]:
    """Take the next documents."""
    block: list[Any] = []
    number = size = 0
    for records in islice(documents, BLOCK_DOCUMENTS):
        block.append(records)
        number += len(records)
        size += records.nbytes
        if number >= BLOCK_DOCUMENTS or size >= BLOCK_BYTES:
            break
    return block
