"""Compute the metrics of a classifier version, and decide whether it becomes the active one.

Definitions are scikit-learn's, with ``zero_division=0``: macro figures are unweighted means over the labels,
micro figures pool all decisions, and in multi-label mode a document counts as accurate only if its whole set
of labels is right. Comprehend documents the same definitions (Developer Guide, cer-doc-class), but not its
formula for multi-label accuracy.
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from nightsort.errors import NightsortError
from nightsort.results.archive import read_member
from nightsort.results.columns import read_predictions
from nightsort.storage import must_exist
from nightsort.training.scoring import known_results

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import numpy.typing as npt
    from upath import UPath

    from nightsort.classifier_spec.model import Promotion

MATRIX_MEMBER = "confusion_matrix.json"
"""Member of the training output with the confusion matrix, in the folder ``output/``."""

MAX_MATRIX_BYTES = 64_000_000
"""A thousand labels squared are about 8 MB of JSON."""

DECISION_THRESHOLD = 0.5
"""Lowest score of a label that counts as predicted, in multi-label metrics. AWS does not document its own;
the local Comprehend uses this."""

_COMPREHEND_NAMES = {
    "accuracy": "Accuracy",
    "macro_precision": "Precision",
    "macro_recall": "Recall",
    "macro_f1": "F1Score",
    "micro_precision": "MicroPrecision",
    "micro_recall": "MicroRecall",
    "micro_f1": "MicroF1Score",
    "hamming_loss": "HammingLoss",
}


class EvaluationError(NightsortError):
    """Metrics that cannot be read or computed: where, what is wrong, what to do."""


@dataclass(frozen=True)
class Metrics:
    """Figures between 0 and 1, ``None`` where not known. Higher is better, except for the Hamming loss.

    :param accuracy: share of documents whose label, or whole set of labels, is right.
    :param hamming_loss: share of wrong decisions; lower is better.
    """

    accuracy: float | None = None
    macro_precision: float | None = None
    macro_recall: float | None = None
    macro_f1: float | None = None
    micro_precision: float | None = None
    micro_recall: float | None = None
    micro_f1: float | None = None
    hamming_loss: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """Return JSON-safe values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, float | None]) -> Metrics:
        """Return the metrics in the values of :meth:`to_dict`."""
        return cls(**values)


@dataclass(frozen=True)
class LabelMetrics:
    """How well one label is found.

    :param label: the label.
    :param documents: how many test documents have it.
    """

    label: str
    documents: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class PromotionDecision:
    """Whether a new version becomes active.

    :param promote: the answer.
    :param reason: why, with the numbers, for a person to read.
    :param metric: the metric that was compared.
    :param old: its value for the active version, if there is one.
    :param new: its value for the new one.
    """

    promote: bool
    reason: str
    metric: str
    old: float | None
    new: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values."""
        return asdict(self)


def from_comprehend(evaluation_metrics: Mapping[str, float]) -> Metrics:
    """Return the metrics in Comprehend's ``EvaluationMetrics``; missing ones are ``None``."""
    return Metrics(**{ours: evaluation_metrics.get(theirs) for ours, theirs in _COMPREHEND_NAMES.items()})


def from_predictions(
    actual: Sequence[Collection[str]],
    predicted: Sequence[Collection[str]],
    labels: Sequence[str],
    *,
    mode: str = "MULTI_LABEL",
) -> Metrics:
    """Compute metrics from label sets, a pair per document.

    :param actual: the right labels; one each in ``MULTI_CLASS``.
    :param predicted: the predicted labels; empty where there is none.
    :param labels: the labels to average over. Any other predicted label is wrong, but has no average.
    :param mode: matters for the Hamming loss only: in ``MULTI_CLASS`` a decision is a document, in
        ``MULTI_LABEL`` a document and a label. All other figures are the same where documents have one label.
    :returns: the metrics.
    :raises EvaluationError: the lengths differ, or there is no document or no label.
    """
    if len(actual) != len(predicted):
        raise EvaluationError(
            f"{len(actual):,} documents have right labels, but {len(predicted):,} predictions were given"
        )
    if not actual or not labels:
        raise EvaluationError("there is nothing to evaluate: no documents, or no labels")
    index_of = {label: index for index, label in enumerate(labels)}
    hits, missed, wrong = (np.zeros(len(index_of), np.int64) for _ in range(3))
    right = 0
    for truth, guess in zip(map(set, actual), map(set, predicted), strict=True):
        right += truth == guess
        for counts, found in ((hits, truth & guess), (missed, truth - guess), (wrong, guess - truth)):
            for label in found:
                if (index := index_of.get(label)) is not None:
                    counts[index] += 1
    accuracy = right / len(actual)
    if mode == "MULTI_CLASS":
        loss = 1 - accuracy
    else:
        loss = float(missed.sum() + wrong.sum()) / (len(actual) * len(index_of))
    return _metrics(hits, wrong, missed, accuracy=accuracy, loss=loss)


def from_confusion_matrix(matrix: Mapping[str, Any]) -> Metrics:
    """Compute metrics from Comprehend's confusion matrix.

    ``multi_class``: square, rows are the actual labels. ``multi_label``: per label ``[[TN, FP], [FN, TP]]``;
    the accuracy does not follow from it.

    :param matrix: the content of ``confusion_matrix.json``.
    :returns: the metrics.
    :raises EvaluationError: it is not such a matrix.
    """
    values, (hits, wrong, missed) = _decisions(matrix)
    if matrix["type"] == "multi_class":
        accuracy = float(hits.sum()) / float(values.sum())
        return _metrics(hits, wrong, missed, accuracy=accuracy, loss=1 - accuracy)
    loss = float((wrong + missed).sum()) / float(values.sum())
    return _metrics(hits, wrong, missed, accuracy=None, loss=loss)


def weakest_labels(matrix: Mapping[str, Any], most: int) -> list[LabelMetrics]:
    """Return the labels with the lowest F1 in Comprehend's confusion matrix, lowest first.

    :param matrix: the content of ``confusion_matrix.json``.
    :param most: how many labels at most. A label without test documents is not measured, so it is left out.
    :raises EvaluationError: it is not such a matrix.
    """
    _, (hits, wrong, missed) = _decisions(matrix)
    rates = zip(matrix.get("labels", ()), hits + missed, *_rates(hits, wrong, missed), strict=False)
    measured = [
        LabelMetrics(label, int(documents), float(precision), float(recall), float(f1))
        for label, documents, precision, recall, f1 in rates
        if documents
    ]
    return sorted(measured, key=lambda label: label.f1)[:most]


def _decisions(
    matrix: Mapping[str, Any],
) -> tuple[npt.NDArray[np.float64], tuple[npt.NDArray[np.float64], ...]]:
    """Return the matrix's numbers, and per label: true positives, false positives, false negatives."""
    kind = matrix.get("type")
    try:
        values = np.asarray(matrix["confusion_matrix"], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise EvaluationError(f"there is no confusion matrix of numbers ({error})") from error
    if not values.size or not np.isfinite(values).all() or (values < 0).any() or not values.sum():
        raise EvaluationError("the confusion matrix is empty, or has values that are not counts")
    if kind == "multi_class" and values.ndim == 2 and values.shape[0] == values.shape[1]:
        hits = np.diag(values)
        return values, (hits, values.sum(axis=0) - hits, values.sum(axis=1) - hits)
    if kind == "multi_label" and values.ndim == 3 and values.shape[1:] == (2, 2):
        return values, (values[:, 1, 1], values[:, 0, 1], values[:, 1, 0])
    raise EvaluationError(
        f"a confusion matrix of type {kind!r} and shape {values.shape} is not documented by Comprehend"
    )


def read_confusion_matrix(archive: UPath | IO[bytes]) -> dict[str, Any]:
    """Read ``confusion_matrix.json`` from the ``output.tar.gz`` of a training.

    :param archive: the archive.
    :returns: the content of the file.
    :raises ArchiveError: the archive is damaged or has no such file.
    :raises EvaluationError: it is not a JSON object, or too large.
    """
    content = bytearray()
    for chunk in read_member(archive, MATRIX_MEMBER):
        content += chunk
        if len(content) > MAX_MATRIX_BYTES:
            raise EvaluationError(f"{archive}: a confusion matrix of more than {MAX_MATRIX_BYTES:,} bytes")
    try:
        matrix = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise EvaluationError(f"{archive}: {MATRIX_MEMBER} is not JSON ({error})") from error
    if not isinstance(matrix, dict):
        raise EvaluationError(f"{archive}: {MATRIX_MEMBER} is not an object")
    return matrix


def from_job_output(
    archive: UPath | IO[bytes] | None,
    test_csv: UPath,
    *,
    mode: str,
    label_delimiter: str | None = None,
    known: UPath | None = None,
) -> Metrics:
    """Compute the metrics of a version from the output of a job over the test documents.

    Averages are over the labels of the test set, as for a new version. A document without a prediction counts
    as wrong.

    :param archive: ``output.tar.gz`` of a ``ONE_DOC_PER_LINE`` job over the test documents that are not
        known, in their order; ``None``: all are known.
    :param test_csv: ``test.csv``, in the same order.
    :param mode: ``MULTI_CLASS`` or ``MULTI_LABEL``.
    :param label_delimiter: joins the labels of a cell in ``MULTI_LABEL``.
    :param known: what the version has said of the other test documents before; ``None``: of none.
    :returns: the metrics.
    :raises MissingObjectError: one of both is gone.
    :raises ArchiveError: the archive is damaged or holds no predictions.
    :raises EvaluationError: the output has no prediction for any test document.
    """
    with must_exist(test_csv):
        opened = test_csv.open("r", encoding="utf-8", newline="")
    with opened as file:
        cells = [row[0] for row in csv.reader(file) if row]
    actual = [{cell} if mode == "MULTI_CLASS" else set(cell.split(label_delimiter)) for cell in cells]
    predicted: list[set[str]] = [set() for _ in actual]
    found = 0
    for line, labels, scores in _test_results(archive, known, len(actual)):
        found += 1
        predicted[line] = (
            {labels[0]}
            if mode == "MULTI_CLASS"
            else {label for label, score in zip(labels, scores, strict=True) if score >= DECISION_THRESHOLD}
        )
    if not found:
        raise EvaluationError(f"{archive}: has no prediction for any document of {test_csv}")
    return from_predictions(actual, predicted, sorted(set().union(*actual)), mode=mode)


def _test_results(
    archive: UPath | IO[bytes] | None, known: UPath | None, documents: int
) -> Iterator[tuple[int, list[str], list[float]]]:
    """Yield line of the test data, labels and scores of each test document that has a prediction."""
    asked = np.ones(documents, np.bool_)
    if known is not None:
        for line, labels, scores in known_results(known):
            asked[line] = False
            yield line, labels, scores
    if archive is None:
        return
    lines = np.flatnonzero(asked).tolist()
    for batch in read_predictions(archive):
        for row in batch.predictions.to_pylist():
            if row["line"] is not None and row["line"] < len(lines):
                yield lines[row["line"]], row["labels"], row["scores"]


def decide_promotion(
    challenger: Metrics, champion: Metrics | None, promotion: Promotion
) -> PromotionDecision:
    """Decide whether the challenger becomes the active version; both must be measured on the same test set.

    :param challenger: the new version's metrics.
    :param champion: the active version's metrics; ``None`` if there is none: then the challenger is promoted.
    :param promotion: the metric, and how much better it must be. A tie keeps the champion.
    :returns: the decision.
    """
    metric, minimum = promotion.metric, promotion.least_gain
    new = getattr(challenger, metric)
    if champion is None:
        return PromotionDecision(True, "No version was active before.", metric, None, new)
    old = getattr(champion, metric)
    if new is None:
        return PromotionDecision(
            False, f"The new version has no {metric}, so it cannot be compared.", metric, old, new
        )
    if old is None:
        return PromotionDecision(
            True, f"The active version has no {metric}, the new one {new:.4f}.", metric, old, new
        )
    # Comprehend rounds to four decimals: a smaller difference is not a gain.
    gain = round(new - old, 4)
    change = f"{metric} {old:.4f} -> {new:.4f} ({gain:+.4f})"
    if gain > 0 and gain >= minimum:
        return PromotionDecision(True, f"Better on the same test set: {change}.", metric, old, new)
    wanted = f"at least {minimum:+.4f}" if minimum else "any gain"
    return PromotionDecision(
        False, f"Gain too small on the same test set: {change}; required: {wanted}.", metric, old, new
    )


def _metrics(
    hits: npt.NDArray[Any],
    wrong: npt.NDArray[Any],
    missed: npt.NDArray[Any],
    *,
    accuracy: float | None,
    loss: float,
) -> Metrics:
    """Return all metrics.

    :param hits: true positives of each label.
    :param wrong: false positives of each label.
    :param missed: false negatives of each label.
    """
    precision, recall, f1 = _rates(hits, wrong, missed)
    micro_precision, micro_recall, micro_f1 = _rates(hits.sum(), wrong.sum(), missed.sum())
    return Metrics(
        accuracy=accuracy,
        macro_precision=float(precision.mean()),
        macro_recall=float(recall.mean()),
        macro_f1=float(f1.mean()),
        micro_precision=float(micro_precision),
        micro_recall=float(micro_recall),
        micro_f1=float(micro_f1),
        hamming_loss=loss,
    )


def _rates(hits: Any, wrong: Any, missed: Any) -> tuple[npt.NDArray[np.float64], ...]:
    return (
        _ratio(hits, hits + wrong),
        _ratio(hits, hits + missed),
        _ratio(2 * hits, 2 * hits + wrong + missed),
    )


def _ratio(part: Any, whole: Any) -> npt.NDArray[np.float64]:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0))
