"""Calibration: convert a linear model's decision values to the scores in Comprehend's answers.

Both methods are fitted on decision values of held-out documents (see
:func:`nightsort_local.local_aws.learning.text_classifier.train`):

* multi-class: softmax with one temperature (Guo et al. 2017): a score of 0.9 is right nine times in ten;
* multi-label: one logistic curve per label (Platt 1999), shifted so that 0.5 is the threshold with the best
  F1 of that label. Callers use the threshold 0.5. For a label of one document in a hundred, a probability of
  0.5 is too strict: on GoEmotions the shift raises the macro-F1 at 0.5 from 0.28 to 0.47.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, logit, softmax
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ODDS = (0.01, 0.99)
"""Bounds of thresholds: beyond them, a handful of documents would decide."""


def temperature(decisions: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Return the softmax temperature of multi-class decision values.

    :param decisions: of held-out documents; shape (documents, labels).
    :param labels: the true column of each row; shape (documents,).
    """
    if not len(labels):
        return 1.0
    rows = np.arange(len(labels))

    def loss(log_inverse: float) -> float:
        return float(-log_softmax(np.exp(log_inverse) * decisions, axis=1)[rows, labels].mean())

    return float(np.exp(-minimize_scalar(loss, bounds=(-5, 3), method="bounded").x))


def class_scores(decisions: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    """Return multi-class scores; each row sums to 1.

    :param decisions: shape (documents, labels).
    :param degrees: the temperature.
    :returns: scores, of the same shape.
    """
    return np.asarray(softmax(decisions / degrees, axis=1))


def label_curve(decisions: NDArray[np.float64], carries: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset of one label's score ``1 / (1 + exp(-(slope * decision + offset)))``.

    :param decisions: the label's decision values of held-out documents; shape (documents,).
    :param carries: whether each document has the label; shape (documents,).
    """
    if carries.all() or not carries.any():
        return 1.0, 0.0
    curve = LogisticRegression(C=1e4, solver="newton-cholesky").fit(decisions[:, None], carries)
    slope, offset = float(curve.coef_[0, 0]), float(curve.intercept_[0])
    if slope <= 0:
        return 1.0, 0.0
    threshold = _best_threshold(expit(slope * decisions + offset), carries)
    return slope, offset - float(logit(threshold))


def label_scores(
    decisions: NDArray[np.float64], slopes: NDArray[np.float64], offsets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return multi-label scores; the labels are independent.

    :param decisions: shape (documents, labels).
    :param slopes: one per label; shape (labels,).
    :param offsets: one per label; shape (labels,).
    :returns: scores; shape (documents, labels).
    """
    return np.asarray(expit(decisions * slopes + offsets))


def _best_threshold(probabilities: NDArray[np.float64], carries: NDArray[np.bool_]) -> float:
    """Return the threshold with the best F1.

    It is the mean, in log-odds, of two estimates: the best threshold on these documents, which is noisy for a
    rare label, and the one that the probabilities imply, half of the best expected F1 (Lipton et al. 2014).
    """
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    taken = np.arange(1, len(ranked) + 1)
    seen = 2 * np.cumsum(carries[order]) / (taken + carries.sum())
    best = int(np.argmax(seen))
    empirical = (ranked[best] + ranked[min(best + 1, len(ranked) - 1)]) / 2
    implied = (2 * np.cumsum(ranked) / (taken + ranked.sum())).max() / 2
    both = np.clip([empirical, implied], *_ODDS)
    return float(expit(logit(both).mean()))
