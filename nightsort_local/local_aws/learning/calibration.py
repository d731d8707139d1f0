"""Calibration: convert a linear model's decision values to the scores in Comprehend's answers.

Both methods are fitted on decision values of held-out documents (see
:func:`nightsort_local.local_aws.learning.text_classifier.train`):

* multi-class: a label of few documents has low decision values on documents that were not learnt. So each
  label is lifted by its rarity (Menon et al. 2021), as much as the macro-F1 of the held-out documents gains
  from it. A softmax with one temperature follows (Guo et al. 2017): a score of 0.9 is right nine times in
  ten;
* multi-label: one logistic curve per label (Platt 1999), and one bend of all curves, give a probability.
  Callers use the threshold 0.5, which is too strict for a label of one document in a hundred. So a
  probability between the label's threshold of the best F1 and 0.5 is moved just across 0.5; all others stay.
  On GoEmotions this raises the macro-F1 at 0.5 from 0.38 to 0.49.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, logit, softmax
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from numpy.typing import NDArray

DECISION = 0.5
"""The score from which the metrics count a label as predicted, in multi-label mode."""

_LIFTS = (0.0, 0.05, 0.1)
"""How much of the negative logarithm of a label's share may be added to its decision value. Labels that were
learnt well are at 1, all others at -1."""

_STRIP = 0.02
_STRAIGHT = np.array([1.0, 0.0, 0.0])
_FEWEST_TO_BEND = 500
"""Labels on held-out documents. Fewer are too few for one more curve."""

_ODDS = (0.01, 0.99)
"""Bounds of thresholds: beyond them, a handful of documents would decide."""


def class_curves(
    decisions: NDArray[np.float64], labels: NDArray[np.int64], shares: NDArray[np.float64]
) -> LabelCurves:
    """Return the curves of multi-class decision values: one slope for all labels, and an offset for rarity.

    :param decisions: of held-out documents; shape (documents, labels).
    :param labels: the true column of each row; shape (documents,).
    :param shares: the share of each label in the training documents; shape (labels,).
    """
    curves = LabelCurves.straight(decisions.shape[1])
    if not len(labels):
        return curves
    rarity = -np.log(np.maximum(shares, shares[shares > 0].min()))
    lifted = [decisions + lift * rarity for lift in _LIFTS]
    best = int(np.argmax([_macro_f1(each.argmax(axis=1), labels, len(shares)) for each in lifted]))
    rows = np.arange(len(labels))

    def loss(log_slope: float) -> float:
        return float(-log_softmax(np.exp(log_slope) * lifted[best], axis=1)[rows, labels].mean())

    slope = np.exp(minimize_scalar(loss, bounds=(-3, 5), method="bounded").x)
    return curves._replace(slopes=curves.slopes * slope, offsets=slope * _LIFTS[best] * rarity)


def _macro_f1(found: NDArray[np.int64], right: NDArray[np.int64], labels: int) -> float:
    """Return the mean F1 of the labels that occur."""
    hits = np.bincount(right[found == right], minlength=labels)
    cases = np.bincount(found, minlength=labels) + np.bincount(right, minlength=labels)
    return float((2 * hits / np.maximum(cases, 1))[cases > 0].mean())


def class_scores(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return multi-class scores; each row sums to 1.

    :param log_odds: shape (documents, labels).
    :returns: scores, of the same shape.
    """
    return np.asarray(softmax(log_odds, axis=1))


class LabelCurves(NamedTuple):
    """From a label's decision value to its score.

    :param slopes: of the log-odds, one per label.
    :param offsets: of the log-odds, one per label.
    :param bend: factor of all log-odds, what is added to it above zero, and an offset.
    :param thresholds: the probability with the best F1, one per label.
    """

    slopes: NDArray[np.float64]
    offsets: NDArray[np.float64]
    bend: NDArray[np.float64]
    thresholds: NDArray[np.float64]

    @classmethod
    def straight(cls, labels: int) -> LabelCurves:
        """Return curves that take decision values as log-odds."""
        ones = np.ones(labels)
        return cls(ones, ones * 0, _STRAIGHT, ones * DECISION)

    @classmethod
    def fit(cls, decisions: NDArray[np.float64], carries: NDArray[np.bool_]) -> LabelCurves:
        """Fit the curves to held-out documents.

        :param decisions: shape (documents, labels).
        :param carries: whether each document has each label; of the same shape.
        """
        columns = list(zip(decisions.T, carries.T, strict=True))
        slopes, offsets = np.array([_curve(*column) for column in columns]).T
        log_odds = decisions * slopes + offsets
        bend = _bend(log_odds, carries)
        probabilities = expit(_bent(log_odds, bend))
        thresholds = [_best_threshold(*column) for column in zip(probabilities.T, carries.T, strict=True)]
        return cls(slopes, offsets, bend, np.array(thresholds))

    def scores(self, decisions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return multi-label scores. A higher decision value of a label never has a lower score.

        They are the probabilities, except between a label's threshold and 0.5: those, with the next few, are
        spread over :data:`_STRIP` on the side of 0.5 on which the threshold puts them.

        :param decisions: shape (documents, labels).
        :returns: scores, of the same shape.
        """
        probabilities = expit(_bent(decisions * self.slopes + self.offsets, self.bend))
        # Where the threshold is above 0.5, the same with the sides exchanged.
        is_low = self.thresholds <= DECISION
        sides = np.where(is_low, probabilities, 1 - probabilities)
        bounds = np.where(is_low, self.thresholds, 1 - self.thresholds)
        is_moved = np.where(is_low, sides >= bounds, sides > bounds) & (sides < DECISION + _STRIP)
        moved = DECISION + (sides - bounds) * _STRIP / (DECISION + _STRIP - bounds)
        scores = np.where(is_moved, moved, sides)
        return np.asarray(np.where(is_low, scores, 1 - scores))


def _curve(decisions: NDArray[np.float64], carries: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset of one label's log-odds."""
    if carries.all() or not carries.any():
        return 1.0, 0.0
    curve = LogisticRegression(C=1e4, solver="newton-cholesky").fit(decisions[:, None], carries)
    slope, offset = float(curve.coef_[0, 0]), float(curve.intercept_[0])
    return (slope, offset) if slope > 0 else (1.0, 0.0)


def _bend(log_odds: NDArray[np.float64], carries: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the bend of all labels' log-odds: they say too much where they are high (GoEmotions)."""
    if carries.sum() < _FEWEST_TO_BEND or carries.all():
        return _STRAIGHT
    values = log_odds.ravel()
    features = np.stack([values, np.maximum(values, 0)], axis=1)
    curve = LogisticRegression(C=1e4, solver="newton-cholesky").fit(features, carries.ravel())
    factor, added = curve.coef_[0]
    bent = np.array([factor, added, curve.intercept_[0]])
    return bent if min(factor, factor + added) > 0 else _STRAIGHT


def _bent(log_odds: NDArray[np.float64], bend: NDArray[np.float64]) -> NDArray[np.float64]:
    factor, added, offset = bend
    return np.asarray(factor * log_odds + added * np.maximum(log_odds, 0) + offset)


def _best_threshold(probabilities: NDArray[np.float64], carries: NDArray[np.bool_]) -> float:
    """Return the threshold with the best F1.

    It is the mean, in log-odds, of two estimates: the best threshold on these documents, which is noisy for a
    rare label, and the one that the probabilities imply, half of the best expected F1 (Lipton et al. 2014).
    """
    if carries.all() or not carries.any():
        return DECISION
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    taken = np.arange(1, len(ranked) + 1)
    seen = 2 * np.cumsum(carries[order]) / (taken + carries.sum())
    best = int(np.argmax(seen))
    empirical = (ranked[best] + ranked[min(best + 1, len(ranked) - 1)]) / 2
    implied = (2 * np.cumsum(ranked) / (taken + ranked.sum())).max() / 2
    both = np.clip([empirical, implied], *_ODDS)
    return float(expit(logit(both).mean()))
