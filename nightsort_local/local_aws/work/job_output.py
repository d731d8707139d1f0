"""Write the ``output.tar.gz`` of a job and of a training."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from nightsort.comprehend.limits import Mode
    from nightsort_local.local_aws.work.job_input import Document

PREDICTIONS = "predictions.jsonl"
CONFUSION_MATRIX = "output/confusion_matrix.json"
"""The member of a training's archive. It has a folder, that of a job has none (seen in real archives)."""

_GZIP_LEVEL = 6


class PredictionLines:
    """Format predictions as the service does, with the keys File, Line (a string) and Classes or Labels.

    :param mode: MULTI_CLASS writes ``Classes``, MULTI_LABEL writes ``Labels``.
    :param labels: the classifier's labels.
    """

    def __init__(self, mode: Mode, labels: Sequence[str]) -> None:
        self._member = "Classes" if mode == "MULTI_CLASS" else "Labels"
        self._starts = [f'{{"Name": {json.dumps(label)}, "Score": ' for label in labels]

    def format(
        self, documents: Sequence[Document], columns: NDArray[np.int64], scores: NDArray[np.float64]
    ) -> list[str]:
        """Return one line per document, with its line end.

        :param columns: label indices, best first; shape (documents, returned labels), int64.
        :param scores: the scores of these labels; same shape, float64.
        """
        starts = self._starts
        lines = []
        for document, best, values in zip(documents, columns.tolist(), scores.tolist(), strict=True):
            classes = ", ".join(
                [f"{starts[column]}{score}}}" for column, score in zip(best, values, strict=True)]
            )
            head = f'"File": {json.dumps(document.file)}, "Line": "{document.line}"'
            lines.append(f'{{{head}, "{self._member}": [{classes}]}}\n')
        return lines


def error_line(document: Document) -> str:
    """Return the line of a document with an error; its Line is a number, as in other asynchronous jobs."""
    content = {
        "File": document.file,
        "Line": document.line,
        "ErrorCode": document.error_code,
        "ErrorMessage": document.error_message,
    }
    return json.dumps(content) + "\n"


def write_archive(archive: Path, file: Path, member: str) -> None:
    """Write a gzipped tar with one file, under the member's name."""
    with tarfile.open(archive, "w:gz", compresslevel=_GZIP_LEVEL) as tar:
        tar.add(file, arcname=member)
