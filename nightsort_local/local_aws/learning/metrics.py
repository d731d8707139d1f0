"""Comprehend's evaluation of a test set: metrics and confusion matrix.

The predicted labels are those that a caller can read from a job's output: in multi-class mode the best class,
in multi-label mode the returned labels (the best three, with rounded scores) with a score of at least 0.5. A
caller who classifies the test set gets the same figures. All matrices are sparse: a document has a few labels
of a thousand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from nightsort_local.local_aws.learning.calibration import DECISION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nightsort.comprehend.limits import Mode

DECIMALS = 4


def predicted_labels(
    mode: Mode, labels: int, columns: NDArray[np.int64], scores: NDArray[np.float64]
) -> sparse.csr_matrix:
    """Return the predicted labels of each document.

    :param labels: the number of the classifier's labels.
    :param columns: label indices, best first; shape (documents, returned labels).
    :param scores: the rounded scores of these labels; same shape.
    :returns: 1 where a label is predicted; shape (documents, labels), int32.
    """
    if mode == "MULTI_CLASS":
        taken = np.zeros(scores.shape, dtype=bool)
        taken[:, 0] = True
    else:
        taken = scores >= DECISION
    ends = np.concatenate(([0], np.cumsum(taken.sum(axis=1))))
    chosen = columns[taken]
    return sparse.csr_matrix(
        (np.ones(len(chosen), dtype=np.int32), chosen, ends), shape=(len(columns), labels)
    )


def evaluation_metrics(
    actual: sparse.csr_matrix, predicted: sparse.csr_matrix, mode: Mode
) -> dict[str, float]:
    """Return the members of ClassifierEvaluationMetrics, rounded as the service rounds them.

    Macro figures are means over the labels that are in the test set or were predicted. A precision or recall
    without a case is 0. Multi-label accuracy is the share of documents with exactly the right labels.

    :param actual: 1 where a document has a label; shape (documents, labels).
    :param predicted: from :func:`predicted_labels`; same shape.
    """
    occurs = _occurring(actual, predicted)
    hits = _sums(actual.multiply(predicted))[occurs]
    given, there = _sums(predicted)[occurs], _sums(actual)[occurs]
    precision = _ratio(hits, given)
    recall = _ratio(hits, there)
    wrong = (actual != predicted).tocsr()
    accuracy = float((np.diff(wrong.indptr) == 0).mean())
    # For label sets: the share of wrong decisions, one decision per document and label.
    wrong_share = 1 - accuracy if mode == "MULTI_CLASS" else wrong.nnz / (actual.shape[0] * occurs.sum())
    metrics = {
        "Accuracy": accuracy,
        "Precision": precision.mean(),
        "Recall": recall.mean(),
        "F1Score": _ratio(2 * hits, given + there).mean(),
        "MicroPrecision": _ratio(hits.sum(), given.sum()),
        "MicroRecall": _ratio(hits.sum(), there.sum()),
        "MicroF1Score": _ratio(2 * hits.sum(), given.sum() + there.sum()),
        "HammingLoss": wrong_share,
    }
    return {name: round(float(value), DECIMALS) for name, value in metrics.items()}


def confusion_matrix(
    actual: sparse.csr_matrix, predicted: sparse.csr_matrix, mode: Mode, labels: Sequence[str]
) -> dict[str, Any]:
    """Return the content of ``confusion_matrix.json``.

    Multi-class: a square matrix with actual labels as rows and predicted labels as columns. Multi-label: one
    ``[[TN, FP], [FN, TP]]`` per label. ``labels`` are those of the matrix, ``all_labels`` those of the
    classifier.

    :param actual: 1 where a document has a label; shape (documents, labels).
    :param predicted: from :func:`predicted_labels`; same shape.
    """
    occurs = _occurring(actual, predicted)
    shown = [label for label, is_there in zip(labels, occurs, strict=True) if is_there]
    if mode == "MULTI_CLASS":
        matrix: Any = (actual.T @ predicted).toarray()[np.ix_(occurs, occurs)].tolist()
    else:
        hits = _sums(actual.multiply(predicted))[occurs]
        false_alarms, misses = _sums(predicted)[occurs] - hits, _sums(actual)[occurs] - hits
        refused = actual.shape[0] - hits - false_alarms - misses
        cells = np.stack([refused, false_alarms, misses, hits], axis=1)
        matrix = cells.reshape(-1, 2, 2).tolist()
    # In the order of the real files.
    return {"confusion_matrix": matrix, "labels": shown, "type": mode.lower(), "all_labels": list(labels)}


def _occurring(actual: sparse.csr_matrix, predicted: sparse.csr_matrix) -> NDArray[np.bool_]:
    return (_sums(actual) > 0) | (_sums(predicted) > 0)


def _sums(matrix: sparse.csr_matrix) -> NDArray[np.int64]:
    return np.asarray(matrix.sum(axis=0, dtype=np.int64)).ravel()


def _ratio(part: Any, whole: Any) -> NDArray[np.float64]:
    part, whole = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0))
