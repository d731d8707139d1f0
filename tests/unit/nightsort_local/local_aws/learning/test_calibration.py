"""Scores mean what they say: shares of right answers, or a threshold of one half that is a good one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.special import expit, logit, softmax
from sklearn.metrics import f1_score

from nightsort_local.local_aws.learning.calibration import LabelCurves, class_curves, class_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray


def class_documents(shares: list[float], number: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Honest log-odds of documents whose labels have these shares, and their labels."""
    random = np.random.RandomState(0)
    honest = random.normal(size=(number, len(shares))) * 2 + np.log(shares)
    return honest, np.array([random.choice(len(shares), p=row) for row in softmax(honest, axis=1)])


def test_the_temperature_makes_overconfident_values_honest() -> None:
    honest, labels = class_documents([0.2] * 5, 5_000)
    curves = class_curves(honest * 3, labels, np.full(5, 0.2))
    assert np.allclose(1 / curves.slopes, 3, atol=0.3)
    scores = class_scores(honest * 3 * curves.slopes + curves.offsets)
    assert abs(scores.max(axis=1).mean() - (scores.argmax(axis=1) == labels).mean()) < 0.02


def test_a_rare_label_is_lifted_where_that_helps() -> None:
    """Decision values whose distance from the right label grows with the rarity, as on skewed data."""
    shares = np.array([0.5, 0.4, 0.06, 0.04])
    honest, labels = class_documents(shares.tolist(), 3_000)
    lowered = class_curves(honest / 5 + 0.1 * np.log(shares), labels, shares)
    assert (np.diff(lowered.offsets) > 0).all()
    assert class_curves(honest / 5 - 0.1 * np.log(shares), labels, shares).offsets.max() == 0


def test_without_held_out_documents_the_curves_are_straight() -> None:
    curves = class_curves(np.empty((0, 3)), np.empty(0, dtype=np.int64), np.full(3, 1 / 3))
    assert all(map(np.array_equal, curves, LabelCurves.straight(3)))


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
