"""The model of every classifier: hashed TF-IDF and one linear model per label, with calibrated scores.

The choice was measured (benchmarks/LOCAL_COMPREHEND.md). Training is deterministic.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from nightsort_local.local_aws.learning.calibration import LabelCurves, class_curves, class_scores
from nightsort_local.local_aws.learning.linear_model import fit
from nightsort_local.local_aws.learning.text_features import TermWeights, count_terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from nightsort.comprehend.limits import Mode

RETURNED = 3
"""Number of classes or labels that Comprehend returns per document."""

SCORE_DECIMALS = 4
"""Decimals of a score in a job's output."""

HELD_OUT = {"MULTI_CLASS": 1_000, "MULTI_LABEL": 4_000}
"""Held-out documents for the calibration, by mode. Fifths of the data are held out until there are as
many. More than 4,000 change no macro-F1 of GoEmotions beyond its noise, and each fifth costs a training."""

_NEGLIGIBLE = 0.05
"""If the held-out share is smaller, the model is not fitted again on all documents."""

_FOLDS = 5
_SEED = 0
_MAX_COLUMNS = 2**17
_MAX_WEIGHTS = 2**26
"""Bounds of a model's memory: 2**26 weights take 256 MB."""


@dataclass(frozen=True)
class TextClassifier:
    """A trained classifier.

    :param labels: the sorted labels, the columns of all scores.
    :param terms: the kept terms with their IDF.
    :param weights: shape (kept terms, labels).
    :param intercepts: shape (labels,).
    :param curves: from decision values to scores; in multi-class mode slopes and offsets alone are used.
    """

    mode: Mode
    labels: tuple[str, ...]
    terms: TermWeights
    weights: NDArray[np.float32]
    intercepts: NDArray[np.float64]
    curves: LabelCurves

    def scores(self, counts: sparse.csr_matrix) -> NDArray[np.float64]:
        """Return the scores of documents. A document's scores do not depend on the other documents.

        :param counts: term counts; shape (documents, buckets).
        :returns: shape (documents, labels).
        """
        decisions = _decisions(self.terms.apply(counts), self.weights, self.intercepts)
        if self.mode == "MULTI_CLASS":
            return class_scores(decisions * self.curves.slopes + self.curves.offsets)
        return self.curves.scores(decisions)

    def best(self, counts: sparse.csr_matrix) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the best labels of each document, best first.

        :param counts: term counts; shape (documents, buckets).
        :returns: label indices and rounded scores; both of shape (documents, returned labels).
        """
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
        """Return the best labels of each text, as :meth:`best` does."""
        return self.best(count_terms(texts))

    def save(self, path: Path) -> None:
        """Write the model atomically."""
        partial = path.with_name(path.name + ".partial")
        with partial.open("wb") as file:
            np.savez(
                file,
                head=np.frombuffer(json.dumps({"mode": self.mode, "labels": self.labels}).encode(), np.uint8),
                columns=self.terms.columns,
                idf=self.terms.idf,
                weights=self.weights,
                intercepts=self.intercepts,
                **self.curves._asdict(),
            )
        os.replace(partial, path)

    @classmethod
    def load(cls, path: Path) -> TextClassifier:
        """Load a model that :meth:`save` wrote."""
        with np.load(path) as file:
            head: dict[str, Any] = json.loads(file["head"].tobytes())
            # A data folder may hold models of a version without bend and thresholds.
            curves = LabelCurves.straight(len(head["labels"]))._asdict()
            curves.update((name, file[name]) for name in curves if name in file)
            return cls(
                mode=head["mode"],
                labels=tuple(head["labels"]),
                terms=TermWeights(file["columns"], file["idf"]),
                weights=file["weights"],
                intercepts=file["intercepts"],
                curves=LabelCurves(**curves),
            )


def train(
    mode: Mode, labels: Sequence[str], counts: sparse.csr_matrix, carries: sparse.csc_matrix
) -> TextClassifier:
    """Train a classifier.

    :param mode: MULTI_CLASS or MULTI_LABEL.
    :param labels: the sorted labels.
    :param counts: term counts of the training documents; shape (documents, buckets).
    :param carries: non-zero where a document has a label; shape (documents, labels).
    """
    terms = TermWeights.learn(counts, min(_MAX_COLUMNS, _MAX_WEIGHTS // len(labels)))
    rows, carried = terms.apply(counts), carries.tocsr()
    decisions, truth = [], []
    for held in _folds(rows.shape[0], HELD_OUT[mode]):
        seen = np.ones(rows.shape[0], dtype=bool)
        seen[held] = False
        model = fit(rows[seen], carried[seen], mode == "MULTI_CLASS")
        decisions.append(_decisions(rows[held], *model))
        truth.append(carried[held])
    shares = np.asarray(carries.mean(axis=0)).ravel()
    curves = _calibration(mode, np.concatenate(decisions), sparse.vstack(truth, format="csc"), shares)
    if len(held) > _NEGLIGIBLE * rows.shape[0]:
        model = fit(rows, carried, mode == "MULTI_CLASS")
    return TextClassifier(mode, tuple(labels), terms, *model, curves)


def _folds(documents: int, due: int) -> Iterator[NDArray[np.int64]]:
    """Yield row numbers of held-out folds, up to a fifth each, until `due` documents are held out.

    The folds are empty for fewer than five documents.
    """
    shuffled = np.random.RandomState(_SEED).permutation(documents)
    size = min(documents // _FOLDS, due)
    for number in range(min(_FOLDS, -(-due // max(size, 1)))):
        yield np.sort(shuffled[number * size : (number + 1) * size])


def _calibration(
    mode: Mode, decisions: NDArray[np.float64], carries: sparse.csc_matrix, shares: NDArray[np.float64]
) -> LabelCurves:
    """Return curves that are fitted on decision values of held-out documents."""
    if mode == "MULTI_LABEL":
        return LabelCurves.fit(decisions, carries.toarray() != 0)
    right = np.asarray(carries.argmax(axis=1)).ravel()
    return class_curves(decisions, right, shares)


def _decisions(
    rows: sparse.csr_matrix, weights: NDArray[np.float32], intercepts: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray(rows @ weights, dtype=np.float64) + intercepts
