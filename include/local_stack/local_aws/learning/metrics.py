"""What Comprehend reports on a test set: the evaluation metrics and the confusion matrix.

The decisions are those that a caller can make from a job's output: multi-class, the best class; multi-label,
the returned labels (the best three, scores rounded) at 0.5 or more. So whoever classifies the test set and
counts gets the same numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from include.local_stack.local_aws.learning.text_classifier import DECISION
from include.local_stack.local_aws.work.tasks import MULTI_CLASS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DECIMALS = 4


def decide(
    mode: str, labels: int, columns: NDArray[np.int64], scores: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which document (row) is given which label (column).

    Args:
        labels: how many labels the classifier has.
        columns: each document's returned labels, best first.
        scores: their rounded scores.
    """
    taken = np.zeros_like(scores, dtype=bool)
    if mode == MULTI_CLASS:
        taken[:, 0] = True
    else:
        taken = scores >= DECISION
    decided = np.zeros((len(columns), labels), dtype=bool)
    rows, places = np.nonzero(taken)
    decided[rows, columns[rows, places]] = True
    return decided


def evaluation_metrics(actual: NDArray[np.bool_], decided: NDArray[np.bool_], mode: str) -> dict[str, float]:
    """Return the members of ClassifierEvaluationMetrics, rounded as the service rounds them.

    Macro figures are means over the labels that occur in the test set or were decided; a precision or recall
    without a case is 0. Multi-label accuracy is the share of documents with exactly the right labels.
    """
    occurs = _occurring(actual, decided)
    actual, decided = actual[:, occurs], decided[:, occurs]
    hits = (actual & decided).sum(axis=0)
    given, there = decided.sum(axis=0), actual.sum(axis=0)
    precision = _ratio(hits, given)
    recall = _ratio(hits, there)
    micro_precision = float(_ratio(hits.sum(), given.sum()))
    micro_recall = float(_ratio(hits.sum(), there.sum()))
    accuracy = float((actual == decided).all(axis=1).mean())
    metrics = {
        "Accuracy": accuracy,
        "Precision": precision.mean(),
        "Recall": recall.mean(),
        "F1Score": _ratio(2 * hits, given + there).mean(),
        "MicroPrecision": micro_precision,
        "MicroRecall": micro_recall,
        "MicroF1Score": _ratio(2 * hits.sum(), given.sum() + there.sum()),
        # Of single labels it is the share of wrong answers; of label sets that of wrong yes-or-no decisions.
        "HammingLoss": 1 - accuracy if mode == MULTI_CLASS else (actual != decided).mean(),
    }
    return {name: round(float(value), DECIMALS) for name, value in metrics.items()}


def confusion_matrix(
    actual: NDArray[np.bool_], decided: NDArray[np.bool_], mode: str, labels: Sequence[str]
) -> dict[str, Any]:
    """Return the content of ``confusion_matrix.json``.

    Multi-class: a square matrix, rows actual, columns predicted. Multi-label: for each label
    ``[[TN, FP], [FN, TP]]``. ``labels`` are those of the matrix, ``all_labels`` those of the classifier.
    """
    occurs = _occurring(actual, decided)
    shown = [label for label, is_there in zip(labels, occurs, strict=True) if is_there]
    actual, decided = actual[:, occurs].astype(np.int64), decided[:, occurs].astype(np.int64)
    if mode == MULTI_CLASS:
        matrix: Any = (actual.T @ decided).tolist()
    else:
        absent, refused = 1 - actual, 1 - decided
        cells = (absent * refused, absent * decided, actual * refused, actual * decided)
        sums = [cell.sum(axis=0).tolist() for cell in cells]
        matrix = [[[tn, fp], [fn, tp]] for tn, fp, fn, tp in zip(*sums, strict=True)]
    return {"type": mode.lower(), "confusion_matrix": matrix, "labels": shown, "all_labels": list(labels)}


def _occurring(actual: NDArray[np.bool_], decided: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray((actual | decided).any(axis=0))


def _ratio(part: Any, whole: Any) -> NDArray[np.float64]:
    part, whole = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0))
