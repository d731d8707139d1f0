"""Run a training in a worker (CreateDocumentClassifier)."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nightsort_local.local_aws.clock import now
from nightsort_local.local_aws.learning.labelled_data import (
    LabelledData,
    check_test_data,
    check_training_data,
)
from nightsort_local.local_aws.learning.metrics import confusion_matrix, evaluation_metrics, predicted_labels
from nightsort_local.local_aws.learning.text_classifier import TextClassifier, train
from nightsort_local.local_aws.work.job_output import CONFUSION_MATRIX, write_archive
from nightsort_local.local_aws.work.object_store import ObjectStore
from nightsort_local.local_aws.work.tasks import TrainResult, TrainTask
from nightsort_local.local_aws.work.training_data import read_labelled_data, sources_of

if TYPE_CHECKING:
    from scipy import sparse


TEST_SHARE = 0.1
MAX_TEST_DOCUMENTS = 10_000
"""Without test data, a tenth is split off, but no more than this (real trainings: 557 of 5,573 documents and
10,000 of 1,000,000)."""

_BLOCK_DOCUMENTS = 4_096
_SEED = 0


def run_training(task: TrainTask) -> TrainResult:
    """Train and evaluate a classifier; write the model and the output archive."""
    store = ObjectStore(task.endpoint, task.region, task.credentials)
    data = read_labelled_data(store, sources_of(store, task, "TRAIN"))
    check_training_data(data, task.mode, task.min_per_label)
    warnings = _warnings(data, "training")
    tests = sources_of(store, task, "TEST")
    if tests:
        test = read_labelled_data(store, tests)
        check_test_data(test, data.labels)
        warnings += _warnings(test, "test")
    else:
        data, test = split(data)
    started = now()
    classifier = train(task.mode, data.labels, data.counts, data.carries)
    actual, predicted = test.carries.tocsr(), _predict(classifier, test)
    if task.output is not None:
        _write_confusion_matrix(
            store, task.output, confusion_matrix(actual, predicted, task.mode, data.labels)
        )
    classifier.save(Path(task.model_file))
    metadata = {
        "NumberOfLabels": len(data.labels),
        "NumberOfTrainedDocuments": len(data),
        "NumberOfTestDocuments": len(test),
        "EvaluationMetrics": evaluation_metrics(actual, predicted, task.mode),
    }
    return TrainResult(started=started, ended=now(), metadata=metadata, warning=" ".join(warnings) or None)


def split(data: LabelledData) -> tuple[LabelledData, LabelledData]:
    """Split data that has no test set into training and test documents."""
    number = min(max(int(len(data) * TEST_SHARE), 1), MAX_TEST_DOCUMENTS)
    shuffled = np.random.RandomState(_SEED).permutation(len(data))
    return data.rows(np.sort(shuffled[number:])), data.rows(np.sort(shuffled[:number]))


def _warnings(data: LabelledData, part: str) -> list[str]:
    if not data.skipped:
        return []
    return [f"Skipped rows of the {part} data: {data.skipped}; the first is {data.first_skipped}."]


def _predict(classifier: TextClassifier, test: LabelledData) -> sparse.csr_matrix:
    blocks = range(0, len(test), _BLOCK_DOCUMENTS)
    best = [classifier.best(test.counts[start : start + _BLOCK_DOCUMENTS]) for start in blocks]
    columns, scores = (np.concatenate(values) for values in zip(*best, strict=True))
    return predicted_labels(classifier.mode, len(classifier.labels), columns, scores)


def _write_confusion_matrix(store: ObjectStore, uri: str, content: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory(prefix="nightsort-training-") as folder:
        file = Path(folder, "confusion_matrix.json")
        file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        archive = Path(folder, "output.tar.gz")
        write_archive(archive, file, CONFUSION_MATRIX)
        store.upload(archive, uri)
