"""The metrics are scikit-learn's, on the decisions that a caller can make from a job's output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import sparse
from sklearn import metrics as reference

from nightsort_local.local_aws.learning.metrics import confusion_matrix, evaluation_metrics, predicted_labels

if TYPE_CHECKING:
    from nightsort.comprehend.limits import Mode

LABELS = [f"label-{n}" for n in range(5)]


def answers(mode: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(seed)
    if mode == "MULTI_CLASS":
        truth = random.randint(0, 5, 200)
        guess = np.where(random.uniform(size=200) < 0.6, truth, random.randint(0, 5, 200))
        return np.eye(5, dtype=bool)[truth], np.eye(5, dtype=bool)[guess]
    actual = random.uniform(size=(200, 5)) < 0.3
    return actual, actual ^ (random.uniform(size=(200, 5)) < 0.15)


def counted(carries: np.ndarray) -> sparse.csr_matrix:
    return sparse.csr_matrix(carries.astype(np.int32))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mode", ["MULTI_CLASS", "MULTI_LABEL"])
def test_metrics_agree_with_scikit_learn(mode: Mode, seed: int) -> None:
    actual, decided = answers(mode, seed)
    truth, prediction = (
        (actual.argmax(axis=1), decided.argmax(axis=1)) if mode == "MULTI_CLASS" else (actual, decided)
    )
    expected = {
        "Accuracy": reference.accuracy_score(truth, prediction),
        "Precision": reference.precision_score(truth, prediction, average="macro", zero_division=0),
        "Recall": reference.recall_score(truth, prediction, average="macro", zero_division=0),
        "F1Score": reference.f1_score(truth, prediction, average="macro", zero_division=0),
        "MicroPrecision": reference.precision_score(truth, prediction, average="micro"),
        "MicroRecall": reference.recall_score(truth, prediction, average="micro"),
        "MicroF1Score": reference.f1_score(truth, prediction, average="micro"),
        "HammingLoss": reference.hamming_loss(truth, prediction),
    }
    found = evaluation_metrics(counted(actual), counted(decided), mode)
    assert found == {name: round(float(value), 4) for name, value in expected.items()}


@pytest.mark.parametrize("seed", range(3))
def test_the_confusion_matrix_of_classes_has_actual_rows(seed: int) -> None:
    actual, decided = answers("MULTI_CLASS", seed)
    content = confusion_matrix(counted(actual), counted(decided), "MULTI_CLASS", LABELS)
    expected = reference.confusion_matrix(actual.argmax(axis=1), decided.argmax(axis=1))
    assert content["confusion_matrix"] == expected.tolist()
    assert content["type"] == "multi_class"
    assert content["labels"] == content["all_labels"] == LABELS


@pytest.mark.parametrize("seed", range(3))
def test_the_confusion_matrix_of_labels_is_one_table_each(seed: int) -> None:
    actual, decided = answers("MULTI_LABEL", seed)
    content = confusion_matrix(counted(actual), counted(decided), "MULTI_LABEL", LABELS)
    assert content["confusion_matrix"] == reference.multilabel_confusion_matrix(actual, decided).tolist()
    assert content["type"] == "multi_label"


def test_a_label_that_the_test_set_lacks_is_only_in_all_labels() -> None:
    actual = counted(np.eye(5, dtype=bool)[[0, 1, 2, 3]])
    content = confusion_matrix(actual, actual, "MULTI_CLASS", LABELS)
    assert content["labels"] == LABELS[:4]
    assert content["all_labels"] == LABELS
    assert evaluation_metrics(actual, actual, "MULTI_CLASS")["F1Score"] == 1.0


def test_decisions_are_the_best_class_or_the_labels_from_one_half_on() -> None:
    columns, scores = np.array([[2, 0, 1], [1, 3, 4]]), np.array([[0.4, 0.3, 0.2], [0.9, 0.5, 0.4999]])
    assert predicted_labels("MULTI_CLASS", 5, columns, scores).nonzero()[1].tolist() == [2, 1]
    assert predicted_labels("MULTI_LABEL", 5, columns, scores).nonzero()[1].tolist() == [1, 3]
