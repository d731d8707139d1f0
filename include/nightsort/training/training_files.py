"""The training file, the test file and the test documents: drafted as one file while the documents are read,
and put right in place once all of them are known.

What becomes of a document (side, doubles, conflicts, labels left out) is known only when all are read. But
what its row looks like is known at once, and nearly all rows are rows of the training file. So each is
written there as soon as it is read; in the end the rows that do not belong there are taken out, and those
behind move up in the same file. That is a copy within memory, while to keep the texts elsewhere and write
the file in the end costs a second writing of everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nightsort.arrow.columns import to_numpy
from nightsort.arrow.prefetch import prefetch
from nightsort.naming import TEST_DOCUMENTS, TEST_FILE, TRAINING_FILE
from nightsort.training.checks import check_bytes
from nightsort.training.decisions import TEST, TRAINING
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
    from nightsort.training.decisions import Decided
    from nightsort.training.labelled_documents import LabelledDocuments, Stretch
    from nightsort.training.row_labels import Flags, Numbers

_AT_ONCE: Final = 4_000_000


class Drafts:
    """The rows of all documents, in their order, in what becomes the training file.

    :param folder: where the files come to lie; local.
    :param delimiter: joins the labels of a document; ``None`` where each has one.
    """

    def __init__(self, folder: Path, delimiter: str | None) -> None:
        self.delimiter = delimiter
        self._folder = folder
        self._draft = (folder / TRAINING_FILE).open("wb")

    def add(self, cells: Column, texts: Column) -> Numbers:
        """Write documents; return the size of each one's row in bytes.

        :param cells: the labels of each document, as one text.
        :param texts: the cleaned documents.
        """
        rows = csv_rows(row_starts(cells), texts)
        self._draft.write(values(rows))
        return to_numpy(pc.binary_length(rows))

    def finish(self, documents: LabelledDocuments, decided: Decided, *, at_once: int = _AT_ONCE) -> int:
        """Take out what is not to be there, and write the test file and its documents.

        :param documents: all that were added.
        :param at_once: about so many bytes of the draft are in memory at a time.
        :returns: the size of the training file in bytes.
        :raises TrainingDataError: the files are larger than Comprehend takes.
        """
        self._draft.close()
        path = self._folder / TRAINING_FILE
        with (
            path.open("rb") as draft,
            path.open("r+b") as training,
            (self._folder / TEST_FILE).open("wb") as test,
            (self._folder / TEST_DOCUMENTS).open("wb") as test_documents,
        ):
            for rows in prefetch(self._chosen(draft, documents, decided, at_once)):
                # Never beyond what is read: rows are left out or become shorter, none becomes longer.
                training.write(values(rows.training))
                test.write(values(rows.test))
                test_documents.write(values(rows.test_documents))
            training.truncate()
            check_bytes(training.tell() + test.tell())
            return training.tell()

    def _chosen(
        self, draft: IO[bytes], documents: LabelledDocuments, decided: Decided, at_once: int
    ) -> Generator[_Chosen, None, None]:
        for part in (part for stretch in documents for part in stretch.parts(at_once)):
            fates = decided.fates[part.places]
            rows = rows_of(draft.read(int(part.size.sum())), part.size)
            training = self._choose(rows, part, fates == TRAINING, documents, decided)
            test = self._choose(rows, part, fates == TEST, documents, decided)
            starts = self._starts(part, fates == TEST, documents, decided.labels)
            yield _Chosen(training, test, text_lines(texts_of_rows(test, starts)))

    def _choose(
        self, rows: Column, part: Stretch, chosen: Flags, documents: LabelledDocuments, decided: Decided
    ) -> Column:
        """Return the chosen rows with the labels that are trained on."""
        rows = rows.filter(pa.array(chosen))
        if decided.labels.all():
            return rows
        before = self._starts(part, chosen, documents, np.ones_like(decided.labels))
        return with_starts(rows, before, self._starts(part, chosen, documents, decided.labels))

    def _starts(self, part: Stretch, chosen: Flags, documents: LabelledDocuments, labels: Flags) -> Column:
        """Return what stands before the texts of the chosen rows, with some of their labels."""
        return row_starts(part.labels.only(chosen, labels).cells(documents.name_column, self.delimiter))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._draft.close()


@dataclass(frozen=True)
class _Chosen:
    training: Column
    test: Column
    test_documents: Column
