"""Labelled documents -> the training file, the test file, a report and the rejects, checked before
anything is paid."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa

from include.nightsort import limits
from include.nightsort.columnar.hashing import hash_names, mix
from include.nightsort.documents import read_documents
from include.nightsort.rejects import REASONS, RejectLog
from include.nightsort.training import training_checks
from include.nightsort.training.labelled_documents import Doubles, LabelledDocuments, spool
from include.nightsort.training.splits import choose_test
from include.nightsort.training.training_checks import Counts, TrainingDataError
from include.nightsort.training.training_csv import csv_rows, row_starts, text_lines
from include.nightsort.uploads import upload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import numpy.typing as npt

    from include.nightsort.access import Access, Progress
    from include.nightsort.classifier_spec import ClassifierSpec
    from include.nightsort.training.splits import Flags

__all__ = ["PreparedTraining", "TrainingDataError", "prepare_training_data"]

log = logging.getLogger(__name__)

TRAINING, TEST, TEST_DOCUMENTS = "training.csv", "test.csv", "test.txt"
REPORT, REJECTS = "report.json", "rejects.jsonl"

_MOST_READ = 4 * limits.MAX_TRAINING_DOCUMENTS
"""Behind so many labelled documents reading stops: at the largest test share, twice what can be used is
doubles."""


@dataclass(frozen=True)
class PreparedTraining:
    """What a training needs and what was found out about it; small and JSON-safe as :meth:`to_dict`.

    :param version: ``v`` and 12 hex digits of ``fingerprint``: the same data and settings give the same
        version.
    :param fingerprint: SHA-256 over documents (in any order), labels, sides and training settings.
    :param test_fingerprint: SHA-256 over the test documents and their labels (in any order).
    :param training_uri: the training CSV.
    :param test_uri: the test CSV.
    :param test_documents_uri: the texts of the test CSV, one per line, in the same order.
    :param report_uri: the report (JSON).
    :param rejects_uri: the rejects (JSON Lines).
    :param labels: per label how many documents are for ``training`` and for the ``test``.
    :param training_documents: rows of the training CSV.
    :param test_documents: rows of the test CSV.
    :param documents_read: records in the source; each is in training, test, rejected, doubles or left out.
    :param rejected: documents that cannot be used, each in ``rejects_uri`` with its reason.
    :param doubles: documents dropped because the same text with the same labels was there before.
    :param left_out_documents: documents all of whose labels are left out.
    :param left_out_labels: labels with too few documents, where the spec says ``leave_out``.
    :param warnings: what a person should know.
    :param training_bytes: size of the training CSV.
    :param test_units: what classifying the test documents once is billed as.
    """

    version: str
    fingerprint: str
    test_fingerprint: str
    training_uri: str
    test_uri: str
    test_documents_uri: str
    report_uri: str
    rejects_uri: str
    labels: Counts
    training_documents: int
    test_documents: int
    documents_read: int
    rejected: int
    doubles: int
    left_out_documents: int
    left_out_labels: list[str]
    warnings: list[str]
    training_bytes: int
    test_units: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


def prepare_training_data(
    spec: ClassifierSpec, access: Access, *, day: date | None = None, progress: Progress | None = None
) -> PreparedTraining:
    """Make the training data of a classifier from its labelled source.

    The files come to lie under ``<work_uri>/training/<version>/``; the same data gives the same files again.

    :param day: renders ``{day}`` in the labelled source.
    :param progress: told what is being done.
    :raises SourceError: the source cannot be read as the spec says.
    :raises TrainingDataError: Comprehend could not train on it.
    """
    with tempfile.TemporaryDirectory(prefix="nightsort-") as name, RejectLog(Path(name) / REJECTS) as rejects:
        folder = Path(name)
        batches = read_documents(
            spec.labelled,
            access,
            mode=spec.mode,
            label_delimiter=spec.label_delimiter,
            day=day,
            rejects=rejects,
            progress=progress,
        )
        documents = spool(batches, folder / "documents.arrows", most=_MOST_READ)
        if documents is None:
            raise training_checks.too_many(f"more than {_MOST_READ:,} labelled documents")
        if not len(documents):
            raise _nothing(spec.labelled.at(day).uri or "the query", rejects)
        decided = _decide(spec, documents)
        if progress is not None:
            progress("writing the training data", len(documents))
        training_bytes = _write(spec, documents, decided, folder, rejects)
        rejects.close()
        prepared = _summary(spec, documents, decided, training_bytes, rejects)
        (folder / REPORT).write_bytes(_report(spec, documents, decided, prepared, rejects))
        for uri in (
            prepared.training_uri,
            prepared.test_uri,
            prepared.test_documents_uri,
            prepared.rejects_uri,
            prepared.report_uri,
        ):
            if progress is not None:
                progress(f"uploading {uri.rpartition('/')[2]}", len(documents))
            upload(folder / uri.rpartition("/")[2], uri, access, move=True)
    log.info("%s: %s has %d documents", spec.name, prepared.version, prepared.training_documents)
    return prepared


def _nothing(source: str, rejects: RejectLog) -> TrainingDataError:
    if not rejects.total:
        return TrainingDataError(
            f"{source} holds no labelled documents; mend labelled, or put documents there"
        )
    reason, count = rejects.counts.most_common(1)[0]
    return TrainingDataError(
        f"all {rejects.total} documents of {source} were rejected, "
        f"{count} of them as {reason}: {REASONS[reason]}"
    )


@dataclass(frozen=True)
class _Decided:
    """What becomes of each document; every document is in exactly one of the five."""

    training: Flags
    test: Flags
    again: Flags
    conflicting: Flags
    left_out: Flags
    sets: list[tuple[str, ...]]
    counts: Counts
    left_out_labels: list[str]
    differing: int


def _decide(spec: ClassifierSpec, documents: LabelledDocuments) -> _Decided:
    training_checks.check_delimiter(documents.labels, spec.label_delimiter)
    doubles = Doubles.of(documents)
    conflicting = doubles.differing if spec.mode == "MULTI_CLASS" else np.zeros(len(documents), dtype=bool)
    again = doubles.again & ~conflicting
    kept = ~conflicting & ~again
    labelling = documents.labelling
    test = choose_test(documents.first, labelling, kept, spec.test_share)
    counts = _counts(documents, kept & ~test, test)
    sets, left_out_labels, left_out = documents.sets, [], np.zeros(len(documents), dtype=bool)
    if spec.small_labels == "leave_out":
        left_out_labels = training_checks.small_labels(counts, spec.min_documents_per_label)
        small = set(left_out_labels)
        sets = [tuple(label for label in labels if label not in small) for labels in sets]
        left_out = kept & np.array([not labels for labels in sets])[labelling.set_of_document]
        counts = {label: count for label, count in counts.items() if label not in small}
    training_checks.check_small_labels(spec, counts)
    test &= ~left_out
    training = kept & ~left_out & ~test
    training_checks.check_limits(spec, counts, training=int(training.sum()), test=int(test.sum()))
    differing = int((doubles.differing & kept).sum())
    return _Decided(training, test, again, conflicting, left_out, sets, counts, left_out_labels, differing)


def _counts(documents: LabelledDocuments, training: Flags, test: Flags) -> Counts:
    of_training, of_test = documents.labelling.count(training), documents.labelling.count(test)
    return {
        label: {"training": int(of_training[place]), "test": int(of_test[place])}
        for place, label in enumerate(documents.labels)
    }


def _write(
    spec: ClassifierSpec, documents: LabelledDocuments, decided: _Decided, folder: Path, rejects: RejectLog
) -> int:
    """Write the three files, reject what has conflicting labels; return the training file's size in bytes."""
    starts = row_starts((spec.label_delimiter or "").join(labels) for labels in decided.sets)
    set_of_document = documents.labelling.set_of_document
    conflicts = _Conflicts(documents, decided)
    with (
        (folder / TRAINING).open("wb") as training,
        (folder / TEST).open("wb") as test,
        (folder / TEST_DOCUMENTS).open("wb") as test_documents,
    ):
        for places, batch in documents.batches():
            texts, sets = batch.column("text"), set_of_document[places]
            for flags, file in ((decided.training[places], training), (decided.test[places], test)):
                if flags.any():
                    chosen = texts.filter(pa.array(flags))
                    file.write(csv_rows(starts.take(pa.array(sets[flags])), chosen))
                    if file is test:
                        test_documents.write(text_lines(chosen))
            training_checks.check_bytes(training.tell() + test.tell())
            conflicts.reject(places, batch, rejects)
        return training.tell()


class _Conflicts:
    """Rejects documents whose text stands under several labels, naming those labels."""

    def __init__(self, documents: LabelledDocuments, decided: _Decided) -> None:
        self._flags = decided.conflicting
        self._documents = documents
        self._labels: dict[tuple[int, int], set[str]] = {}
        for place in np.flatnonzero(decided.conflicting).tolist():
            self._labels.setdefault(self._text(place), set()).update(self._set(place))

    def _text(self, place: int) -> tuple[int, int]:
        return int(self._documents.first[place]), int(self._documents.second[place])

    def _set(self, place: int) -> tuple[str, ...]:
        return self._documents.sets[int(self._documents.labelling.set_of_document[place])]

    def reject(self, places: slice, batch: pa.RecordBatch, rejects: RejectLog) -> None:
        for row in np.flatnonzero(self._flags[places]).tolist():
            labels = training_checks.named(sorted(self._labels[self._text(places.start + row)]))
            rejects.add(
                document_id=batch.column("document_id")[row].as_py(),
                file=batch.column("file")[row].as_py(),
                row=batch.column("row")[row].as_py(),
                reason="conflicting_labels",
                detail=f"the same text has the labels {labels}",
            )


def _summary(
    spec: ClassifierSpec,
    documents: LabelledDocuments,
    decided: _Decided,
    training_bytes: int,
    rejects: RejectLog,
) -> PreparedTraining:
    test_fingerprint = _fingerprint(documents, decided.sets, decided.test)
    settings = {
        "mode": spec.mode,
        "language": spec.language,
        "label_delimiter": spec.label_delimiter,
        "model_key_id": spec.kms.model_key_id,
        "training": _fingerprint(documents, decided.sets, decided.training),
        "test": test_fingerprint,
    }
    fingerprint = hashlib.sha256(orjson.dumps(settings, option=orjson.OPT_SORT_KEYS)).hexdigest()
    version = f"v{fingerprint[:12]}"
    base = f"{spec.work_uri}/training/{version}"
    doubles = int(decided.again.sum())
    characters = documents.characters[decided.test]
    units = np.maximum(limits.MIN_UNITS, -(-characters // limits.UNIT_CHARACTERS))
    return PreparedTraining(
        version=version,
        fingerprint=fingerprint,
        test_fingerprint=test_fingerprint,
        training_uri=f"{base}/{TRAINING}",
        test_uri=f"{base}/{TEST}",
        test_documents_uri=f"{base}/{TEST_DOCUMENTS}",
        report_uri=f"{base}/{REPORT}",
        rejects_uri=f"{base}/{REJECTS}",
        labels=decided.counts,
        training_documents=int(decided.training.sum()),
        test_documents=int(decided.test.sum()),
        documents_read=len(documents) + rejects.total - int(decided.conflicting.sum()),
        rejected=rejects.total,
        doubles=doubles,
        left_out_documents=int(decided.left_out.sum()),
        left_out_labels=decided.left_out_labels,
        warnings=training_checks.warnings(
            spec,
            decided.counts,
            left_out=decided.left_out_labels,
            doubles=doubles,
            differing=decided.differing,
            rejects=rejects.counts,
        ),
        training_bytes=training_bytes,
        test_units=int(units.sum()),
    )


def _fingerprint(documents: LabelledDocuments, sets: Sequence[Sequence[str]], flags: Flags) -> str:
    """Return a hash of the flagged documents and their labels, the same in whatever order they come."""
    of_set = np.concatenate([hash_names(labels) for labels in sets])
    labels = of_set[documents.labelling.set_of_document[flags]]
    sums = [
        int(np.sum(mix(texts ^ mix(labels)), dtype=np.uint64))
        for texts in (documents.first[flags], documents.second[flags])
    ]
    return hashlib.sha256(orjson.dumps([int(flags.sum()), *map(str, sums)])).hexdigest()


def _report(
    spec: ClassifierSpec,
    documents: LabelledDocuments,
    decided: _Decided,
    prepared: PreparedTraining,
    rejects: RejectLog,
) -> bytes:
    owners, labels = documents.labelling.pairs(decided.training | decided.test)
    lengths = _Lengths(labels, documents.characters[owners])
    place = {label: number for number, label in enumerate(documents.labels)}
    report = {
        "classifier": spec.name,
        "mode": spec.mode,
        **prepared.to_dict(),
        "labels": [
            {"label": label, "documents": sum(count.values()), **count, **lengths.of(place[label])}
            for label, count in decided.counts.items()
        ],
        "rejects": {
            reason: {"documents": count, "remedy": REASONS[reason]}
            for reason, count in sorted(rejects.counts.items())
        },
    }
    return orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


class _Lengths:
    """The shortest, median and longest document of each label, in characters."""

    def __init__(self, labels: npt.NDArray[np.intp], characters: npt.NDArray[np.int32]) -> None:
        # One sort of one number per pair: the label above, the length below.
        self._sorted = np.sort((labels.astype(np.int64) << 32) | characters)

    def of(self, label: int) -> dict[str, float]:
        start, end = np.searchsorted(self._sorted, [label << 32, (label + 1) << 32])
        lengths = self._sorted[start:end] & 0xFFFFFFFF
        return {
            "shortest": int(lengths[0]),
            "median": float(np.median(lengths)),
            "longest": int(lengths[-1]),
        }
