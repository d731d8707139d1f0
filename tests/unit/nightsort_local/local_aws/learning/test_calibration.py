"""Scores mean what they say: shares of right answers, or a threshold of one half that is a good one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.special import expit, logit, softmax
from sklearn.metrics import f1_score

from nightsort_local.local_aws.learning.calibration import LabelCurves, class_scores, temperature

if TYPE_CHECKING:
    from numpy.typing import NDArray


def test_the_temperature_makes_overconfident_values_honest() -> None:
    random = np.random.RandomState(0)
    honest = random.normal(size=(5_000, 5)) * 2
    labels = np.array([random.choice(5, p=row) for row in softmax(honest, axis=1)])
    degrees = temperature(honest * 3, labels)
    assert 2.7 < degrees < 3.3
    best = class_scores(honest * 3, degrees).max(axis=1)
    right = class_scores(honest * 3, degrees).argmax(axis=1) == labels
    assert abs(best.mean() - right.mean()) < 0.02


def scored(decisions: NDArray[np.float64], carries: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The scores of one label, calibrated on the same documents."""
    curves = LabelCurves.fit(decisions[:, None], carries[:, None])
    return curves.scores(decisions[:, None])[:, 0]


def test_a_score_of_a_label_is_its_share_of_right_answers() -> None:
    random = np.random.RandomState(0)
    decisions = random.normal(size=50_000) * 2 - 2
    carries = random.uniform(size=50_000) < expit(decisions)
    scores = scored(decisions * 3, carries)
    places = (scores * 15).astype(int)
    gaps = np.bincount(places, weights=scores - carries, minlength=16)
    assert np.abs(gaps).sum() / len(scores) < 0.03
    assert abs(scores[scores > 0.6].mean() - carries[scores > 0.6].mean()) < 0.02


@pytest.mark.parametrize("threshold", [0.01, 0.2, 0.5, 0.7, 0.99])
def test_the_threshold_moves_only_what_is_near_one_half(
    threshold: float,
) -> None:
    probabilities = np.linspace(0.001, 0.999, 999)
    curves = LabelCurves.straight(1)._replace(thresholds=np.array([threshold]))
    scores = curves.scores(logit(probabilities)[:, None])[:, 0]
    clear = np.abs(probabilities - threshold) > 1e-9
    assert ((scores >= 0.5) == (probabilities >= threshold))[clear].all()
    assert (np.diff(scores) > 0).all()
    low, high = min(threshold, 0.48), max(threshold, 0.52)
    far = (probabilities < low - 1e-9) | (probabilities > high + 1e-9)
    assert np.allclose(scores[far], probabilities[far])


def test_scores_that_say_too_much_where_they_are_high_are_bent() -> None:
    """As on GoEmotions: no straight curve of a label is honest at both ends."""
    random = np.random.RandomState(0)
    decisions = random.normal(size=(20_000, 3)) * 3
    carries = random.uniform(size=decisions.shape) < expit(np.minimum(decisions, decisions / 4))
    scores = LabelCurves.fit(decisions, carries).scores(decisions)
    sure = scores > 0.7
    assert sure.sum() > 500
    assert abs(scores[sure].mean() - carries[sure].mean()) < 0.02


def test_one_half_is_about_the_best_threshold_of_a_rare_label() -> None:
    random = np.random.RandomState(0)
    decisions = random.normal(size=20_000) - 4
    carries = random.uniform(size=20_000) < expit(decisions)
    assert carries.mean() < 0.05
    scores = scored(decisions, carries)
    at_half = f1_score(carries, scores >= 0.5)
    best = max(f1_score(carries, scores >= threshold) for threshold in np.linspace(0.01, 0.99, 99))
    uncalibrated = f1_score(carries, expit(decisions) >= 0.5)
    assert at_half > best - 0.03
    assert at_half > uncalibrated + 0.05


def test_a_higher_decision_value_never_scores_lower() -> None:
    decisions = np.linspace(-3, 3, 100)
    for carries in (decisions > 0, decisions < 0, decisions > 9, decisions < 9):
        assert (np.diff(scored(decisions, carries)) >= 0).all()
