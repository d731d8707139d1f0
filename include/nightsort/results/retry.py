"""Write the documents of a batch that failed for a curable reason as the input of a job of their own.

The first job's output says which documents these are, so the same output makes the same input under the same
name, and a retry that was started is found again. So is one of which documents have left the source since:
it has all that is to be sent. ``docs/adr/0031-failed-documents-are-sent-again.md``.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nightsort.arrow.columns import from_numpy
from nightsort.arrow.hashing import as_column, hash_texts
from nightsort.batches.local_batch import LocalBatch
from nightsort.batches.manifest import Manifest
from nightsort.batches.plan import Batch
from nightsort.batches.repeats import Repeat, Repeats
from nightsort.batches.stored import read_batch
from nightsort.batches.uploads import Uploads, named_batch
from nightsort.naming import RetryName
from nightsort.results.curable import CURABLE
from nightsort.results.join import JOB, BatchResults
from nightsort.results.repeated import RepeatedResults
from nightsort.results.retried import RetriedResults
from nightsort.storage import names_below
from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    import numpy.typing as npt
    from upath import UPath

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.layout import RunFolder
    from nightsort.results.join import Keep
    from nightsort.storage import Access

log = logging.getLogger(__name__)


class JobOutput(NamedTuple):
    """The output of a job or an endpoint, and the manifest of what was classified."""

    archive: UPath
    manifest: UPath
    source: str = JOB

    @classmethod
    def of(cls, folder: RunFolder, access: Access, job: Mapping[str, Any]) -> JobOutput:
        """Return the output of a job, or an endpoint, over a batch or a retry of a run.

        :param folder: the run's folder.
        :param access: storage.
        :param job: as the run's row has it: ``name`` of the batch or the retry, ``output_uri`` of its
            ``output.tar.gz``, and ``source`` if it is no job's.
        :returns: the output.
        """
        archive, manifest = access.path(job["output_uri"]), access.path(folder.manifest(job["name"]))
        return cls(archive, manifest, job.get("source", JOB))


def batch_results(
    spec: ClassifierSpec, first: JobOutput, retries: Sequence[JobOutput] = (), keep: Keep | None = None
) -> RepeatedResults:
    """Return the results of a batch as a stream of record batches, which has ``counts`` at its end.

    :param spec: with the mode and the threshold.
    :param first: the output of the batch's own job.
    :param retries: the outputs of its retries, in their order.
    :param keep: takes what is classified, see :class:`~nightsort.results.join.BatchResults`.
    :returns: one row for each document of the batch.
    :raises ManifestError: a manifest cannot be read.
    """
    lines = line_results(spec, first, retries, keep)
    return RepeatedResults(lines, lines.manifest)


def line_results(
    spec: ClassifierSpec, first: JobOutput, retries: Sequence[JobOutput] = (), keep: Keep | None = None
) -> BatchResults | RetriedResults:
    """Return the results of the lines of a batch, as :func:`batch_results` those of its documents."""
    each = [
        BatchResults(
            output.archive,
            Manifest.read(output.manifest),
            mode=spec.mode,
            threshold=spec.threshold,
            source=output.source,
            keep=keep,
        )
        for output in (first, *retries)
    ]
    return RetriedResults(each[0], each[1:]) if retries else each[0]


def no_job(name: str) -> bool:
    """Return that no job was started."""
    return False


def prepare_retry(
    spec: ClassifierSpec,
    access: Access,
    *,
    run_key: str,
    batch: Batch,
    results: Iterable[pa.RecordBatch],
    attempt: int,
    reasons: Collection[str] = CURABLE,
    started: Callable[[str], bool] = no_job,
) -> Batch | None:
    """Write the lines of a batch that failed for a curable reason below the run's folder.

    :param spec: the classifier spec.
    :param access: storage.
    :param run_key: the run.
    :param batch: the batch.
    :param results: of its lines, from :func:`line_results`.
    :param attempt: 1 for the first time that documents of the batch are sent again.
    :param reasons: those that are sent again.
    :param started: returns whether a job over a retry, given by name, was started and did not fail.
    :returns: what is sent again, as a batch; ``None`` if nothing failed for such a reason.
    :raises MissingObjectError: the batch's input is gone.
    :raises ManifestError: its manifest cannot be read.
    """
    failed = _failed(results, batch.lines, reasons)
    if not failed.any():
        return None
    folder = spec.layout.run(run_key)
    if paid := _started(folder, spec.input_format, access, batch, attempt, failed, started):
        return paid
    per_file = spec.input_format == "ONE_DOC_PER_FILE"
    with tempfile.TemporaryDirectory(prefix="nightsort-") as name:
        local = LocalBatch(0, Path(name) / "retry.txt")
        start = 0
        for ids, texts in read_batch(batch, access, per_file=per_file):
            chosen = failed[start : start + len(ids)]
            if chosen.any():
                mask = pa.array(chosen)
                chosen_texts = texts.filter(mask)
                local.add(ids.filter(mask), chosen_texts, as_column(*hash_texts(chosen_texts)))
            start += len(ids)
        local.close()
        repeats = _repeats(access.path(batch.manifest_uri), failed, Path(name))
        with Uploads(access, folder, spec.input_format) as uploads:
            uploads.add(local, partial(RetryName.of, batch.name, attempt))
        uploads.write_manifests(repeats)
    (retry,) = uploads.batches
    log.info("Batch %s: %s to send again", batch.name, number_of(retry.lines, "failed text"))
    return retry


def _started(
    folder: RunFolder,
    input_format: str,
    access: Access,
    batch: Batch,
    attempt: int,
    failed: npt.NDArray[np.bool_],
    started: Callable[[str], bool],
) -> Batch | None:
    """Return a retry of this attempt whose job was started, and which has all texts that failed.

    It may have more: a document that left the source since has no result any more, and nothing failed of it.
    """
    texts = Manifest.read(access.path(batch.manifest_uri)).text_hashes
    if texts is None:
        return None
    wanted = texts.filter(pa.array(failed))
    for file in names_below(folder.manifests, access):
        name = file.removesuffix(".parquet")
        if not (name.startswith(RetryName.start(batch.name, attempt)) and started(name)):
            continue
        sent = Manifest.read(access.path(folder.manifest(name)))
        if sent.text_hashes is None or not pc.all(pc.is_in(wanted, value_set=sent.text_hashes)).as_py():
            continue
        try:
            return _as_sent(folder, input_format, access, name, documents=sent.documents)
        except FileNotFoundError:
            log.warning("The input of the retry %s is gone; its documents are sent again", name)
    return None


def _as_sent(folder: RunFolder, input_format: str, access: Access, name: str, *, documents: int) -> Batch:
    """Return a retry of the run as it was when it was written.

    :raises FileNotFoundError: its input is gone.
    """
    there = Batch.below(
        folder, input_format, name=name, documents=documents, lines=0, bytes=0, units=0, fingerprint=""
    )
    with tempfile.TemporaryDirectory(prefix="nightsort-") as scratch:
        local = LocalBatch(0, Path(scratch) / "sent.txt")
        for ids, texts in read_batch(there, access, per_file=input_format == "ONE_DOC_PER_FILE"):
            local.add(ids.fill_null(""), texts, as_column(*hash_texts(texts)))
        local.close()
        return replace(named_batch(local, folder, input_format, lambda _: name), documents=documents)


def _repeats(manifest: UPath, failed: npt.NDArray[np.bool_], folder: Path) -> Repeats:
    """Return the documents behind the lines of a batch that are sent again, by the lines of the retry."""
    repeats = Repeats(folder)
    places = np.cumsum(failed) - 1
    for lines, ids in Manifest.read(manifest).repeats():
        chosen = np.flatnonzero(failed[lines] & ids.is_valid().to_numpy(zero_copy_only=False))
        units = np.zeros(len(chosen), np.int64)
        repeats.add(Repeat(places[lines[chosen]], units, ids.take(from_numpy(chosen)).cast(pa.string())))
    repeats.sort([0])
    return repeats


def _failed(results: Iterable[pa.RecordBatch], lines: int, reasons: Collection[str]) -> npt.NDArray[np.bool_]:
    """Return which lines of a batch failed for one of these reasons."""
    failed = np.zeros(lines, np.bool_)
    wanted: Any = pa.array(list(reasons))
    for rows in results:
        if rows["reason"].null_count == len(rows):
            continue
        mask = pc.is_in(rows["reason"].cast(pa.string()), value_set=wanted)
        failed[rows["line"].to_numpy()[mask.to_numpy(zero_copy_only=False)]] = True
    return failed
