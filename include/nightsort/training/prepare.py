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

from nightsort.arrow.hashing import mix
from nightsort.comprehend import limits
from nightsort.comprehend.prices import units_of
from nightsort.naming import (
    REJECTS_FILE,
    REPORT_FILE,
    TEST_DOCUMENTS,
    TEST_FILE,
    TRAINING_FILE,
    VersionName,
)
from nightsort.sources.documents import read_documents
from nightsort.sources.rejects import REASONS, RejectLog
from nightsort.storage import upload
from nightsort.training import checks as training_checks
from nightsort.training.checks import Counts, TrainingDataError
from nightsort.training.conflicts import reject_conflicts
from nightsort.training.decisions import AGAIN, CONFLICTING, LEFT_OUT, TEST, TRAINING, Decided, decide
from nightsort.training.labelled_documents import LabelledDocuments, spool
from nightsort.training.lengths import text_lengths
from nightsort.training.training_files import Drafts

if TYPE_CHECKING:
    from datetime import date

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.storage import Access, Progress
    from nightsort.training.row_labels import Flags

__all__ = ["PreparedTraining", "TrainingDataError", "prepare_training_data"]

log = logging.getLogger(__name__)

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
    with tempfile.TemporaryDirectory(prefix="nightsort-") as name:
        folder = Path(name)
        with (
            RejectLog(folder / REJECTS_FILE) as rejects,
            Drafts(folder, spec.label_delimiter) as drafts,
        ):
            documents = _read(spec, access, day, folder, drafts, rejects, progress)
            decided = decide(spec, documents)
            if progress is not None:
                progress("writing the training data", len(documents))
            reject_conflicts(documents, decided, rejects)
            training_bytes = drafts.finish(documents, decided)
        prepared = _summary(spec, documents, decided, training_bytes, rejects)
        (folder / REPORT_FILE).write_bytes(_report(spec, documents, decided, prepared, rejects))
        home = spec.layout.training(prepared.version)
        for file in (TRAINING_FILE, TEST_FILE, TEST_DOCUMENTS, REJECTS_FILE, REPORT_FILE):
            if progress is not None:
                progress(f"uploading {file}", len(documents))
            upload(folder / file, home.file(file), access, move=True)
    log.info("%s: %s has %d documents", spec.name, prepared.version, prepared.training_documents)
    return prepared


def _read(
    spec: ClassifierSpec,
    access: Access,
    day: date | None,
    folder: Path,
    drafts: Drafts,
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
    documents = spool(batches, folder, drafts, most=_MOST_READ, with_ids=spec.mode == "MULTI_CLASS")
    if documents is None:
        raise training_checks.too_many(f"more than {_MOST_READ:,} labelled documents")
    if not len(documents):
        raise _nothing(spec.labelled.at(day).uri or "the query", rejects)
    return documents


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


def _summary(
    spec: ClassifierSpec,
    documents: LabelledDocuments,
    decided: Decided,
    training_bytes: int,
    rejects: RejectLog,
) -> PreparedTraining:
    test_fingerprint = _fingerprint(documents, decided, TEST)
    settings = {
        **spec.training_settings(),
        "training": _fingerprint(documents, decided, TRAINING),
        "test": test_fingerprint,
    }
    fingerprint = hashlib.sha256(orjson.dumps(settings, option=orjson.OPT_SORT_KEYS)).hexdigest()
    version = str(VersionName.of(fingerprint))
    home = spec.layout.training(version)
    doubles = decided.count(AGAIN)
    return PreparedTraining(
        version=version,
        fingerprint=fingerprint,
        test_fingerprint=test_fingerprint,
        training_uri=home.file(TRAINING_FILE),
        test_uri=home.file(TEST_FILE),
        test_documents_uri=home.file(TEST_DOCUMENTS),
        report_uri=home.file(REPORT_FILE),
        rejects_uri=home.file(REJECTS_FILE),
        labels=decided.counts,
        training_documents=decided.count(TRAINING),
        test_documents=decided.count(TEST),
        documents_read=len(documents) + rejects.total - decided.count(CONFLICTING),
        rejected=rejects.total,
        doubles=doubles,
        left_out_documents=decided.count(LEFT_OUT),
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
        test_units=_units(documents, decided.fates == TEST),
    )


def _units(documents: LabelledDocuments, chosen: Flags) -> int:
    """Return what classifying the chosen documents is billed as."""
    return sum(int(units_of(stretch.characters[chosen[stretch.places]]).sum()) for stretch in documents)


def _fingerprint(documents: LabelledDocuments, decided: Decided, fate: int) -> str:
    """Return a hash of the documents of one fate and their labels, the same in whatever order they come."""
    sums = [0, 0]
    for stretch in documents:
        flags = decided.fates[stretch.places] == fate
        labels = mix(stretch.labels.only(flags, decided.labels).hashes(documents.label_hashes))
        for place, texts in enumerate((stretch.first[flags], stretch.second[flags])):
            sums[place] += int(np.sum(mix(texts ^ labels), dtype=np.uint64))
    return hashlib.sha256(
        orjson.dumps([decided.count(fate), *(str(value % 2**64) for value in sums)])
    ).hexdigest()


def _report(
    spec: ClassifierSpec,
    documents: LabelledDocuments,
    decided: Decided,
    prepared: PreparedTraining,
    rejects: RejectLog,
) -> bytes:
    chosen = (decided.fates == TRAINING) | (decided.fates == TEST)
    lengths = text_lengths(documents, chosen, decided.labels)
    report = {
        "classifier": spec.name,
        "mode": spec.mode,
        **prepared.to_dict(),
        "labels": [
            {"label": label, "documents": sum(count.values()), **count, **lengths[label]}
            for label, count in decided.counts.items()
        ],
        "rejects": {
            reason: {"documents": count, "remedy": REASONS[reason]}
            for reason, count in sorted(rejects.counts.items())
        },
    }
    return orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
