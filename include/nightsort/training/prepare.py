"""Prepare the files of a training, a report and the rejects, and check them before anything is paid."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from nightsort.arrow.hashing import mix
from nightsort.comprehend import limits
from nightsort.comprehend.prices import units_of
from nightsort.layout import (
    DOCUMENTS_FILE,
    REJECTS_FILE,
    REPORT_FILE,
    TEST_DOCUMENTS,
    TEST_FILE,
    TRAINING_FILE,
)
from nightsort.naming import VersionName
from nightsort.sources.documents import read_documents
from nightsort.sources.places import place_named
from nightsort.sources.rejects import REASONS, RejectLog
from nightsort.sources.source_files import source_of_day
from nightsort.storage import upload
from nightsort.training import checks as training_checks
from nightsort.training.checks import Counts, TrainingDataError
from nightsort.training.conflicts import reject_conflicts
from nightsort.training.document_list import write_document_list
from nightsort.training.header_rows import check_header_rows
from nightsort.training.label_warnings import label_warnings
from nightsort.training.labelled_documents import LabelledDocuments, store_documents
from nightsort.training.lengths import text_lengths
from nightsort.training.losses import check_lost_labels, check_rejected_share
from nightsort.training.split_assignment import (
    CONFLICTING,
    DUPLICATE,
    LEFT_OUT,
    TEST,
    TRAINING,
    SplitAssignment,
    assign_splits,
)
from nightsort.training.training_files import TrainingFileWriter
from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.layout import TrainingFolder
    from nightsort.storage import Access, Progress
    from nightsort.training.document_labels import Flags

__all__ = ["PreparedTraining", "TrainingDataError", "prepare_training_data"]

log = logging.getLogger(__name__)

_MAX_READ = 4 * limits.MAX_TRAINING_DOCUMENTS
"""Stop reading after this many documents, four times the limit of Comprehend: at the largest test share (0.5)
twice the limit can be used, so at least half of more documents must be duplicates."""


# The list of documents goes first: whatever else is there, it says which documents that is.
_FILES = (DOCUMENTS_FILE, TRAINING_FILE, TEST_FILE, TEST_DOCUMENTS, REJECTS_FILE, REPORT_FILE)


@dataclass(frozen=True)
class PreparedTraining:
    """The files of a training and their counts; small and JSON-safe as :meth:`to_dict`.

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
    :param documents_read: records in the source; each is a training document, a test document, rejected, a
        duplicate or left out.
    :param rejected: documents that cannot be used, each in ``rejects_uri`` with its reason.
    :param reject_counts: rejected documents by reason.
    :param reject_examples: for each reason where the first of them are: file, row, detail.
    :param duplicates: documents with the text and labels of an earlier one; they are not used.
    :param left_out_documents: documents all of whose labels are left out.
    :param left_out_labels: labels with too few documents, where the spec says ``leave_out``.
    :param warnings: for a person to read.
    :param training_bytes: size of the training CSV.
    :param test_units: billed units for classifying the test documents once.
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
    reject_counts: dict[str, int]
    reject_examples: dict[str, list[str]]
    duplicates: int
    left_out_documents: int
    left_out_labels: list[str]
    warnings: list[str]
    training_bytes: int
    test_units: int

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values."""
        return asdict(self)


def prepare_training_data(
    spec: ClassifierSpec,
    access: Access,
    *,
    day: date | None = None,
    progress: Progress | None = None,
    write: bool = True,
) -> PreparedTraining:
    """Prepare the training data of a classifier from its labelled source.

    The files are written to ``<work_uri>/training/<version>/``; the same data has the same version and files.
    Where Comprehend cannot train on the data, only the rejects are written, to
    ``<work_uri>/training/failed/``.

    :param spec: the classifier spec.
    :param access: storage and databases.
    :param day: the day of the labelled source.
    :param progress: called with the current step and the number of documents.
    :param write: whether to write anything below ``work_uri``; without, all is checked and counted.
    :returns: the files and their counts.
    :raises SourceError: the source cannot be read.
    :raises TrainingDataError: Comprehend cannot train on it.
    """
    with tempfile.TemporaryDirectory(prefix="nightsort-") as name:
        folder = Path(name)
        with (
            RejectLog(folder / REJECTS_FILE) as rejects,
            TrainingFileWriter(folder, spec.label_delimiter) as writer,
            _rejects_in_error(rejects, spec.layout.failed_training if write else None, access),
        ):
            documents = _read(spec, access, day, folder, writer, rejects, progress)
            training_checks.check_labels_are_no_texts(documents.names, len(documents))
            assignment = assign_splits(spec, documents)
            if progress is not None:
                progress("writing the training data", len(documents))
            reject_conflicts(documents, assignment, rejects)
            warnings = _check(spec, documents, assignment, writer, rejects)
            training_bytes = writer.finish(documents, assignment)
        prepared = _summary(spec, documents, assignment, training_bytes, rejects, warnings)
        if write:
            (folder / REPORT_FILE).write_bytes(_report(spec, documents, assignment, prepared, rejects))
            home = spec.layout.training(prepared.version)
            write_document_list(folder / DOCUMENTS_FILE, documents, assignment.roles)
            for file in _FILES:
                if progress is not None:
                    progress(f"uploading {file}", len(documents))
                with place_named(home.uri, "work_uri"):
                    upload(folder / file, home.file(file), access, move=True)
    log.info("%s: %s has %d documents", spec.name, prepared.version, prepared.training_documents)
    return prepared


@contextmanager
def _rejects_in_error(rejects: RejectLog, folder: TrainingFolder | None, access: Access) -> Iterator[None]:
    """Name the rejects in the error of a training that cannot be prepared, and write them where it says.

    :param folder: for the rejects; ``None``: do not write them.
    """
    try:
        yield
    except TrainingDataError as error:
        if not rejects.total:
            raise
        where = ""
        if folder is not None:
            rejects.close()
            with place_named(folder.uri, "work_uri"):
                upload(rejects.path, folder.file(REJECTS_FILE), access)
            where = f". All rejects are in {folder.file(REJECTS_FILE)}"
        raise TrainingDataError(f"{error}. Rejected: {rejects.shown()}{where}") from None


def _check(
    spec: ClassifierSpec,
    documents: LabelledDocuments,
    assignment: SplitAssignment,
    writer: TrainingFileWriter,
    rejects: RejectLog,
) -> list[str]:
    """Check whether Comprehend can train on the documents; return warnings, for a person to read.

    :raises TrainingDataError: it cannot.
    """
    labels = {
        label: sum(count.values()) for label, count in (assignment.counts | assignment.left_out).items()
    }
    of_labels = label_warnings(spec, labels)
    rejected = {label: dict(reasons) for label, reasons in rejects.labels.items()}
    for label, count in assignment.conflicting.items():
        rejected.setdefault(label, {})["conflicting_labels"] = count
    try:
        too_many_rejects = check_rejected_share(
            spec, rejected=rejects.total, read=_records(documents, assignment, rejects)
        )
        training_checks.check_delimiter(sorted(documents.names), spec.label_delimiter)
        check_header_rows(spec, documents, writer)
        check_lost_labels(spec, assignment, rejected)
        training_checks.check_small_labels(spec, assignment.counts)
        training_checks.check_limits(
            spec, assignment.counts, training=assignment.count(TRAINING), test=assignment.count(TEST)
        )
    except TrainingDataError as error:
        # A label may be small because it is written in two ways.
        raise TrainingDataError(". ".join([str(error), *of_labels])) from None
    return [
        *([too_many_rejects] if too_many_rejects else []),
        *of_labels,
        *training_checks.warnings(
            spec,
            assignment.counts,
            left_out=list(assignment.left_out),
            duplicates=assignment.count(DUPLICATE),
            differing=assignment.differing,
            rejects=rejects.counts,
        ),
    ]


def _records(documents: LabelledDocuments, assignment: SplitAssignment, rejects: RejectLog) -> int:
    """Return how many records the source holds; conflicting documents are among the rejects too."""
    return len(documents) + rejects.total - assignment.count(CONFLICTING)


def _read(
    spec: ClassifierSpec,
    access: Access,
    day: date | None,
    folder: Path,
    writer: TrainingFileWriter,
    rejects: RejectLog,
    progress: Progress | None,
) -> LabelledDocuments:
    batches = read_documents(
        spec.labelled,
        access,
        mode=spec.mode,
        label_delimiter=spec.label_delimiter,
        day=day,
        rejects=rejects,
        progress=progress,
    )
    documents = store_documents(
        batches,
        folder,
        write_rows=writer.add,
        delimiter=spec.label_delimiter,
        limit=_MAX_READ,
    )
    if documents is None:
        raise training_checks.too_many(f"more than {_MAX_READ:,} labelled documents")
    if not len(documents):
        raise _nothing(source_of_day(spec.labelled, day).uri or "the query", rejects)
    return documents


def _nothing(source: str, rejects: RejectLog) -> TrainingDataError:
    if not rejects.total:
        return TrainingDataError(
            f"{source} holds no labelled documents; correct labelled in the spec, or add documents"
        )
    reason, _ = rejects.counts.most_common(1)[0]
    return TrainingDataError(
        f"no document of {source} can be used: {number_of(rejects.total, 'document')} rejected, most as "
        f"{reason}: {REASONS[reason].rstrip('.')}"
    )


def _summary(
    spec: ClassifierSpec,
    documents: LabelledDocuments,
    assignment: SplitAssignment,
    training_bytes: int,
    rejects: RejectLog,
    warnings: list[str],
) -> PreparedTraining:
    test_fingerprint = _fingerprint(documents, assignment, TEST)
    settings = {
        **spec.training_settings(),
        "training": _fingerprint(documents, assignment, TRAINING),
        "test": test_fingerprint,
    }
    fingerprint = hashlib.sha256(orjson.dumps(settings, option=orjson.OPT_SORT_KEYS)).hexdigest()
    version = str(VersionName.of(fingerprint))
    home = spec.layout.training(version)
    return PreparedTraining(
        version=version,
        fingerprint=fingerprint,
        test_fingerprint=test_fingerprint,
        training_uri=home.file(TRAINING_FILE),
        test_uri=home.file(TEST_FILE),
        test_documents_uri=home.file(TEST_DOCUMENTS),
        report_uri=home.file(REPORT_FILE),
        rejects_uri=home.file(REJECTS_FILE),
        labels=assignment.counts,
        training_documents=assignment.count(TRAINING),
        test_documents=assignment.count(TEST),
        documents_read=_records(documents, assignment, rejects),
        rejected=rejects.total,
        reject_counts=dict(rejects.counts.most_common()),
        reject_examples=dict(rejects.examples),
        duplicates=assignment.count(DUPLICATE),
        left_out_documents=assignment.count(LEFT_OUT),
        left_out_labels=list(assignment.left_out),
        warnings=warnings,
        training_bytes=training_bytes,
        test_units=_units(documents, assignment.roles == TEST),
    )


def _units(documents: LabelledDocuments, chosen: Flags) -> int:
    """Return the billed units for classifying the chosen documents."""
    return sum(int(units_of(block.characters[chosen[block.indices]]).sum()) for block in documents)


def _fingerprint(documents: LabelledDocuments, assignment: SplitAssignment, role: int) -> str:
    """Return a hash of the documents with a role and their labels, the same in any order of the documents."""
    sums = [0, 0]
    for block in documents:
        flags = assignment.roles[block.indices] == role
        labels = mix(block.labels.select(flags, assignment.labels).hashes(documents.label_hashes))
        for half, texts in enumerate((block.first[flags], block.second[flags])):
            sums[half] += int(np.sum(mix(texts ^ labels), dtype=np.uint64))
    return hashlib.sha256(
        orjson.dumps([assignment.count(role), *(str(value % 2**64) for value in sums)])
    ).hexdigest()


def _report(
    spec: ClassifierSpec,
    documents: LabelledDocuments,
    assignment: SplitAssignment,
    prepared: PreparedTraining,
    rejects: RejectLog,
) -> bytes:
    chosen = (assignment.roles == TRAINING) | (assignment.roles == TEST)
    lengths = text_lengths(documents, chosen, assignment.labels)
    report = {
        "classifier": spec.name,
        "mode": spec.mode,
        **prepared.to_dict(),
        "labels": [
            {"label": label, "documents": sum(count.values()), **count, **lengths[label]}
            for label, count in assignment.counts.items()
        ],
        "rejects": {
            reason: {"documents": count, "remedy": REASONS[reason]}
            for reason, count in sorted(rejects.counts.items())
        },
    }
    return orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
