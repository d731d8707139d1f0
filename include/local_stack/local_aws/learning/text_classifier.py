"""The model behind every classifier: hashed TF-IDF and one linear model per label, with calibrated scores.

Chosen by measuring: on Banking77 and GoEmotions it is better than TF-IDF with logistic regression and than
hashing with SGD, trains in seconds and scores some 100,000 short documents a second on one core. The same
data gives the same model.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import SGDClassifier

from include.local_stack.local_aws.learning import calibration
from include.local_stack.local_aws.learning.text_features import TermWeights, count_terms
from include.local_stack.local_aws.work.tasks import MULTI_CLASS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from scipy import sparse

RETURNED = 3
"""Classes or labels that Comprehend returns for a document, the best ones."""

SCORE_DECIMALS = 4
"""Decimals of a score in a job's output."""

DECISION = 0.5
"""The score from which a multi-label document counts as carrying the label, in the metrics."""

HELD_OUT = 10_000
"""Documents from which calibration can be learnt; fifths of the data are held out until there are as many."""

_FOLDS = 5
_LARGEST_FOLD = 20_000
_EPOCHS = (3, 10)
_EPOCH_DOCUMENTS = 300_000
_SEED = 0
_MOST_COLUMNS = 2**17
_MOST_WEIGHTS = 2**26
"""Together they bound a model's memory: 2**26 weights are 256 MB."""

_NEVER = -10.0


@dataclass(frozen=True)
class TextClassifier:
    """A trained classifier.

    Attributes:
        labels: the labels, sorted; the columns of all scores.
        weights: one row per kept term, one column per label.
        slopes: multi-class: the one inverse temperature; multi-label: one slope per label.
        offsets: multi-label: one offset per label.
    """

    mode: str
    labels: tuple[str, ...]
    terms: TermWeights
    weights: NDArray[np.float32]
    intercepts: NDArray[np.float64]
    slopes: NDArray[np.float64]
    offsets: NDArray[np.float64]

    def scores(self, counts: sparse.csr_matrix) -> NDArray[np.float64]:
        """Return the scores of documents given by their term counts, a column per label.

        A document's scores do not depend on the documents beside it.
        """
        decisions = _decisions(self.terms.apply(counts), self.weights, self.intercepts)
        if self.mode == MULTI_CLASS:
            return calibration.class_scores(decisions, 1 / float(self.slopes[0]))
        return calibration.label_scores(decisions, self.slopes, self.offsets)

    def best(self, counts: sparse.csr_matrix) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return for each document the columns of its best labels, best first, and their rounded scores."""
        scores = self.scores(counts)
        number = min(RETURNED, scores.shape[1])
        if number < scores.shape[1]:
            columns = np.sort(np.argpartition(-scores, number - 1, axis=1)[:, :number], axis=1)
        else:
            columns = np.tile(np.arange(number), (scores.shape[0], 1))
        order = np.argsort(-np.take_along_axis(scores, columns, axis=1), axis=1, kind="stable")
        columns = np.take_along_axis(columns, order, axis=1)
        return columns, np.round(np.take_along_axis(scores, columns, axis=1), SCORE_DECIMALS)

    def classify(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Like :meth:`best`, for texts."""
        return self.best(count_terms(texts))

    def save(self, path: Path) -> None:
        """Write the model; the file appears under its name only when it is whole."""
        partial = path.with_name(path.name + ".partial")
        with partial.open("wb") as file:
            np.savez(
                file,
                head=np.frombuffer(json.dumps({"mode": self.mode, "labels": self.labels}).encode(), np.uint8),
                columns=self.terms.columns,
                idf=self.terms.idf,
                weights=self.weights,
                intercepts=self.intercepts,
                slopes=self.slopes,
                offsets=self.offsets,
            )
        os.replace(partial, path)

    @classmethod
    def load(cls, path: Path) -> TextClassifier:
        """Read a model that :meth:`save` wrote."""
        with np.load(path) as file:
            head: dict[str, Any] = json.loads(file["head"].tobytes())
            return cls(
                mode=head["mode"],
                labels=tuple(head["labels"]),
                terms=TermWeights(file["columns"], file["idf"]),
                weights=file["weights"],
                intercepts=file["intercepts"],
                slopes=file["slopes"],
                offsets=file["offsets"],
            )


def train(
    mode: str, labels: Sequence[str], counts: sparse.csr_matrix, carries: sparse.csc_matrix
) -> TextClassifier:
    """Train a classifier.

    Args:
        mode: MULTI_CLASS or MULTI_LABEL.
        labels: the labels, sorted.
        counts: the training documents' term counts, one row each.
        carries: which document (row) carries which label (column), non-zero where it does.
    """
    terms = TermWeights.learn(counts, min(_MOST_COLUMNS, _MOST_WEIGHTS // len(labels)))
    rows = terms.apply(counts)
    held_out = _held_out_decisions(rows, carries)
    if mode == MULTI_CLASS:
        decisions = np.concatenate([values for values, _ in held_out])
        truth = np.concatenate([np.asarray(fold.argmax(axis=1)).ravel() for _, fold in held_out])
        slopes, offsets = np.array([1 / calibration.temperature(decisions, truth)]), np.zeros(len(labels))
    else:
        decisions = np.concatenate([values for values, _ in held_out])
        truth = np.concatenate([fold.toarray() != 0 for _, fold in held_out])
        curves = [calibration.label_curve(decisions[:, n], truth[:, n]) for n in range(len(labels))]
        slopes, offsets = (np.array(values) for values in zip(*curves, strict=True))
    weights, intercepts = _fit(rows, carries)
    return TextClassifier(mode, tuple(labels), terms, weights, intercepts, slopes, offsets)


def _held_out_decisions(
    rows: sparse.csr_matrix, carries: sparse.csc_matrix
) -> list[tuple[NDArray[np.float64], sparse.csr_matrix]]:
    """Return decision values of documents by models that did not see them, with what they carry."""
    by_row = carries.tocsr()
    found = []
    for held in _folds(rows.shape[0]):
        seen = np.ones(rows.shape[0], dtype=bool)
        seen[held] = False
        weights, intercepts = _fit(rows[seen], by_row[seen].tocsc())
        found.append((_decisions(rows[held], weights, intercepts), by_row[held]))
    return found


def _folds(documents: int) -> Iterator[NDArray[np.int64]]:
    shuffled = np.random.RandomState(_SEED).permutation(documents)
    size = min(documents // _FOLDS, _LARGEST_FOLD)
    for number in range(min(_FOLDS, -(-HELD_OUT // max(size, 1)))):
        yield np.sort(shuffled[number * size : (number + 1) * size])


def _fit(
    rows: sparse.csr_matrix, carries: sparse.csc_matrix
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Fit one logistic regression per label by stochastic gradient descent."""
    documents, labels = carries.shape
    # More epochs than these moved no macro-F1 by a tenth of a point, from 10,000 to 100,000 documents.
    epochs = int(np.clip(np.ceil(_EPOCH_DOCUMENTS / documents), *_EPOCHS))
    # Less data needs more regularisation; seen on Banking77 cut to 10 and 30 documents per label.
    strength = float(np.clip(0.1 / documents, 1e-5, 1e-4))
    weights = np.zeros((rows.shape[1], labels), dtype=np.float32)
    intercepts = np.zeros(labels)

    def fit_label(label: int) -> None:
        carriers = carries.indices[carries.indptr[label] : carries.indptr[label + 1]]
        if len(carriers) in (0, documents):
            intercepts[label] = _NEVER if len(carriers) == 0 else -_NEVER
            return
        answers = np.zeros(documents, dtype=np.int8)
        answers[carriers] = 1
        model = SGDClassifier(
            loss="log_loss", alpha=strength, max_iter=epochs, tol=None, random_state=_SEED
        ).fit(rows, answers)
        weights[:, label] = model.coef_[0]
        intercepts[label] = model.intercept_[0]

    # Threads share the rows, and the solver runs without the interpreter's lock.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(fit_label, range(labels)))
    return weights, intercepts


def _decisions(
    rows: sparse.csr_matrix, weights: NDArray[np.float32], intercepts: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray(rows @ weights, dtype=np.float64) + intercepts
