"""What anybody would try first, to compare with: scikit-learn's usual text classifiers."""

from __future__ import annotations

import warnings
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import f1_score
from sklearn.multiclass import OneVsRestClassifier
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.labelled_texts import LabelledTexts, Row

LOGISTIC_REGRESSION = "TF-IDF + LR"
SGD = "hashing + SGD"


def carried(rows: Sequence[Row], labels: Sequence[str]) -> sparse.csr_matrix:
    """Return which document carries which label, 1 where it does."""
    place = {label: column for column, label in enumerate(labels)}
    columns = [place[label] for found, _ in rows for label in found]
    ends = np.concatenate(([0], np.cumsum([len(found) for found, _ in rows])))
    shape = (len(rows), len(labels))
    return sparse.csr_matrix((np.ones(len(columns), dtype=np.int32), columns, ends), shape=shape)


def one_each(columns: Any, labels: int) -> sparse.csr_matrix:
    """Return the same where each document carries one label, given by its column."""
    shape = (len(columns), labels)
    ones = np.ones(len(columns), dtype=np.int32)
    return sparse.csr_matrix((ones, (np.arange(len(columns)), columns)), shape=shape)


def macro_f1(actual: sparse.csr_matrix, decided: sparse.csr_matrix) -> float:
    """Return the mean of the labels' F1."""
    return float(f1_score(actual, decided, average="macro", zero_division=0))


def best_of_peers(
    texts: LabelledTexts,
    strengths: Sequence[float] = (1, 10, 50),
    penalties: Sequence[float] = (1e-6, 1e-5, 1e-4),
    weights: Sequence[str | None] | None = None,
) -> dict[str, float]:
    """Return each peer's macro-F1 with the settings that do best on the test documents themselves.

    :param strengths: the logistic regression's C to try.
    :param penalties: the SGD's alpha to try.
    :param weights: the weights of labels to try; None: also the balanced ones in MULTI_LABEL.
    """
    labels = texts.labels
    actual = sparse.vstack([carried(test, labels) for _, test in texts.parts], format="csr")
    found: dict[str, float] = {}
    for name, vectorizer, models in _peers(texts.mode, strengths, penalties, weights):
        parts = [
            (vectorizer.fit_transform(_texts(train)), train, vectorizer.transform(_texts(test)))
            for train, test in texts.parts
        ]
        for model in models:
            decided = sparse.vstack([_decide(model, texts.mode, labels, *part) for part in parts])
            found[name] = max(found.get(name, 0.0), macro_f1(actual, decided.tocsr()))
    return found


def _peers(
    mode: str,
    strengths: Sequence[float],
    penalties: Sequence[float],
    weights: Sequence[str | None] | None,
) -> Iterator[tuple[str, Any, list[Any]]]:
    # Rare labels need their weight, or no score of theirs ever gets to one half.
    weights = weights or ([None] if mode == "MULTI_CLASS" else [None, "balanced"])
    solver = "lbfgs" if mode == "MULTI_CLASS" else "liblinear"
    yield (
        LOGISTIC_REGRESSION,
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        [
            LogisticRegression(C=strength, class_weight=weight, solver=solver, max_iter=200)
            for strength, weight in product(strengths, weights)
        ],
    )
    yield (
        SGD,
        HashingVectorizer(ngram_range=(1, 2), alternate_sign=False),
        [
            SGDClassifier(loss="log_loss", alpha=strength, class_weight=weight, random_state=0)
            for strength, weight in product(penalties, weights)
        ],
    )


def _decide(
    model: Any, mode: str, labels: Sequence[str], learnt: Any, train: Sequence[Row], tested: Any
) -> sparse.csr_matrix:
    answers = carried(train, labels)
    # So small products are slowed down by threads, a hundredfold on a busy machine.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        if mode == "MULTI_LABEL":
            decided = OneVsRestClassifier(model).fit(learnt, answers).predict(tested)
            return sparse.csr_matrix(decided, dtype=np.int32)
        columns = model.fit(learnt, answers.argmax(axis=1).A1).predict(tested)
    return one_each(columns, len(labels))


def _texts(rows: Sequence[Row]) -> list[str]:
    return [text for _, text in rows]
