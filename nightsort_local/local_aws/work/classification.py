"""Run a classification job in a worker (StartDocumentClassificationJob)."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from nightsort_local.local_aws.faults.fault_types import OutputMissing
from nightsort_local.local_aws.learning.text_classifier import TextClassifier
from nightsort_local.local_aws.task_errors import TaskError
from nightsort_local.local_aws.work.job_input import read_job_input
from nightsort_local.local_aws.work.job_output import (
    PREDICTIONS,
    PredictionLines,
    error_line,
    write_archive,
)
from nightsort_local.local_aws.work.object_store import ObjectStore
from nightsort_local.local_aws.work.output_faults import spoil_archive, spoil_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nightsort_local.local_aws.work.job_input import Document
    from nightsort_local.local_aws.work.tasks import ClassifyTask

_BLOCK_DOCUMENTS = 4_096
_BLOCK_CHARACTERS = 4_000_000


def run_job(task: ClassifyTask) -> None:
    """Classify every document of a job and write the archive."""
    store = ObjectStore(task.endpoint, task.region, task.credentials)
    classifier = _load(task.model_file)
    formatter = PredictionLines(classifier.mode, classifier.labels)
    with tempfile.TemporaryDirectory(prefix="nightsort-job-") as folder:
        lines = Path(folder, PREDICTIONS)
        with lines.open("w", encoding="utf-8", newline="", buffering=1 << 20) as file:
            for block in _blocks(read_job_input(store, task.source, task.one_per_line)):
                file.writelines(_output_lines(block, classifier, formatter))
        spoil_lines(lines, task.faults)
        archive = Path(folder, "output.tar.gz")
        write_archive(archive, lines, PREDICTIONS)
        spoil_archive(archive, task.faults)
        if not any(isinstance(fault, OutputMissing) for fault in task.faults):
            store.upload(archive, task.output)


def _output_lines(
    block: list[Document], classifier: TextClassifier, formatter: PredictionLines
) -> Iterator[str]:
    """Yield one line per document, in the order of the block."""
    texts = [(document, document.text) for document in block if document.text is not None]
    readable = [document for document, _ in texts]
    predictions = iter(
        formatter.format(readable, *classifier.classify([text for _, text in texts])) if readable else ()
    )
    for document in block:
        yield error_line(document) if document.text is None else next(predictions)


@lru_cache(maxsize=1)
def _load(model_file: str) -> TextClassifier:
    # The jobs of a night use the same classifier, and a model can have hundreds of megabytes.
    try:
        return TextClassifier.load(Path(model_file))
    except FileNotFoundError as error:
        raise TaskError("INTERNAL_ERROR: The classifier's model file is missing.") from error


def _blocks(documents: Iterator[Document]) -> Iterator[list[Document]]:
    block: list[Document] = []
    characters = 0
    for document in documents:
        block.append(document)
        characters += len(document.text or "")
        if len(block) == _BLOCK_DOCUMENTS or characters > _BLOCK_CHARACTERS:
            yield block
            block, characters = [], 0
    if block:
        yield block
