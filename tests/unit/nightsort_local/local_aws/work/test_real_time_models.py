"""Real-time classification gives the best labels with float32 scores, and keeps few models in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import sparse

from nightsort_local.local_aws.learning.text_classifier import TextClassifier, train
from nightsort_local.local_aws.learning.text_features import count_terms
from nightsort_local.local_aws.work.real_time_models import MODELS_KEPT, classify_text
from nightsort_local.local_aws.work.tasks import TextClasses

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ["invoice payment refund", "crash error freeze", "great love thanks", "flight hotel ticket"]
LABELS = ["BILLING", "BUG", "PRAISE", "TRAVEL"]


@pytest.fixture(scope="module")
def classifier() -> TextClassifier:
    texts = [f"{words} number {n}" for n in range(30) for words in WORDS]
    carries = sparse.csc_matrix(np.tile(np.eye(4, dtype=np.int8), (30, 1)))
    return train("MULTI_CLASS", LABELS, count_terms(texts), carries)


def saved(classifier: TextClassifier, path: Path) -> str:
    classifier.save(path)
    return str(path)


def test_it_gives_the_three_best_with_scores_of_float32(classifier: TextClassifier, tmp_path: Path) -> None:
    found = classify_text(saved(classifier, tmp_path / "model.npz"), "a crash at the hotel, an error")
    columns, rounded = classifier.classify(["a crash at the hotel, an error"])
    assert found.mode == "MULTI_CLASS"
    assert [name for name, _ in found.classes] == [LABELS[column] for column in columns[0]]
    scores = [score for _, score in found.classes]
    assert scores == [float(np.float32(score)) for score in scores]
    assert np.round(scores, 4).tolist() == pytest.approx(rounded[0].tolist(), abs=1e-4)


def test_without_a_text_the_model_is_only_read(classifier: TextClassifier, tmp_path: Path) -> None:
    model = saved(classifier, tmp_path / "model.npz")
    assert classify_text(model, None) == TextClasses("MULTI_CLASS", ())
    (tmp_path / "model.npz").unlink()
    assert classify_text(model, "crash").classes[0][0] == "BUG", "it is in memory now"


def test_the_models_used_last_are_kept(classifier: TextClassifier, tmp_path: Path) -> None:
    models = [saved(classifier, tmp_path / f"{number}.npz") for number in range(MODELS_KEPT + 1)]
    for model in models:
        classify_text(model, None)
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(FileNotFoundError):
        classify_text(models[0], None)
    assert classify_text(models[-1], None)
