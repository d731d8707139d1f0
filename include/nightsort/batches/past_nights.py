"""Read the documents of past nights again: what was sent, or the source where that is not there any more."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nightsort.arrow.hashing import as_hashes, hash_texts
from nightsort.batches.manifest import Manifest, ManifestError
from nightsort.batches.plan import RunPlan
from nightsort.batches.stored import read_batch
from nightsort.classifier_spec.day_template import has_day
from nightsort.comprehend.prices import document_units
from nightsort.layout import REJECTS_FILE
from nightsort.naming import run_day, run_key
from nightsort.reuse.documents import DamagedResultsError, read_reused_documents
from nightsort.sources.documents import read_documents
from nightsort.sources.rejects import RejectLog
from nightsort.sources.source_files import SourceError
from nightsort.storage import names_below

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from nightsort.arrow.columns import Column
    from nightsort.batches.plan import Batch
    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.reuse.savings import PastNights
    from nightsort.storage import Access, Progress


@dataclass(frozen=True)
class ReadNight:
    """A past night that was read.

    :param run_key: names its run.
    :param day: its day.
    :param documents: how many documents it has.
    :param read_from: ``work_uri`` or ``source``.
    """

    run_key: str
    day: date
    documents: int
    read_from: str

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values."""
        return {**asdict(self), "day": str(self.day)}


def read_past_nights(
    spec: ClassifierSpec,
    access: Access,
    into: PastNights,
    *,
    last: date,
    nights: int,
    versions: Mapping[str, str | None],
    progress: Progress,
) -> list[ReadNight]:
    """Read the documents of the last nights, the oldest first. A night of which nothing is there is left out.

    :param spec: the classifier spec.
    :param access: storage.
    :param into: takes the documents.
    :param last: the last day.
    :param nights: how many days there are, with the last one.
    :param versions: the version that classified a run, by run key; ``None`` and a run that is missing are one
        version.
    :param progress: called with the documents read so far.
    :returns: the nights that were read.
    :raises OSError: no space left on local disk.
    """
    reader = _Reader(spec, access, into, progress)
    folders = sorted(name.rstrip("/") for name in names_below(spec.layout.runs, access) if name[-1] == "/")
    found = []
    for number in range(nights):
        day = last - timedelta(nights - 1 - number)
        keys = [key for key in folders if _is_of(key, day)]
        for key in keys or [run_key(day, None)]:
            into.begin(day, versions.get(key))
            before = into.documents
            read_from = "work_uri"
            reader.sent(key)
            if into.documents == before and key == run_key(day, None):
                read_from = "source"
                reader.source(day)
            if into.documents > before:
                found.append(ReadNight(key, day, into.documents - before, read_from))
    return found


def _is_of(key: str, day: date) -> bool:
    with suppress(ValueError):
        return run_day(key) == day
    return False


class _Reader:
    """Reads documents and gives them to the nights."""

    def __init__(self, spec: ClassifierSpec, access: Access, into: PastNights, progress: Progress) -> None:
        self._spec, self._access, self._into, self._progress = spec, access, into, progress

    def sent(self, key: str) -> None:
        """Read what a run has sent or reused, where it is still there."""
        plan = RunPlan.read(self._spec.layout.run(key), self._spec.input_format, self._access)
        per_file = self._spec.input_format == "ONE_DOC_PER_FILE"
        for batch in plan.batches:
            with suppress(FileNotFoundError, ManifestError, SourceError):
                self._batch(batch, key, per_file=per_file)
        if plan.reused_of is not None:
            with suppress(FileNotFoundError, DamagedResultsError):
                self._reused(self._spec.layout.run(key).reused(plan.reused_of), key)

    def _batch(self, batch: Batch, key: str, *, per_file: bool) -> None:
        """Read the lines of a batch, then the documents that share them."""
        blocks = [
            (*hash_texts(texts), document_units(texts), ids.is_valid().to_numpy(zero_copy_only=False))
            for ids, texts in read_batch(batch, self._access, per_file=per_file)
        ]
        first, second, units, there = (np.concatenate(columns) for columns in zip(*blocks, strict=True))
        self._into.add(first[there], second[there], units[there])
        for lines, ids in Manifest.read(self._access.path(batch.manifest_uri)).repeats():
            shared = lines[ids.is_valid().to_numpy(zero_copy_only=False)]
            self._into.add(first[shared], second[shared], units[shared])
        self._progress(f"reading {key}", self._into.documents)

    def _reused(self, uri: str, key: str) -> None:
        """Read the documents that were not sent, since an earlier night was paid for their texts."""
        for rows in read_reused_documents(self._access.path(uri), ["text_hash", "units"]):
            there = rows.filter(rows["text_hash"].is_valid())
            self._into.add(*as_hashes(there["text_hash"]), there["units"].to_numpy())
        self._progress(f"reading {key}", self._into.documents)

    def source(self, day: date) -> None:
        """Read the documents of a day from the source again, where they are still there."""
        incoming = self._spec.incoming
        if incoming.uri is None or not has_day(incoming.uri):
            return
        with (
            tempfile.TemporaryDirectory(prefix="nightsort-") as folder,
            RejectLog(Path(folder) / REJECTS_FILE) as rejects,
            suppress(SourceError),
        ):
            for texts in self._texts(day, rejects):
                self._add(texts, str(day))

    def _texts(self, day: date, rejects: RejectLog) -> Iterator[Column]:
        for records in read_documents(self._spec.incoming, self._access, day=day, rejects=rejects):
            yield records["text"]

    def _add(self, texts: Column, what: str) -> None:
        self._into.add(*hash_texts(texts), document_units(texts))
        self._progress(f"reading {what}", self._into.documents)
