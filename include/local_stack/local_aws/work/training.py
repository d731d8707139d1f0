"""Train a classifier: the worker's side of CreateDocumentClassifier."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from include.local_stack.local_aws.comprehend.store import now
from include.local_stack.local_aws.learning.labelled_data import (
    LabelledData,
    check_test_data,
    check_training_data,
    read_labelled_data,
)
from include.local_stack.local_aws.learning.metrics import confusion_matrix, decide, evaluation_metrics
from include.local_stack.local_aws.learning.text_classifier import TextClassifier, train
from include.local_stack.local_aws.work.job_output import CONFUSION_MATRIX, write_archive
from include.local_stack.local_aws.work.object_store import ObjectStore
from include.local_stack.local_aws.work.tasks import TrainResult, TrainTask

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEST_SHARE = 0.1
MOST_TEST_DOCUMENTS = 10_000
"""A tenth is split off for testing, capped (real trainings: 557 of 5,573 and 10,000 of 1,000,000)."""

_BLOCK_DOCUMENTS = 4_096
_SEED = 0


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
