"""Documents that are not sent to Comprehend: why, and what to do about it."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

import orjson

from nightsort.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self
    from upath import UPath

REASONS: Final = {
    "annotation_failed": "Ground Truth could not label the document; label it again, or leave it out.",
    "blank": "The text is empty or has no visible character; write one, or leave the document out.",
    "conflicting_labels": "Other rows have the same text with a different label; decide for one label.",
    "duplicate_id": "An earlier document of this run has the same id; give each document its own.",
    "id_too_long": "The id has more bytes than the tables can index; use a shorter one.",
    "invalid_utf8": (
        "The bytes are not UTF-8 (or what encoding in the spec says); say  encoding: cp1252  in the spec for "
        "files from Excel on Windows, or save the files as UTF-8."
    ),
    "label_too_long": "The label has more characters than Comprehend takes (5,000); shorten it.",
    "missing_id": "The id is empty; fill it in, or leave id_column out of the spec.",
    "no_label": "The label is empty; fill it in, or leave the document out.",
    "not_text": "The file is not plain text; the detail says what it looks like, and what to do.",
    "several_labels": "MULTI_CLASS takes one label per document; decide for one, or use MULTI_LABEL.",
    "too_large": "The document is larger than Comprehend takes (10 MB); split or shorten it.",
    "too_many_labels": (
        "The row has more than 1,000 labels, and Comprehend takes 100 for all documents together; correct it."
    ),
    "unreadable_row": "The row does not fit the format; the detail says what is wrong with it.",
}
"""Every reason for which a document is rejected, with the remedy."""

MAX_EXAMPLES: Final = 3
"""Examples of each reason that a person is shown; the log itself has all rejects."""

MAX_LABELS_OF_REJECT: Final = 100
"""So many labels of a rejected document are counted; a damaged one may have millions."""

FORGOTTEN: Final = b"null"
"""The line of a forgotten reject, so that the others keep theirs."""

_MAX_LABELS: Final = 10_000


def forgotten_rejects(path: UPath) -> int:
    """Return how many rejects of a file are forgotten: each has left a line ``null``.

    :param path: the file.
    """
    with path.open("rb") as lines:
        return sum(line.strip() == FORGOTTEN for line in lines)


class RejectLog:
    """Writes rejects to a local file, one JSON object per line, and counts them.

    A line has ``document_id``, ``file``, ``row``, ``reason`` and ``detail``; never the text of the document.

    :attr:`examples` has for each reason where the first documents were, and :attr:`labels` for each label the
    reasons for which its documents were rejected.

    :param path: the file, written anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self.examples: defaultdict[str, list[str]] = defaultdict(list)
        self.labels: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._file = path.open("wb")

    @property
    def total(self) -> int:
        """Documents rejected so far."""
        return self.counts.total()

    def shown(self) -> str:
        """Return how many documents were rejected for each reason, with an example, for a message."""
        return "; ".join(
            f"{reason} {count:,}, for instance {self.examples[reason][0]}"
            for reason, count in self.counts.most_common()
        )

    def add(
        self,
        *,
        document_id: str,
        file: str,
        row: int,
        reason: str,
        detail: str | None = None,
        labels: Sequence[str] = (),
    ) -> None:
        """Reject one document.

        :param document_id: its id; ``<file>:<row>`` where it has none.
        :param file: the file it came from, relative to the source's prefix.
        :param row: its row in that file, from 0.
        :param reason: a key of :data:`REASONS`.
        :param detail: what a person needs to find the mistake; never text of the document.
        :param labels: its labels, as far as they are known; counted, not written.
        :raises KeyError: the reason is not one of :data:`REASONS`.
        """
        if reason not in REASONS:
            raise KeyError(f"{reason} is not a reason for a reject; add it to REASONS with its remedy")
        self.counts[reason] += 1
        if len(examples := self.examples[reason]) < MAX_EXAMPLES:
            examples.append(one_line(f"{file} row {row}{f' ({detail})' if detail else ''}"))
        for label in labels:
            if label in self.labels or len(self.labels) < _MAX_LABELS:
                self.labels[label][reason] += 1
        line = {"document_id": document_id, "file": file, "row": row, "reason": reason, "detail": detail}
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
