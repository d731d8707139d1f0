"""Scores mean what they say: shares of right answers, or a threshold of one half that is a good one."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, softmax
from sklearn.metrics import f1_score

from nightsort_local.local_aws.learning.calibration import (
    class_scores,
    label_curve,
    label_scores,
    temperature,
)


def test_the_temperature_makes_overconfident_values_honest() -> None:
    random = np.random.RandomState(0)
    honest = random.normal(size=(5_000, 5)) * 2
    labels = np.array([random.choice(5, p=row) for row in softmax(honest, axis=1)])
    degrees = temperature(honest * 3, labels)
    assert 2.7 < degrees < 3.3
    best = class_scores(honest * 3, degrees).max(axis=1)
    right = class_scores(honest * 3, degrees).argmax(axis=1) == labels
    assert abs(best.mean() - right.mean()) < 0.02


def test_one_half_is_about_the_best_threshold_of_a_rare_label() -> None:
    random = np.random.RandomState(0)
    decisions = random.normal(size=20_000) - 4
    carries = random.uniform(size=20_000) < expit(decisions)
    assert carries.mean() < 0.05
    slope, offset = label_curve(decisions, carries)
    scores = label_scores(decisions[:, None], np.array([slope]), np.array([offset]))[:, 0]
    at_half = f1_score(carries, scores >= 0.5)
    best = max(f1_score(carries, scores >= threshold) for threshold in np.linspace(0.01, 0.99, 99))
    uncalibrated = f1_score(carries, expit(decisions) >= 0.5)
    assert at_half > best - 0.03
    assert at_half > uncalibrated + 0.05


def test_a_higher_decision_value_never_scores_lower() -> None:
    decisions = np.linspace(-3, 3, 100)
    for carries in (decisions > 0, decisions < 0, decisions > 9, decisions < 9):
        slope, offset = label_curve(decisions, carries)
        scores = label_scores(decisions[:, None], np.array([slope]), np.array([offset]))[:, 0]
        assert (np.diff(scores) >= 0).all()
