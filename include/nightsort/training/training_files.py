"""Write the training file, the test file and the test documents.

All rows are appended to the training file while documents are read. The role of a document (training, test,
duplicate, conflicting, left out) is known only when all are read; then the rows that are not for the training
are removed from the file in place. Nearly all rows stay, so this is faster than writing them a second time.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nightsort.arrow.columns import to_numpy
from nightsort.arrow.prefetch import prefetch
from nightsort.layout import TEST_DOCUMENTS, TEST_FILE, TRAINING_FILE
from nightsort.training.checks import check_bytes
from nightsort.training.split_assignment import TEST, TRAINING
from nightsort.training.training_csv import (
    csv_rows,
    row_starts,
    rows_of,
    text_lines,
    texts_of_rows,
    values,
    with_starts,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from nightsort.arrow.columns import Column
    from nightsort.training.document_labels import Flags, Numbers
    from nightsort.training.labelled_documents import DocumentBlock, LabelledDocuments
    from nightsort.training.split_assignment import SplitAssignment

_BLOCK_BYTES: Final = 4_000_000


class TrainingFileWriter:
    """Writes the rows of all documents, in their order, to what becomes the training file.

    :param folder: a local folder for the files.
    :param delimiter: joins the labels of a document; ``None`` where each has one.
    """

    def __init__(self, folder: Path, delimiter: str | None) -> None:
        self.delimiter = delimiter
        self._folder = folder
        self._rows = (folder / TRAINING_FILE).open("wb")

    def add(self, cells: Column, texts: Column) -> Numbers:
        """Append the rows of documents.

        :param cells: the labels of each document, as one text.
        :param texts: the cleaned documents.
        :returns: the size of each row in bytes.
        """
        rows = csv_rows(row_starts(cells), texts)
        self._rows.write(values(rows))
        return to_numpy(pc.binary_length(rows))

    def text(self, offset: int, size: int) -> str:
        """Return a document that was added, before :meth:`finish`.

        :param offset: where its row begins, in bytes.
        :param size: the size of its row.
        """
        self._rows.flush()
        with (self._folder / TRAINING_FILE).open("rb") as file:
            file.seek(offset)
            row = file.read(size).decode()
        return next(csv.reader([row], strict=True))[1]

    def finish(
        self, documents: LabelledDocuments, assignment: SplitAssignment, *, block_bytes: int = _BLOCK_BYTES
    ) -> int:
        """Remove the rows that are not for the training, and write the test file and its documents.

        :param documents: all documents that were added.
        :param assignment: which of them are trained on or tested.
        :param block_bytes: about how many bytes of rows are in memory at a time.
        :returns: the size of the training file in bytes.
        :raises TrainingDataError: the files are larger than Comprehend takes.
        """
        self._rows.close()
        path = self._folder / TRAINING_FILE
        with (
            path.open("rb") as rows_file,
            path.open("r+b") as training,
            (self._folder / TEST_FILE).open("wb") as test,
            (self._folder / TEST_DOCUMENTS).open("wb") as test_documents,
        ):
            for rows in prefetch(self._chosen(rows_file, documents, assignment, block_bytes)):
                # This never overtakes the reading: rows are removed or become shorter, none becomes longer.
                training.write(values(rows.training))
                test.write(values(rows.test))
                test_documents.write(values(rows.test_documents))
            training.truncate()
            check_bytes(training.tell() + test.tell())
            return training.tell()

    def _chosen(
        self,
        rows_file: IO[bytes],
        documents: LabelledDocuments,
        assignment: SplitAssignment,
        block_bytes: int,
    ) -> Generator[_Chosen, None, None]:
        for part in (part for block in documents for part in block.parts(block_bytes)):
            roles = assignment.roles[part.indices]
            rows = rows_of(rows_file.read(int(part.size.sum())), part.size)
            training = self._choose(rows, part, roles == TRAINING, documents, assignment)
            test = self._choose(rows, part, roles == TEST, documents, assignment)
            starts = self._starts(part, roles == TEST, documents, assignment.labels)
            yield _Chosen(training, test, text_lines(texts_of_rows(test, starts)))

    def _choose(
        self,
        rows: Column,
        part: DocumentBlock,
        chosen: Flags,
        documents: LabelledDocuments,
        assignment: SplitAssignment,
    ) -> Column:
        """Return the chosen rows with the labels that are trained on."""
        rows = rows.filter(pa.array(chosen))
        if assignment.labels.all():
            return rows
        before = self._starts(part, chosen, documents, np.ones_like(assignment.labels))
        return with_starts(rows, before, self._starts(part, chosen, documents, assignment.labels))

    def _starts(
        self, part: DocumentBlock, chosen: Flags, documents: LabelledDocuments, labels: Flags
    ) -> Column:
        """Return the starts of the chosen rows, with the flagged labels only."""
        return row_starts(part.labels.select(chosen, labels).cells(documents.name_column, self.delimiter))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._rows.close()


@dataclass(frozen=True)
class _Chosen:
    training: Column
    test: Column
    test_documents: Column
