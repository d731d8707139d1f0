"""The files below ``work_uri``: every URI of a training, a run, what is kept for reuse and the exports.

Nothing else puts a path together, so what one task writes another one finds.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from typing import Final

S3: Final = "s3://"

TRAINING_FILE: Final = "training.csv"
TEST_FILE: Final = "test.csv"
TEST_DOCUMENTS: Final = "test.txt"
REPORT_FILE: Final = "report.json"
REJECTS_FILE: Final = "rejects.jsonl"
DOCUMENTS_FILE: Final = "documents.parquet"
PLAN_FILE: Final = "batches.json"
UNSCORED_FILE: Final = re.compile(r"unscored-(.+)\.txt")
"""Names :meth:`TrainingFolder.unscored`."""

REUSED_FILE: Final = re.compile(r"reused-(.+)\.parquet")
"""Names :meth:`RunFolder.reused`."""

_IN_RUN: Final = re.compile(
    r"(.*/)(runs|training)/(?:\d{8}(?:-[0-9a-f]{8})?|v[0-9a-f]{12}(?:-g[1-9]\d*)?)/([^/]+)(?:/.*)?"
)
_SAFE_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,199}")


def local_path(uri: str) -> str:
    """Return the absolute path that a URI which is not on S3 means.

    :param uri: ``file:///folder/``, ``/folder/`` or ``folder/``.
    :returns: the path; it ends in ``/`` where the URI does.
    """
    path = uri.removeprefix("file://")
    return f"{os.path.abspath(path)}{'/' if path.endswith('/') else ''}"


def without_run(uri: str) -> str:
    """Return a URI below a ``work_uri`` without what differs from run to run, or from version to version.

    :param uri: any URI; one that is not of a run or a version is returned as it is.
    :returns: for instance ``s3://bucket/work/runs/input`` for the input of a batch.
    """
    return f"{found[1]}{found[2]}/{found[3]}" if (found := _IN_RUN.fullmatch(uri)) else uri


def document_file(document_id: str) -> str:
    """Return the name of a document's file in ONE_DOC_PER_FILE: its id, or a hash where that is no safe name.

    A hash begins with an underscore and an id that is a safe name does not, so two ids never share a name.

    :param document_id: any text.
    :returns: the file's name; the manifest says which document it is.
    """
    if _SAFE_FILE_NAME.fullmatch(document_id):
        return document_id
    return f"_{hashlib.sha256(document_id.encode()).hexdigest()[:40]}"


def forgotten_file(position: int) -> str:
    """Return the name of what stands in the place of a forgotten document in ONE_DOC_PER_FILE.

    No document has this name, see :func:`document_file`.

    :param position: of the document in its batch.
    :returns: the file's name.
    """
    return f"_forgotten-{position}"


def line_file(position: int) -> str:
    """Return the name of a document's file in ONE_DOC_PER_FILE that was another document's, now forgotten.

    No document has this name, see :func:`document_file`.

    :param position: of the line in its batch.
    :returns: the file's name.
    """
    return f"_line-{position}"


def batch_file(batch: str) -> str:
    """Return the name of a batch's file where all of its documents are in one.

    :param batch: name of the batch.
    :returns: the file's name.
    """
    return f"{batch}.txt"


@dataclass(frozen=True)
class TrainingFolder:
    """What lies below ``<work_uri>/training/<version>``.

    :param uri: without a slash at its end.
    """

    uri: str

    def file(self, name: str) -> str:
        """Return the URI of one of Nightsort's files, for instance :data:`TRAINING_FILE`."""
        return f"{self.uri}/{name}"

    @property
    def output(self) -> str:
        """Where Comprehend writes the confusion matrix."""
        return f"{self.uri}/output/"

    @property
    def scores(self) -> str:
        """Where Comprehend writes what an active version says of the test documents."""
        return f"{self.uri}/scores/"

    def known_scores(self, version: str) -> str:
        """Return where it is kept what a version has said of the test documents in earlier runs."""
        return self.file(f"known-{version}.parquet")

    def unscored(self, version: str) -> str:
        """Return where the other test documents are, which the version has to be asked about."""
        return self.file(f"unscored-{version}.txt")


@dataclass(frozen=True)
class RunFolder:
    """What lies below ``<work_uri>/runs/<run key>``.

    :param uri: without a slash at its end.
    """

    uri: str

    def file(self, name: str) -> str:
        """Return the URI of :data:`PLAN_FILE` or :data:`REJECTS_FILE`."""
        return f"{self.uri}/{name}"

    def reused(self, version: str) -> str:
        """Return where the documents are whose texts a version had classified in earlier runs."""
        return self.file(f"reused-{version}.parquet")

    def input(self, batch: str, *, per_file: bool) -> str:
        """Return what the job of a batch or retry reads: an object, or a prefix with a file a document."""
        return f"{self.inputs}{batch}/" if per_file else f"{self.inputs}{batch_file(batch)}"

    @property
    def inputs(self) -> str:
        """What the inputs of all batches and retries lie below."""
        return f"{self.uri}/input/"

    def manifest(self, batch: str) -> str:
        """Return where the manifest of a batch or retry lies."""
        return f"{self.manifests}{batch}.parquet"

    @property
    def manifests(self) -> str:
        """What the manifests of all batches and retries lie below."""
        return f"{self.uri}/manifests/"

    @property
    def output(self) -> str:
        """Where Comprehend writes. It does not contain the input: Comprehend takes a prefix as plain text."""
        return f"{self.uri}/output/"

    def answers(self, batch: str, version: str) -> str:
        """Return what the answers of an endpoint to a batch lie below; a job's output has other names."""
        return f"{self.output}{batch}-{version}/"


@dataclass(frozen=True)
class WorkLayout:
    """What lies below a spec's ``work_uri``.

    :param work_uri: with or without a slash at its end; here is the only place where that is decided.
    """

    work_uri: str

    @property
    def trainings(self) -> str:
        """What the folders of all trainings lie below."""
        return _below(self.work_uri, "training/")

    def training(self, version: str) -> TrainingFolder:
        """Return the folder of a version's training data, which all generations of the version share."""
        return TrainingFolder(f"{self.trainings}{version}")

    @property
    def failed_training(self) -> TrainingFolder:
        """The folder for the rejects of a training that could not be prepared, and so has no version."""
        return self.training("failed")

    def run(self, run_key: str) -> RunFolder:
        """Return the folder of a run."""
        return RunFolder(f"{self.runs}{run_key}")

    @property
    def runs(self) -> str:
        """What the folders of all runs lie below."""
        return _below(self.work_uri, "runs/")

    @property
    def reuse(self) -> str:
        """What the results that may be used again lie below."""
        return _below(self.work_uri, "reuse/")

    def results_of_version(self, version: str) -> str:
        """Return what the results of a version lie below, a folder for each run."""
        return f"{self.reuse}{version}/"

    def stored_results(self, version: str, run_key: str, batch: str) -> str:
        """Return where the results of a batch lie that may be used again."""
        return f"{self.results_of_version(version)}{run_key}/{batch}.parquet"

    @property
    def exports(self) -> str:
        """What the partitions of the export lie below, where the spec names no other place."""
        return _below(self.work_uri, "predictions")


def _below(uri: str, path: str) -> str:
    return f"{uri.rstrip('/')}/{path}"
