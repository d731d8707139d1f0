"""Train a classifier: the worker's side of CreateDocumentClassifier."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from nightsort.comprehend.limits import MAX_DOCUMENT_BYTES
from nightsort_local.local_aws.clock import now
from nightsort_local.local_aws.learning.augmented_manifests import read_manifest
from nightsort_local.local_aws.learning.labelled_csv import read_csv
from nightsort_local.local_aws.learning.labelled_data import (
    LabelledData,
    check_test_data,
    check_training_data,
    read_labelled_data,
)
from nightsort_local.local_aws.learning.metrics import confusion_matrix, decide, evaluation_metrics
from nightsort_local.local_aws.learning.text_classifier import TextClassifier, train
from nightsort_local.local_aws.s3.location import S3Location
from nightsort_local.local_aws.work.job_output import CONFUSION_MATRIX, write_archive
from nightsort_local.local_aws.work.object_store import ObjectStore
from nightsort_local.local_aws.work.tasks import AugmentedManifest, TrainResult, TrainTask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scipy import sparse

    from nightsort_local.local_aws.learning.examples import Example, Unusable
    from nightsort_local.local_aws.learning.labelled_data import Read

TEST_SHARE = 0.1
MOST_TEST_DOCUMENTS = 10_000
"""A tenth is split off for testing, capped (real trainings: 557 of 5,573 and 10,000 of 1,000,000)."""

_BLOCK_DOCUMENTS = 4_096
_SEED = 0


def run_training(task: TrainTask) -> TrainResult:
    """Train and evaluate a classifier, write the model and the output archive."""
    store = ObjectStore(task.endpoint, task.region, task.credentials)
    data = read_labelled_data(store, _sources(store, task, "TRAIN"))
    check_training_data(data, task.mode, task.least_per_label)
    warnings = _warnings(data, "training")
    tests = _sources(store, task, "TEST")
    if tests:
        test = read_labelled_data(store, tests)
        check_test_data(test, data.labels)
        warnings += _warnings(test, "test")
    else:
        data, test = split(data)
    started = now()
    classifier = train(task.mode, data.labels, data.counts, data.carries)
    actual, decided = test.carries.tocsr(), _decide(classifier, test)
    if task.output is not None:
        _write_confusion_matrix(store, task.output, confusion_matrix(actual, decided, task.mode, data.labels))
    classifier.save(Path(task.model_file))
    metadata = {
        "NumberOfLabels": len(data.labels),
        "NumberOfTrainedDocuments": len(data),
        "NumberOfTestDocuments": len(test),
        "EvaluationMetrics": evaluation_metrics(actual, decided, task.mode),
    }
    return TrainResult(started=started, ended=now(), metadata=metadata, warning=" ".join(warnings) or None)


def split(data: LabelledData) -> tuple[LabelledData, LabelledData]:
    """Return training and test documents of data that came without a test set."""
    number = min(max(int(len(data) * TEST_SHARE), 1), MOST_TEST_DOCUMENTS)
    shuffled = np.random.RandomState(_SEED).permutation(len(data))
    return data.rows(np.sort(shuffled[number:])), data.rows(np.sort(shuffled[:number]))


def _sources(store: ObjectStore, task: TrainTask, part: str) -> list[tuple[str, Read]]:
    def of_csv(stream: BinaryIO, file: str) -> Iterator[Example | Unusable]:
        return read_csv(stream, file, task.mode, task.delimiter)

    def of_manifest(manifest: AugmentedManifest) -> Read:
        return lambda stream, file: read_manifest(stream, file, task.mode, manifest.attributes, fetch)

    def fetch(uri: str) -> bytes:
        with store.open(S3Location.parse(uri)) as stream:
            return stream.read(MAX_DOCUMENT_BYTES + 1)

    if task.manifests:
        return [(found.uri, of_manifest(found)) for found in task.manifests if found.split == part]
    uri = task.training if part == "TRAIN" else task.test
    return [] if uri is None else [(uri, of_csv)]


def _warnings(data: LabelledData, part: str) -> list[str]:
    if not data.skipped:
        return []
    return [f"Skipped rows of the {part} data: {data.skipped}; the first is {data.first_skipped}."]


def _decide(classifier: TextClassifier, test: LabelledData) -> sparse.csr_matrix:
    blocks = range(0, len(test), _BLOCK_DOCUMENTS)
    best = [classifier.best(test.counts[start : start + _BLOCK_DOCUMENTS]) for start in blocks]
    columns, scores = (np.concatenate(values) for values in zip(*best, strict=True))
    return decide(classifier.mode, len(classifier.labels), columns, scores)


def _write_confusion_matrix(store: ObjectStore, uri: str, content: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory(prefix="nightsort-training-") as folder:
        file = Path(folder, "confusion_matrix.json")
        file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        archive = Path(folder, "output.tar.gz")
        write_archive(archive, file, CONFUSION_MATRIX)
        store.upload(archive, uri)
