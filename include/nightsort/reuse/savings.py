"""What it saves to pay for a text once: the documents of past nights, as they would have been sent.

The documents are on local disk, in regions by the hashes of their texts; one region at a time is looked at,
so memory does not grow with them.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from nightsort.comprehend.prices import classification_cost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from typing_extensions import Self

    from nightsort.arrow.hashing import Hashes

    Integers = npt.NDArray[np.integer[Any]]

_REGION_BITS: Final = 6
"""A region of 30 million documents has 500,000, which take 12 MB."""

_RECORD: Final = np.dtype([("first", "<u8"), ("second", "<u8"), ("night", "<u4"), ("units", "<u4")])
_LONG_AGO: Final = -(10**6)


@dataclass(frozen=True)
class Saving:
    """What would not have been sent.

    :param days: of ``reuse.days``; ``None``: only equal texts of one night are sent once.
    :param documents: that would not have been sent.
    :param units: their billed units.
    :param usd: their price.
    """

    days: int | None
    documents: int
    units: int
    usd: float

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values."""
        return asdict(self)


class PastNights:
    """The documents of past nights; use it in a ``with``.

    :param scratch: a local folder.
    """

    def __init__(self, scratch: Path) -> None:
        self._files = [
            tempfile.TemporaryFile(prefix="nights-", dir=scratch)  # noqa: SIM115 (closed by the owner)
            for _ in range(2**_REGION_BITS)
        ]
        self._nights: list[tuple[int, str | None]] = []
        self.documents = self.units = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()

    def begin(self, day: date, version: str | None) -> None:
        """Begin a night; nights come in the order of their days.

        :param day: its day.
        :param version: the version that classified it, whose results no other version uses.
        """
        self._nights.append((day.toordinal(), version))

    def add(self, first: Hashes, second: Hashes, units: Integers) -> None:
        """Add documents of the night that was begun last.

        :param first: hashes of their texts, as ``second``; shape ``(n,)``.
        :param second: see above.
        :param units: billed units of each.
        """
        records = np.empty(len(first), _RECORD)
        records["first"], records["second"], records["units"] = first, second, units
        records["night"] = len(self._nights) - 1
        records = records[np.argsort(first)]
        for region, rows in _by_leading_bits(records["first"], _REGION_BITS):
            self._files[region].write(records[rows].tobytes())
        self.documents += len(first)
        self.units += int(units.sum())

    def savings(self, days: Sequence[int]) -> list[Saving]:
        """Return what equal texts within each night would have saved, and what each number of days would.

        :param days: values of ``reuse.days``.
        :returns: the saving of each; the one within a night comes first.
        """
        documents, units = np.zeros((2, len(days) + 1), np.int64)
        for file in self._files:
            file.seek(0)
            records = np.frombuffer(file.read(), _RECORD)
            for number, within in enumerate((None, *days)):
                sent = records[self._sent(records, within)]
                documents[number] += len(records) - len(sent)
                units[number] += int(records["units"].sum()) - int(sent["units"].sum())
        return [
            Saving(
                within, int(documents[number]), int(units[number]), classification_cost(int(units[number]))
            )
            for number, within in enumerate((None, *days))
        ]

    def _sent(self, records: npt.NDArray[Any], days: int | None) -> Integers:
        """Return the indices of the documents that would have been sent, of those in one region."""
        order = np.lexsort((records["night"], records["second"], records["first"]))
        same_text = np.zeros(len(order), np.bool_)
        same_text[1:] = np.logical_and.reduce(
            [np.diff(records[half][order]) == 0 for half in ("first", "second")]
        )
        again = np.zeros(len(order), np.bool_)
        again[1:] = same_text[1:] & (np.diff(records["night"][order]) == 0)
        once, text = order[~again], np.cumsum(~same_text)[~again]
        if days is None:
            return once
        by_night = np.argsort(records["night"][once], kind="stable")
        once, text = once[by_night], text[by_night]
        borders = np.searchsorted(records["night"][once], np.arange(len(self._nights) + 1))
        # For each version, the day on which each text was paid for last.
        paid: dict[str | None, npt.NDArray[np.int64]] = {}
        sent = []
        for (day, version), start, end in zip(self._nights, borders[:-1], borders[1:], strict=True):
            last = paid.setdefault(version, np.full(len(order) + 1, _LONG_AGO))
            new = day - last[text[start:end]] > days
            last[text[start:end][new]] = day
            sent.append(once[start:end][new])
        return np.concatenate(sent) if sent else once


def _by_leading_bits(first: Hashes, bits: int) -> Iterator[tuple[int, slice]]:
    """Yield the leading bits of ascending hashes, each value with the slice of its hashes."""
    regions = (first >> np.uint64(64 - bits)).astype(np.intp)
    borders = [*np.flatnonzero(np.diff(regions, prepend=-1)).tolist(), len(regions)]
    for start, end in pairwise(borders):
        yield int(regions[start]), slice(start, end)
