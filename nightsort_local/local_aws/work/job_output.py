"""What Comprehend writes: ``output.tar.gz`` of a job and of a training."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from nightsort.comprehend.limits import Mode
    from nightsort_local.local_aws.work.job_input import Document

PREDICTIONS = "predictions.jsonl"
CONFUSION_MATRIX = "output/confusion_matrix.json"
"""A training's archive is nested one level, a job's is not (seen in real archives)."""

_GZIP_LEVEL = 6


class PredictionLines:
    """Formats predictions as the service does: keys File, Line (a string), Classes or Labels.

    :param mode: MULTI_CLASS writes ``Classes``, MULTI_LABEL writes ``Labels``.
    :param labels: the classifier's labels.
    """

    def __init__(self, mode: Mode, labels: Sequence[str]) -> None:
        self._member = "Classes" if mode == "MULTI_CLASS" else "Labels"
        self._starts = [f'{{"Name": {json.dumps(label)}, "Score": ' for label in labels]

    def format(self, documents: Sequence[Document], columns: NDArray[Any], scores: NDArray[Any]) -> list[str]:
        """Return one line per document, each with its end.

        :param columns: each document's best labels, best first.
        :param scores: their scores.
        """
        starts = self._starts
        lines = []
        for document, best, values in zip(documents, columns.tolist(), scores.tolist(), strict=True):
            classes = ", ".join(
                [f"{starts[column]}{score}}}" for column, score in zip(best, values, strict=True)]
            )
            line = "" if document.line is None else f'"Line": "{document.line}", '
            lines.append(f'{{"File": {json.dumps(document.file)}, {line}"{self._member}": [{classes}]}}\n')
        return lines


def error_line(document: Document) -> str:
    """Return the line of a document that was not classified; its Line is a number, as in sibling jobs."""
    line = {} if document.line is None else {"Line": document.line}
    error = {"ErrorCode": document.error_code, "ErrorMessage": document.error_message}
    return json.dumps({"File": document.file, **line, **error}) + "\n"


def write_archive(archive: Path, file: Path, member: str) -> None:
    """Pack one file into a gzipped tar, under the member's name."""
    with tarfile.open(archive, "w:gz", compresslevel=_GZIP_LEVEL) as tar:
        tar.add(file, arcname=member)
