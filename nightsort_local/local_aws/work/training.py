"""Run a training in a worker (CreateDocumentClassifier)."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nightsort_local.local_aws.clock import now
from nightsort_local.local_aws.learning.evaluation_split import split
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


log = logging.getLogger(__name__)

WARNING = "Unable to parse some documents. See details in the output S3 location. These documents have been skipped."  # noqa: E501
"""The Message of TRAINED_WITH_WARNING in the tests of Airflow's amazon provider."""

_BLOCK_DOCUMENTS = 4_096


def run_training(task: TrainTask) -> TrainResult:
    """Train and evaluate a classifier; write the model and the output archive."""
    store = ObjectStore(task.endpoint, task.region, task.credentials)
    data = read_labelled_data(store, sources_of(store, task, "TRAIN"))
    check_training_data(data, task.mode, task.min_per_label)
    has_skipped = _log_skipped(data, "training")
    tests = sources_of(store, task, "TEST")
    if tests:
        test = read_labelled_data(store, tests)
        check_test_data(test, data.labels)
        has_skipped |= _log_skipped(test, "test")
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
    return TrainResult(
        started=started, ended=now(), metadata=metadata, warning=WARNING if has_skipped else None
    )


def _log_skipped(data: LabelledData, part: str) -> bool:
    """Log which rows were skipped, which the recorded message does not say; return whether any were."""
    if data.skipped:
        log.warning("%s of the %s data are skipped; the first is %s.", data.skipped, part, data.first_skipped)
    return bool(data.skipped)


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
