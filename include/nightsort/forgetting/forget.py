"""Find documents in all that Nightsort holds, and take them out of it.

Each step can be done again: what says where a document is goes last. Killed at any moment, the next call
does the rest.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from nightsort.batches.manifest import ManifestError
from nightsort.errors import NightsortError
from nightsort.export_names import export_partition, run_of_export_file
from nightsort.forgetting.exported import ExportedFileError, erase_from_exported, find_in_exported
from nightsort.forgetting.holdings import Holdings, RunHoldings
from nightsort.forgetting.run_files import RunFiles
from nightsort.forgetting.trainings import (
    NoListOfDocumentsError,
    erase_from_training,
    find_in_training,
)
from nightsort.sources.source_files import list_files
from nightsort.storage import names_below
from nightsort.tables.forgotten import RunRows, count_documents, delete_documents, run_rows
from nightsort.tables.run_locks import files_alone

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.layout import TrainingFolder
    from nightsort.storage import Access, Progress


def _no_progress(step: str, documents: int) -> None:
    """Show nothing."""


class RunningError(NightsortError):
    """A run has not ended, so its files may not be rewritten: which, and what to do."""


class Forgetting:
    """Some documents of a classifier that are to be forgotten.

    :param spec: the classifier spec.
    :param access: storage.
    :param conn: the database, with autocommit.
    :param document_ids: the ids, as the tables have them.
    :param progress: called with what is being looked through and the documents so far.
    """

    def __init__(
        self,
        spec: ClassifierSpec,
        access: Access,
        conn: psycopg.Connection[Any],
        document_ids: Sequence[str],
        progress: Progress = _no_progress,
    ) -> None:
        self._spec = spec
        self._access = access
        self._conn = conn
        self._named = frozenset(document_ids)
        self._ids: Any = pa.array(sorted(self._named), pa.string())
        self._progress = progress

    def find(self) -> Holdings:
        """Find the documents; nothing is changed.

        :returns: what holds them, and what cannot be searched.
        :raises RunningError: a run of the classifier has not ended.
        """
        known = self._ended_runs()
        rows = count_documents(self._conn, classifier=self._spec.name, document_ids=list(self._named))
        exported, left = self._find_exported()
        holdings = Holdings(left=left)
        seen = 0
        folders = {name.rstrip("/") for name in names_below(self._spec.layout.runs, self._access)}
        with tempfile.TemporaryDirectory(prefix="nightsort-") as scratch:
            for key in sorted(folders | rows.keys() | exported.keys()):
                self._progress(f"looking through run {key}", seen)
                files = (
                    self._files(key, Path(scratch)).find(self._ids, self._named) if key in folders else None
                )
                seen += files.documents if files else 0
                found = RunHoldings(
                    files,
                    rows.get(key, Counter()),
                    exported.get(key, {}),
                    known.get(key, RunRows()).source_uri,
                )
                holdings.left += self._left_in(key, found, known)
                if found.ids or (files and (files.strays or files.lost) and key in known):
                    holdings.runs[key] = found
        self._find_trainings(holdings)
        return holdings

    def erase(self, holdings: Holdings, progress: Progress = _no_progress) -> list[str]:
        """Take the documents out of everything that holds them.

        :param holdings: what :meth:`find` found.
        :param progress: called with what they are being taken out of, and how many they are.
        :returns: what could not be done: what, where and the remedy.
        :raises RunningError: a run of the classifier has begun meanwhile.
        """
        left: list[str] = []
        with tempfile.TemporaryDirectory(prefix="nightsort-") as name:
            scratch = Path(name)
            for done, (key, run) in enumerate(holdings.runs.items(), 1):
                progress(f"run {key}, {done} of {len(holdings.runs)}", len(self._named))
                with files_alone(self._conn, self._spec.name, key):
                    left += self._erase_run(key, run, scratch)
            for version, training in holdings.trainings.items():
                progress(f"training {version}", len(self._named))
                folder = self._training(version)
                left += erase_from_training(folder, training, self._named, self._access, scratch)
        return left

    def _erase_run(self, key: str, run: RunHoldings, scratch: Path) -> list[str]:
        """Take the documents out of a run; its rows go last, so that an interrupted call finds it again."""
        known = self._ended_runs()
        left: list[str] = []
        if run.files is not None:
            files = self._files(key, scratch)
            # Anew, since the run may have been prepared or exported again before the lock was taken.
            found = files.find(self._ids, self._named)
            left += files.erase(found, self._ids, self._named)
            if key in known:
                files.remove_strays(found)
        exported, unread = self._find_exported(key)
        for uri in exported.get(key, ()):
            erase_from_exported(uri, self._ids, self._access, scratch)
        delete_documents(self._conn, classifier=self._spec.name, run_key=key, document_ids=list(self._named))
        return left + unread

    def _ended_runs(self) -> dict[str, RunRows]:
        """Return the runs that the tables know.

        :raises RunningError: one of them has not ended.
        """
        known = run_rows(self._conn, self._spec.name)
        if running := [key for key, run in known.items() if run.running]:
            raise RunningError(
                f"{self._spec.name}: run {', '.join(running)} has not ended, and its files are in use. Wait "
                "until it has ended, then repeat this command; what is done already stays done. If Airflow "
                "has no such run any more, run its day again first"
            )
        return known

    def _left_in(self, key: str, found: RunHoldings, known: dict[str, RunRows]) -> list[str]:
        if found.files is None:
            return []
        folder = self._spec.layout.run(key)
        unknown = [] if key in known else found.files.strays
        return [
            *found.files.damaged,
            *(
                f"{folder.inputs}{name} has no manifest, so nothing says which documents it holds; remove it"
                for name in unknown
            ),
        ]

    def _files(self, key: str, scratch: Path) -> RunFiles:
        return RunFiles(self._spec.layout, key, self._access, scratch)

    def _training(self, version: str) -> TrainingFolder:
        return self._spec.layout.training(version)

    def _find_exported(
        self, run_key: str | None = None
    ) -> tuple[dict[str, dict[str, Counter[str]]], list[str]]:
        """Return the exported files that hold documents, by run and URI, and what cannot be read.

        :param run_key: only the files of this run; ``None``: of all.
        """
        if self._spec.export_uri is None:
            return {}, []
        found: dict[str, dict[str, Counter[str]]] = {}
        left: list[str] = []
        root, classifier = self._spec.export_uri, self._spec.name
        for file in list_files(export_partition(root, classifier, run_key), self._access):
            key = run_of_export_file(file.name.rpartition("/")[2])
            if key is None or run_key not in (None, key):
                continue
            self._progress(f"looking through {file.name}", 0)
            try:
                if ids := find_in_exported(file.uri, self._ids, self._access):
                    found.setdefault(key, {})[file.uri] = ids
            except ExportedFileError as error:
                left.append(str(error))
        return found, left

    def _find_trainings(self, holdings: Holdings) -> None:
        folders = [name for name in names_below(self._spec.layout.trainings, self._access) if name[-1] == "/"]
        for name in folders:
            version = name.rstrip("/")
            self._progress(f"looking through training {version}", 0)
            try:
                found = find_in_training(self._training(version), self._ids, self._named, self._access)
            except (ManifestError, NoListOfDocumentsError) as error:
                holdings.left.append(str(error))
                continue
            if found.ids:
                holdings.trainings[version] = found
