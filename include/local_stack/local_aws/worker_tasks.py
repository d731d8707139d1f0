"""The two kinds of work that worker processes do: train a classifier, run a classification job."""

from __future__ import annotations

import json
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from include.local_stack.local_aws.job_input import read_job_input
from include.local_stack.local_aws.job_output import (
    CONFUSION_MATRIX,
    PREDICTIONS,
    PredictionLines,
    error_line,
    write_archive,
)
from include.local_stack.local_aws.labelled_data import (
    LabelledData,
    check_test_data,
    check_training_data,
    read_labelled_data,
)
from include.local_stack.local_aws.metrics import confusion_matrix, decide, evaluation_metrics
from include.local_stack.local_aws.object_store import ObjectStore
from include.local_stack.local_aws.store import now
from include.local_stack.local_aws.tasks import ClassifyTask, TaskError, TrainResult, TrainTask
from include.local_stack.local_aws.text_classifier import TextClassifier, train

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from include.local_stack.local_aws.job_input import Document
    from include.local_stack.local_aws.tasks import Task

TEST_SHARE = 0.1
MOST_TEST_DOCUMENTS = 10_000
"""A tenth is split off for testing, capped (real trainings: 557 of 5,573 and 10,000 of 1,000,000)."""

_BLOCK_DOCUMENTS = 4_096
_BLOCK_CHARACTERS = 4_000_000
_SEED = 0


def run(task: Task) -> TrainResult | None:
    """Do a piece of work.

    Raises:
        TaskError: it cannot be done; the text is for the caller of the API.
    """
    if isinstance(task, TrainTask):
        return run_training(task)
    run_job(task)
    return None


def run_training(task: TrainTask) -> TrainResult:
    """Train and evaluate a classifier, write the model and the output archive."""
    store = ObjectStore(task.endpoint, task.region)
    data = read_labelled_data(store, task.training, task.mode, task.delimiter)
    check_training_data(data, task.mode, task.least_per_label)
    skipped = data.skipped
    if task.test is None:
        data, test = split(data)
    else:
        test = read_labelled_data(store, task.test, task.mode, task.delimiter)
        check_test_data(test, data.labels)
        skipped += test.skipped
    started = now()
    classifier = train(task.mode, data.labels, data.counts, data.carries)
    actual, decided = test.carries.toarray() != 0, _decide(classifier, test)
    if task.output is not None:
        _write_confusion_matrix(store, task.output, confusion_matrix(actual, decided, task.mode, data.labels))
    classifier.save(Path(task.model_file))
    metadata = {
        "NumberOfLabels": len(data.labels),
        "NumberOfTrainedDocuments": len(data),
        "NumberOfTestDocuments": len(test),
        "EvaluationMetrics": evaluation_metrics(actual, decided, task.mode),
    }
    return TrainResult(started=started, ended=now(), metadata=metadata, skipped=skipped)


def run_job(task: ClassifyTask) -> None:
    """Classify every document of a job and write the archive."""
    store = ObjectStore(task.endpoint, task.region)
    classifier = _load(task.model_file)
    formatter = PredictionLines(classifier.mode, classifier.labels)
    with tempfile.TemporaryDirectory(prefix="nightsort-job-") as folder:
        lines = Path(folder, PREDICTIONS)
        with lines.open("w", encoding="utf-8", newline="", buffering=1 << 20) as file:
            for block in _blocks(read_job_input(store, task.source, task.one_per_line)):
                texts = [(document, document.text) for document in block if document.text is not None]
                good = [document for document, _ in texts]
                written = iter(
                    formatter.format(good, *classifier.classify([t for _, t in texts])) if good else ()
                )
                for document in block:
                    file.write(error_line(document) if document.text is None else next(written))
        archive = Path(folder, "output.tar.gz")
        write_archive(archive, lines, PREDICTIONS)
        store.upload(archive, task.output)


def split(data: LabelledData) -> tuple[LabelledData, LabelledData]:
    """Return training and test documents of data that came without a test set."""
    number = min(int(len(data) * TEST_SHARE), MOST_TEST_DOCUMENTS)
    shuffled = np.random.RandomState(_SEED).permutation(len(data))
    return data.rows(np.sort(shuffled[number:])), data.rows(np.sort(shuffled[:number]))


def _decide(classifier: TextClassifier, test: LabelledData) -> NDArray[np.bool_]:
    blocks = range(0, len(test), _BLOCK_DOCUMENTS)
    best = [classifier.best(test.counts[start : start + _BLOCK_DOCUMENTS]) for start in blocks]
    return np.concatenate(
        [decide(classifier.mode, len(classifier.labels), columns, scores) for columns, scores in best]
    )


def _write_confusion_matrix(store: ObjectStore, uri: str, content: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory(prefix="nightsort-training-") as folder:
        file = Path(folder, "confusion_matrix.json")
        file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        archive = Path(folder, "output.tar.gz")
        write_archive(archive, file, CONFUSION_MATRIX)
        store.upload(archive, uri)


@lru_cache(maxsize=1)
def _load(model_file: str) -> TextClassifier:
    # A night's jobs all use the same classifier, and a model may be hundreds of megabytes.
    try:
        return TextClassifier.load(Path(model_file))
    except FileNotFoundError as error:
        raise TaskError("INTERNAL_ERROR: The classifier's model is gone.") from error


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
