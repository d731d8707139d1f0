"""The model learns, always the same, and scores each document by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import sparse

from nightsort_local.local_aws.learning.text_classifier import TextClassifier, train
from nightsort_local.local_aws.learning.text_features import count_terms

if TYPE_CHECKING:
    from pathlib import Path

    from nightsort.comprehend.limits import Mode

WORDS = {
    "billing": ["invoice", "payment", "refund", "charge", "card"],
    "bug": ["crash", "error", "broken", "freeze", "exception"],
    "praise": ["great", "love", "thanks", "wonderful", "happy"],
    "travel": ["flight", "hotel", "airport", "luggage", "ticket"],
}
LABELS = sorted(WORDS)
FILLER = ["the", "app", "today", "was", "my", "for", "and", "a", "it", "yesterday"]


def documents(number: int, mode: str, seed: int = 0) -> tuple[list[str], sparse.csc_matrix]:
    random = np.random.RandomState(seed)
    texts, carries = [], np.zeros((number, len(LABELS)), dtype=np.int8)
    for row in range(number):
        labels = random.choice(
            len(LABELS), 1 if mode == "MULTI_CLASS" else random.randint(1, 3), replace=False
        )
        words = list(random.choice(FILLER, 6))
        for label in labels:
            carries[row, label] = 1
            words += list(random.choice(WORDS[LABELS[label]], 2))
        random.shuffle(words)
        texts.append(" ".join(words))
    return texts, sparse.csc_matrix(carries)


def trained(mode: Mode) -> TextClassifier:
    texts, carries = documents(400, mode)
    return train(mode, LABELS, count_terms(texts), carries)


@pytest.fixture(scope="module", params=["MULTI_CLASS", "MULTI_LABEL"])
def classifier(request: pytest.FixtureRequest) -> TextClassifier:
    return trained(request.param)


def test_it_learns(classifier: TextClassifier) -> None:
    texts, carries = documents(200, classifier.mode, seed=1)
    columns, scores = classifier.classify(texts)
    decided = np.zeros(carries.shape, dtype=bool)
    if classifier.mode == "MULTI_CLASS":
        decided[np.arange(200), columns[:, 0]] = True
    else:
        rows, places = np.nonzero(scores >= 0.5)
        decided[rows, columns[rows, places]] = True
    assert (decided == carries.toarray()).all(axis=1).mean() > 0.95


def test_the_same_data_gives_the_same_model(classifier: TextClassifier) -> None:
    again = trained(classifier.mode)
    assert np.array_equal(again.weights, classifier.weights)
    assert all(map(np.array_equal, again.curves, classifier.curves))


def test_a_saved_model_scores_the_same(classifier: TextClassifier, tmp_path: Path) -> None:
    classifier.save(tmp_path / "model.npz")
    texts, _ = documents(50, classifier.mode, seed=2)
    loaded = TextClassifier.load(tmp_path / "model.npz")
    assert loaded.labels == classifier.labels
    assert np.array_equal(loaded.scores(count_terms(texts)), classifier.scores(count_terms(texts)))
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]


def test_a_model_of_a_version_without_thresholds_still_classifies(
    classifier: TextClassifier, tmp_path: Path
) -> None:
    classifier.save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as file:
        kept = {name: file[name] for name in file if name not in ("bend", "thresholds")}
    np.savez(tmp_path / "old.npz", **kept)
    _, scores = TextClassifier.load(tmp_path / "old.npz").classify(["a refund"])
    assert scores[0, 0] > 0.5


def test_a_document_scores_the_same_in_any_company(classifier: TextClassifier) -> None:
    texts, _ = documents(60, classifier.mode, seed=3)
    together = classifier.scores(count_terms(texts))
    alone = np.concatenate([classifier.scores(count_terms([text])) for text in texts])
    assert np.array_equal(together, alone)


def test_the_three_best_come_best_first_with_four_decimals(classifier: TextClassifier) -> None:
    texts, _ = documents(60, classifier.mode, seed=4)
    columns, scores = classifier.classify(texts)
    everything = classifier.scores(count_terms(texts))
    assert columns.shape == scores.shape == (60, 3)
    assert np.array_equal(np.sort(-everything, axis=1)[:, :3].round(4), -scores)
    assert np.array_equal(np.take_along_axis(everything, columns, axis=1).round(4), scores)


def test_an_empty_document_gets_scores_too(classifier: TextClassifier) -> None:
    _, scores = classifier.classify(["", "\u2028 \t"])
    assert np.isfinite(scores).all()
    assert np.array_equal(scores[0], scores[1])


def test_multi_class_scores_are_shares_and_multi_label_scores_are_not() -> None:
    modes: dict[Mode, bool] = {"MULTI_CLASS": True, "MULTI_LABEL": False}
    for mode, sums_to_one in modes.items():
        texts, _ = documents(50, mode, seed=5)
        sums = trained(mode).scores(count_terms(texts)).sum(axis=1)
        assert np.allclose(sums, 1) == sums_to_one


def test_two_classes_are_enough() -> None:
    texts, carries = documents(200, "MULTI_CLASS")
    two = np.asarray(carries[:, :2].sum(axis=1)).ravel() == 1
    chosen = [text for text, is_one in zip(texts, two, strict=True) if is_one]
    classifier = train("MULTI_CLASS", LABELS[:2], count_terms(chosen), carries[two][:, :2].tocsc())
    columns, _ = classifier.classify(["a refund of my payment", "crash and exception"])
    assert columns.tolist() == [[0, 1], [1, 0]]


def test_a_label_that_every_document_carries_is_always_given() -> None:
    texts, carries = documents(100, "MULTI_LABEL")
    everywhere = sparse.hstack([carries, np.ones((100, 1), dtype=np.int8)], format="csc")
    classifier = train("MULTI_LABEL", [*LABELS, "zz-all"], count_terms(texts), everywhere)
    assert (classifier.scores(count_terms(texts))[:, -1] > 0.5).all()


@pytest.mark.parametrize("mode", ["MULTI_CLASS", "MULTI_LABEL"])
@pytest.mark.parametrize("number", [1, 2, 4, 5, 9])
def test_a_handful_of_documents_is_learnt(mode: Mode, number: int) -> None:
    texts, carries = documents(number, mode)
    classifier = train(mode, LABELS, count_terms(texts), carries)
    assert np.isfinite(classifier.scores(count_terms(texts))).all()
