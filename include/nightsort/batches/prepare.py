"""Prepare the input of classification jobs: new documents, cut into batches, each with its manifest.

A text is a line of one batch, however many documents have it: :mod:`nightsort.batches.new_lines`. A batch's
name has a hash of its lines, so the same texts have the same names and the same bytes. What a crashed attempt
left behind is either the same, or nothing refers to it. A batch is written to local disk first, since its
name is known only at its end, and is uploaded while the next one is written. Its manifest follows at the end,
since any later document may have one of its texts. A run that is prepared again keeps what was started:
:mod:`nightsort.batches.earlier`. Documents whose texts the same version has classified in earlier runs are in
no batch: :mod:`nightsort.reuse.lookup`.
"""

from __future__ import annotations

import logging
import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nightsort.arrow.hash_numbers import HashNumbers
from nightsort.arrow.prefetch import prefetch
from nightsort.batches.earlier import EarlierBatches
from nightsort.batches.local_batch import (
    MAX_BATCHES,
    TooManyBatchesError,
    check_batch_count,
    cut_batches,
)
from nightsort.batches.new_lines import NewLines
from nightsort.batches.plan import Batch, RunPlan
from nightsort.batches.repeats import Repeats
from nightsort.batches.uploads import Uploads
from nightsort.classifier_spec.uris import fixed_folder
from nightsort.comprehend.prices import Forecast, document_units, forecast_classification
from nightsort.layout import REJECTS_FILE
from nightsort.naming import BatchName
from nightsort.reuse.lookup import Reused
from nightsort.sources.documents import read_documents
from nightsort.sources.places import place_named
from nightsort.sources.rejects import RejectLog
from nightsort.sources.source_files import NoFilesError, source_of_day
from nightsort.storage import upload
from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import date

    import pyarrow as pa

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.storage import Access, Progress

    Started = Callable[[Sequence[Batch]], Collection[str]]

__all__ = [
    "MAX_BATCHES",
    "Batch",
    "PreparedBatches",
    "TooManyBatchesError",
    "forecast_run",
    "prepare_batches",
]

log = logging.getLogger(__name__)


def every_batch(batches: Sequence[Batch]) -> Collection[str]:
    """Return the names of all batches: whoever cannot tell which jobs were started pays for none twice."""
    return {batch.name for batch in batches}


def no_batch(batches: Sequence[Batch]) -> Collection[str]:
    """Return no name."""
    return ()


@dataclass(frozen=True)
class PreparedBatches:
    """The batches of a run. ``documents_in == documents_sent + reused + rejected``, always.

    :param documents_in: records in the source.
    :param documents_sent: documents in the batches, those with a text that is sent for another one too.
    :param reject_counts: rejected documents by reason.
    :param reject_examples: for each reason where the first of them are: file, row, detail.
    :param rejects_uri: the rejects, as JSON Lines.
    :param units: billed units of all jobs together.
    :param files: the files that were read; ``None`` for a query.
    :param repeated: documents whose text is sent for another one.
    :param reused: documents whose text the version has classified in an earlier run.
    :param saved_units: units that both would have cost.
    """

    run_key: str
    batches: tuple[Batch, ...]
    documents_in: int
    documents_sent: int
    rejected: int
    reject_counts: dict[str, int]
    rejects_uri: str
    units: int
    files: int | None = None
    reject_examples: dict[str, list[str]] = field(default_factory=dict)
    repeated: int = 0
    reused: int = 0
    saved_units: int = 0

    @property
    def lines(self) -> int:
        """How many texts the batches have."""
        return sum(batch.lines for batch in self.batches)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values."""
        return {**asdict(self), "batches": [batch.to_dict() for batch in self.batches]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PreparedBatches:
        """Return the batches from the values of :meth:`to_dict`.

        :param values: JSON-safe values.
        :returns: the batches.
        """
        return cls(**{**values, "batches": tuple(Batch.from_dict(batch) for batch in values["batches"])})


def prepare_batches(
    spec: ClassifierSpec,
    access: Access,
    *,
    run_key: str,
    day: date | None,
    source_uri: str | None = None,
    started: Started = every_batch,
    version: str | None = None,
    runs: Sequence[str] = (),
    progress: Progress | None = None,
) -> PreparedBatches:
    """Write the batches of a run below ``<work_uri>/runs/<run_key>/``, with manifests and rejects.

    A source without documents has no batches. A run that is prepared again keeps each batch whose job was
    started, and each document that was reused, and adds batches for the texts that are in none of them.

    :param spec: the classifier spec.
    :param access: storage and databases.
    :param run_key: names the run, see :func:`nightsort.naming.run_key`.
    :param day: the day of the source.
    :param source_uri: read this in place of the spec's incoming URI. The caller has checked it, see
        :mod:`nightsort.sources.by_hand`.
    :param started: returns the names of those batches of the last preparation whose jobs were started, so
        that they are paid for; by default all.
    :param version: the version that will classify; ``None``: not known, as where nothing is sent.
    :param runs: the runs whose results of this version may be used again, the newest first.
    :param progress: called with the documents read so far.
    :returns: the batches and their counts.
    :raises SourceError: the source cannot be read, or has no file and the spec says ``no_files: fail``.
    :raises TooManyBatchesError: the spec's limits would make more than 1,000 batches.
    """
    folder = spec.layout.run(run_key)
    with (
        place_named(spec.work_uri, "work_uri"),
        tempfile.TemporaryDirectory(prefix="nightsort-") as name,
        HashNumbers() as numbers,
    ):
        local = Path(name)
        files = _NightsFiles(spec, day, source_uri)
        plan = RunPlan.read(folder, spec.input_format, access)
        with (
            RejectLog(local / REJECTS_FILE) as rejects,
            _reused(spec, access, local, plan, run_key, version, runs) as reused,
        ):
            documents = _read(spec, access, plan, files, rejects, day, source_uri, progress)
            earlier = EarlierBatches(plan, access, numbers, started(plan.batches))
            repeats = Repeats(local)
            lines = NewLines(earlier, numbers, repeats, reused, same_night=spec.reuse.same_night)
            # One thread looks the texts up, and this one writes the batches.
            with (
                Uploads(access, folder, spec.input_format) as uploads,
                closing(prefetch(lines.of(documents))) as new,
            ):
                for batch in cut_batches(new, spec, local, taken=earlier.taken):
                    uploads.add(batch, partial(BatchName.of, run_key, batch.number))
            reused.write()
        check_batch_count(len(earlier.sent) + len(uploads.batches), spec)
        repeats.sort([*earlier.begins, *_begins(uploads.batches, earlier.lines)])
        kept, written = earlier.write_manifests(repeats, local)
        written.add(uploads.write_manifests(repeats, len(kept)))
        batches = [*kept, *uploads.batches]
        rejects_uri = folder.file(REJECTS_FILE)
        upload(rejects.path, rejects_uri, access)
        reused_of = reused.version if reused.number else None
        replace(plan, batches=tuple(batches), reused_of=reused_of).write(folder, access, local)
    if reused.number:
        known = number_of(reused.number, "document")
        log.info("Run %s reuses earlier results of %s for %s", run_key, reused.version, known)
    if kept:
        log.info("Kept %d of %s of run %s", len(kept), number_of(len(batches), "batch", "batches"), run_key)
    if not written.documents + reused.number:
        files.warn_of_nothing()
    return PreparedBatches(
        run_key=run_key,
        batches=tuple(batches),
        documents_in=written.documents + reused.number + rejects.total,
        documents_sent=written.documents,
        rejected=rejects.total,
        reject_counts=dict(rejects.counts.most_common()),
        rejects_uri=rejects_uri,
        units=sum(batch.units for batch in batches),
        files=files.number,
        reject_examples=dict(rejects.examples),
        repeated=written.repeated,
        reused=reused.number,
        saved_units=written.saved_units + reused.units,
    )


def forecast_run(
    spec: ClassifierSpec,
    access: Access,
    *,
    run_key: str,
    day: date | None,
    source_uri: str | None = None,
    paid: Started = no_batch,
    version: str | None = None,
    runs: Sequence[str] = (),
    progress: Progress | None = None,
) -> tuple[Forecast, RejectLog]:
    """Forecast the cost of classifying what :func:`prepare_batches` would prepare, without writing anything.

    :param spec: the classifier spec.
    :param access: storage and databases.
    :param run_key: names the run, whose earlier batches are kept.
    :param day: the day of the source.
    :param source_uri: read this in place of the spec's incoming URI. The caller has checked it, see
        :mod:`nightsort.sources.by_hand`.
    :param paid: returns the names of those batches of the last preparation that are paid already; by default
        none.
    :param version: as for :func:`prepare_batches`.
    :param runs: as for :func:`prepare_batches`.
    :param progress: called with the documents read so far.
    :returns: the forecast, exact in units, and the rejects, whose file is gone.
    :raises SourceError: the source cannot be read, or has no file and the spec says ``no_files: fail``.
    """
    texts = units = 0
    with tempfile.TemporaryDirectory(prefix="nightsort-") as name, HashNumbers() as numbers:
        local = Path(name)
        files = _NightsFiles(spec, day, source_uri)
        plan = RunPlan.read(spec.layout.run(run_key), spec.input_format, access)
        with (
            RejectLog(local / REJECTS_FILE) as rejects,
            _reused(spec, access, local, plan, run_key, version, runs) as reused,
        ):
            arriving = _read(spec, access, plan, files, rejects, day, source_uri, progress)
            earlier = EarlierBatches(plan, access, numbers, paid(plan.batches))
            repeats = Repeats(local)
            new = NewLines(earlier, numbers, repeats, reused, same_night=spec.reuse.same_night)
            for lines in new.of(arriving):
                texts += len(lines.texts)
                units += int(document_units(lines.texts).sum())
        paid_units = sum(sent.batch.units for sent in earlier.sent)
        texts += earlier.lines
        if not texts + reused.number:
            files.warn_of_nothing()
        return (
            forecast_classification(
                texts,
                units + paid_units,
                paid_units=paid_units,
                repeated=repeats.number,
                reused=reused.number,
                saved_units=repeats.units + reused.units,
            ),
            rejects,
        )


def _reused(
    spec: ClassifierSpec,
    access: Access,
    scratch: Path,
    plan: RunPlan,
    run_key: str,
    version: str | None,
    runs: Sequence[str],
) -> Reused:
    """Return what takes the documents that are not sent. What the run has reused before stays reused."""
    version = version or plan.reused_of
    own = None if version is None else spec.layout.run(run_key).reused(version)
    return Reused(spec.layout, access, scratch, version=version, runs=runs, own=own)


def _begins(batches: Sequence[Batch], first: int) -> list[int]:
    """Return the number of the first line of each batch."""
    return [first + sum(batch.lines for batch in batches[:place]) for place in range(len(batches))]


def _read(
    spec: ClassifierSpec,
    access: Access,
    plan: RunPlan,
    files: _NightsFiles,
    rejects: RejectLog,
    day: date | None,
    source_uri: str | None,
    progress: Progress | None,
) -> Iterator[pa.RecordBatch]:
    return read_documents(
        spec.incoming,
        access,
        day=day,
        rejects=rejects,
        uri=source_uri,
        named_below=fixed_folder(spec.incoming.uri or "") if plan.long_names else None,
        on_files=files.listed,
        progress=progress,
    )


class _NightsFiles:
    """The number of files of a night, and what it means where there is none."""

    def __init__(self, spec: ClassifierSpec, day: date | None, source_uri: str | None) -> None:
        self.number: int | None = None
        self.where = source_of_day(spec.incoming, day, source_uri).uri or "the query"
        self._no_files = spec.no_files
        self._key = "incoming.uri" if source_uri is None else "the source that was given"

    def listed(self, number: int) -> None:
        """Take the number of files.

        :raises NoFilesError: there is none, and the spec wants one.
        """
        self.number = number
        if number:
            return
        message = (
            f"{self.where} holds no file; put documents there, or correct {self._key} (the spec's no_files "
            "says what a night without files is)"
        )
        if self._no_files == "fail":
            raise NoFilesError(message)
        log.log(logging.WARNING if self._no_files == "warn" else logging.INFO, "%s", message)

    def warn_of_nothing(self) -> None:
        """Say that there is nothing to classify; where there was no file, :meth:`listed` has said more."""
        level = logging.INFO if self.number == 0 else logging.WARNING
        log.log(level, "Nothing to classify: %s has no usable document", self.where)
