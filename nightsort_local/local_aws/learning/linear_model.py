"""Fit linear models on sparse rows, one weight vector per label, with one of two solvers.

Up to :data:`MAX_UPDATES`, each label gets its own model with scikit-learn's SGD, document by document. Its
loss is Huber's (Zhang 2004): a document that is clearly on the right side changes nothing. So an epoch takes
half of the time of a logistic regression, and the few documents of a rare label are not drowned by thousands
of others. But a thousand labels and a million documents would take hours. Above the limit, all labels are
fitted together on blocks of documents, much faster: as one softmax (multi-class) or as independent labels
(multi-label).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.special import expit, log_softmax, logit
from sklearn.linear_model import SGDClassifier

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_UPDATES = 25_000_000
"""Documents times labels times epochs; up to here the better solver takes seconds on two cores."""

_SEED = 0
_EPOCHS = {True: (2, 10), False: (2, 5)}
"""Fewest and most epochs, where each document has exactly one label and where it has several. With several,
more than five change the macro-F1 of aws-topics and GoEmotions by less than half a point, and not upwards."""

_EPOCH_DOCUMENTS = 300_000
_STRENGTHS = (1e-4, 1e-3)
"""Least and most regularisation. Less costs GoEmotions two points of macro-F1."""

_UNSEEN = -2.0
"""Decision value of a label that no document has; other wrong labels are at about -1. A lower one would count
more in the calibration, where a fold lacks a label, than all other documents."""

_NEVER = -10.0
"""The same of the models that learn together, which are log-odds."""

_BLOCK = 512


def fit(
    rows: sparse.csr_matrix, carries: sparse.csr_matrix, exclusive: bool
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Fit the models.

    :param rows: weighted terms, each row of length 1; shape (documents, terms), float32.
    :param carries: non-zero where a document has a label; shape (documents, labels).
    :param exclusive: each document has exactly one label.
    :returns: weights, shape (terms, labels), and intercepts, shape (labels,).
    """
    documents, labels = carries.shape
    # From 700 to 100,000 documents, more epochs changed no macro-F1 by a tenth of a point.
    epochs = int(np.clip(np.ceil(_EPOCH_DOCUMENTS / documents), *_EPOCHS[exclusive]))
    if documents * labels * epochs > MAX_UPDATES:
        return _fit_together(rows, carries, exclusive, epochs)
    return _fit_each(rows, carries.tocsc(), epochs)


def _fit_each(
    rows: sparse.csr_matrix, carries: sparse.csc_matrix, epochs: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    documents, labels = carries.shape
    # Less data needs more regularisation.
    strength = float(np.clip(1 / documents, *_STRENGTHS))
    weights = np.zeros((rows.shape[1], labels), dtype=np.float32)
    intercepts = np.zeros(labels)

    def fit_label(label: int) -> None:
        carriers = carries.indices[carries.indptr[label] : carries.indptr[label + 1]]
        if len(carriers) in (0, documents):
            intercepts[label] = _UNSEEN if len(carriers) == 0 else -_UNSEEN
            return
        answers = np.zeros(documents, dtype=np.int8)
        answers[carriers] = 1
        model = SGDClassifier(
            loss="modified_huber", alpha=strength, max_iter=epochs, tol=None, random_state=_SEED
        ).fit(rows, answers)
        weights[:, label] = model.coef_[0]
        intercepts[label] = model.intercept_[0]

    # Threads share the rows; the solver releases the interpreter's lock.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(fit_label, range(labels)))
    return weights, intercepts


def _fit_together(
    rows: sparse.csr_matrix, carries: sparse.csr_matrix, exclusive: bool, epochs: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    documents, labels = carries.shape
    shares = np.asarray(carries.astype(bool).mean(axis=0)).ravel()
    intercepts = np.clip(logit(shares), _NEVER, -_NEVER)
    weights = np.zeros((rows.shape[1], labels), dtype=np.float32)
    # AdaGrad with one rate per term: frequent terms get smaller steps.
    seen = np.full(rows.shape[1], 1e-8, dtype=np.float32)
    random = np.random.RandomState(_SEED)
    steps = [(epoch, start) for epoch in range(epochs) for start in range(0, documents, _BLOCK)]
    for step, (_, start) in enumerate(steps):
        if start == 0:
            order = random.permutation(documents)
        chosen = np.sort(order[start : start + _BLOCK])
        block, truth = rows[chosen], carries[chosen].astype(bool).astype(np.float32)
        # Only the weights of the block's terms are updated, in a small dense matrix.
        present, indices = np.unique(block.indices, return_inverse=True)
        block = sparse.csr_matrix((block.data, indices, block.indptr), shape=(len(chosen), len(present)))
        part = weights[present]
        decisions = block @ part + intercepts.astype(np.float32)
        errors = (np.exp(log_softmax(decisions, axis=1)) if exclusive else expit(decisions)) - truth.toarray()
        rate = 1 - step / len(steps)
        seen[present] += np.bincount(indices, weights=block.data**2, minlength=len(present))
        part -= (rate / np.sqrt(seen[present]))[:, None] * (block.T.tocsr() @ errors)
        weights[present] = part
        intercepts -= 0.1 * rate * errors.mean(axis=0)
    return weights, intercepts
