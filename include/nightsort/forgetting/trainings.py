"""Find documents in the data of a training, and overwrite them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from nightsort.errors import NightsortError
from nightsort.forgetting.lines import LineMissingError, filler, overwrite_lines
from nightsort.forgetting.manifests import Found, erase_from_manifest, find_in_manifest
from nightsort.forgetting.rejects import FoundRejects, erase_from_rejects, find_in_rejects
from nightsort.layout import (
    DOCUMENTS_FILE,
    REJECTS_FILE,
    REPORT_FILE,
    TEST_DOCUMENTS,
    TEST_FILE,
    TRAINING_FILE,
    UNSCORED_FILE,
)
from nightsort.storage import download, names_below, remove_file, upload_whole
from nightsort.training.scoring import known_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from nightsort.arrow.columns import Column
    from nightsort.forgetting.lines import Positions
    from nightsort.layout import TrainingFolder
    from nightsort.storage import Access

_LABELS: Final = re.compile(rb'(?:"(?:[^"]|"")*"|[^",]*),"')
"""The labels of a row of a training file, and the quote behind which the document begins."""


class NoListOfDocumentsError(NightsortError):
    """A training of an earlier release: which, and what to do."""


@dataclass(frozen=True)
class FoundTraining:
    """Documents in the data of a training.

    :param documents: in its training and test data; ``None``: it has neither, only rejects.
    :param rejects: among its rejects.
    """

    documents: Found | None
    rejects: FoundRejects

    @property
    def ids(self) -> Counter[str]:
        """How often each id is there."""
        return self.rejects.ids + (self.documents.ids if self.documents else Counter())


def find_in_training(
    folder: TrainingFolder, ids: Column, named: Collection[str], access: Access
) -> FoundTraining:
    """Find documents in the data of a training.

    :param folder: of the training.
    :param ids: the ids.
    :param named: the same ids.
    :param access: storage.
    :raises ManifestError: its list of documents cannot be read.
    :raises NoListOfDocumentsError: it has none.
    """
    names = names_below(f"{folder.uri}/", access)
    found = None
    if DOCUMENTS_FILE in names:
        found = find_in_manifest(folder.file(DOCUMENTS_FILE), ids, access)
    elif TRAINING_FILE in names:
        raise NoListOfDocumentsError(
            f"{folder.uri}/ was written by an earlier release and does not say which documents it holds; "
            "remove its training.csv, test.csv and test.txt: no task reads them once the version is decided"
        )
    return FoundTraining(found, find_in_rejects(folder.file(REJECTS_FILE), named, access))


def erase_from_training(
    folder: TrainingFolder, found: FoundTraining, named: Collection[str], access: Access, scratch: Path
) -> Iterator[str]:
    """Overwrite documents in the data of a training; what says which they are is written last.

    The labels of a training or test document stay, so that all counts and metrics do.

    :param folder: of the training.
    :param found: the documents.
    :param named: their ids.
    :param access: storage.
    :param scratch: a local folder.
    :returns: what could not be done, one after the other.
    """
    documents = found.documents
    if documents is not None and documents.ids:
        for name, lines_of, replaced in _FILES:
            lines = documents.lines_of(lines_of)
            if problem := _overwrite(folder.file(name), lines, replaced, access, scratch / name):
                yield problem
        for name, lines in _unscored(folder, documents.lines_of(TEST_FILE), access):
            if problem := _overwrite(folder.file(name), lines, _nothing_said, access, scratch / name):
                yield problem
        erase_from_manifest(folder.file(DOCUMENTS_FILE), documents, access, scratch, per_file=False)
    if found.rejects.ids:
        _erase_examples(folder.file(REPORT_FILE), found.rejects.places, access, scratch)
        erase_from_rejects(folder.file(REJECTS_FILE), named, access, scratch)


def _unscored(folder: TrainingFolder, lines: Positions, access: Access) -> Iterator[tuple[str, Positions]]:
    """Yield the inputs of jobs that scored an active version, with the lines of test documents in each."""
    for name in names_below(f"{folder.uri}/", access):
        if (found := UNSCORED_FILE.fullmatch(name)) is None:
            continue
        try:
            known = known_lines(access.path(folder.known_scores(found[1])))
        except FileNotFoundError:
            # An attempt that crashed has left it, and no job reads it.
            remove_file(folder.file(name), access)
            continue
        left = np.setdiff1d(lines, known)
        # Each known document before a line moves it up by one.
        yield name, left - np.searchsorted(known, left)


def _overwrite(
    uri: str, lines: Positions, replaced: Callable[[bytes], bytes], access: Access, local: Path
) -> str | None:
    """Overwrite lines of a file; return what could not be done."""
    if not len(lines):
        return None
    try:
        download(uri, local, access)
        if overwrite_lines(local, lines, replaced):
            upload_whole(local, uri, access)
    except FileNotFoundError:
        # A lifecycle rule has removed the file.
        return None
    except LineMissingError as error:
        return f"{uri}: {error}"
    return None


def _without_text(row: bytes) -> bytes:
    """Return a row of a training file whose document says nothing."""
    labels = _LABELS.match(row)
    if labels is None or not row.endswith(b'"'):
        return filler(len(row))
    return b"".join((labels[0], filler(len(row) - labels.end() - 1), b'"'))


def _nothing_said(line: bytes) -> bytes:
    return filler(len(line))


_FILES: Final = (
    (TRAINING_FILE, TRAINING_FILE, _without_text),
    (TEST_FILE, TEST_FILE, _without_text),
    (TEST_DOCUMENTS, TEST_FILE, _nothing_said),
)
"""Each file with documents, the file whose lines the list counts, and what takes the place of a line."""


def _erase_examples(uri: str, places: Collection[tuple[str, int]], access: Access, scratch: Path) -> None:
    """Take the examples of rejects out of the report: without an id of its own, a place is an id."""
    try:
        report: dict[str, Any] = orjson.loads(access.path(uri).read_bytes())
    except FileNotFoundError:
        return
    examples = report.get("reject_examples", {})
    left = {
        reason: [shown for shown in of_reason if not _is_about(shown, places)]
        for reason, of_reason in examples.items()
    }
    if left == examples:
        return
    local = scratch / REPORT_FILE
    report["reject_examples"] = left
    local.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    upload_whole(local, uri, access)


def _is_about(example: str, places: Collection[tuple[str, int]]) -> bool:
    return any(
        example == f"{file} row {row}" or example.startswith(f"{file} row {row} (") for file, row in places
    )
