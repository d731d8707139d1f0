"""The page of one classifier: its versions, why each was promoted or not, and where it errs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nightsort.evaluation import EvaluationError, LabelMetrics, weakest_labels
from nightsort.layout import REPORT_FILE
from nightsort.reports import figures
from nightsort.sources.rejects import REASONS
from nightsort.tables.classifier_history import VersionHistory
from nightsort_airflow.ui.addresses import s3_address, version_address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from nightsort.tables.versions import ClassifierVersion

METRICS: Final = {"macro_f1": "macro F1", "micro_f1": "micro F1", "accuracy": "accuracy"}
"""The metrics that are drawn, with what the reader calls them."""

PAIRS_SHOWN: Final = 50


class VersionRow(VersionHistory):
    """One version, with the decisions on it."""

    @property
    def outcome(self) -> str:
        """What became of it, in a word."""
        if self.version.active:
            return "active"
        if self.version.promoted_at:
            return "was active"
        if self.decisions:
            return "promoted" if self.decisions[0].promoted else "not promoted"
        return (self.version.status or "not decided").lower().replace("_", " ")

    @property
    def time(self) -> datetime | None:
        """When it was trained; of one that was not, when its row was written."""
        return self.version.trained_at or self.version.recorded_at

    @property
    def tone(self) -> str:
        """The colour of the word."""
        return {"active": "good", "was active": "idle", "not promoted": "warn", "in error": "bad"}.get(
            self.outcome, "idle"
        )

    @property
    def address(self) -> str | None:
        """Its page in the AWS console."""
        return version_address(self.version.arn)

    def metric(self, name: str) -> float | None:
        """Return one of its metrics."""
        return self.version.metrics.to_dict().get(name) if self.version.metrics else None


@dataclass(frozen=True)
class Confused:
    """Documents of one label that were found as another one."""

    actual: str
    predicted: str
    documents: int
    share: float


@dataclass(frozen=True)
class Evaluation:
    """
    Where a version errs.

    :param labels: precision, recall and F1 of each label, the weakest first.
    :param training_documents: of each label; empty if that is not known.
    :param confused: the pairs that are confused most often; empty for ``MULTI_LABEL``.
    :param chart: the confusion matrix, its labels by name; None for ``MULTI_LABEL``.
    :param by_confusion: the labels so ordered that those which are confused lie together.
    """

    labels: Sequence[LabelMetrics]
    training_documents: Mapping[str, int]
    confused: Sequence[Confused]
    chart: figures.Figure | None
    by_confusion: Sequence[str]


def version_rows(history: Sequence[VersionHistory]) -> list[VersionRow]:
    """
    Return the versions with the decisions on them.

    :param history: the newest version first.
    """
    return [VersionRow(each.version, each.decisions) for each in history]


def metrics_chart(rows: Sequence[VersionRow]) -> figures.Figure | None:
    """
    Return the metrics over time; None if fewer than two versions have any.

    :param rows: the versions, the newest one first.
    """
    points = [
        (row.time, row.version.version, row.version.metrics.to_dict(), row.version.promoted_at is not None)
        for row in reversed(rows)
        if row.version.metrics and row.time
    ]
    return figures.metrics_over_time(points, METRICS) if len(points) > 1 else None


def evaluation(version: ClassifierVersion) -> Evaluation | None:
    """
    Return where a version errs; None where it has no confusion matrix that can be read.

    :param version: the version, whole.
    """
    matrix = version.confusion_matrix
    if matrix is None:
        return None
    trained = {label: count.get("training", 0) for label, count in (version.labels or {}).items()}
    try:
        labels = weakest_labels(matrix, len(matrix.get("labels", ())))
    except EvaluationError:
        return None
    if matrix.get("type") != "multi_class":
        return Evaluation(labels, trained, (), None, ())
    names = list(matrix["labels"])
    counts = np.asarray(matrix["confusion_matrix"], dtype=np.int64)
    order = sorted(range(len(names)), key=lambda place: names[place].casefold())
    by_name = [names[place] for place in order]
    return Evaluation(
        labels=labels,
        training_documents=trained,
        confused=confused_pairs(names, counts),
        chart=figures.confusion_heat_map(by_name, counts[np.ix_(order, order)]),
        by_confusion=[names[place] for place in confusion_order(counts)],
    )


def confused_pairs(labels: Sequence[str], counts: npt.NDArray[np.int64]) -> list[Confused]:
    """
    Return which label is taken for which other one, the most documents first.

    :param labels: the labels of rows and columns.
    :param counts: documents; rows are the actual labels.
    """
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    rows, columns = np.nonzero(wrong)
    most = np.argsort(-wrong[rows, columns], kind="stable")[:PAIRS_SHOWN]
    sums = counts.sum(axis=1)
    return [
        Confused(labels[row], labels[column], int(wrong[row, column]), float(wrong[row, column] / sums[row]))
        for row, column in zip(rows[most].tolist(), columns[most].tolist(), strict=True)
    ]


def confusion_order(counts: npt.NDArray[np.int64]) -> list[int]:
    """
    Return an order of the labels in which those that are confused with each other lie together.

    It begins with the label that is confused most, and goes on with the one that is confused most with those
    before, which count less the further back they are.

    :param counts: documents; rows are the actual labels.
    :returns: the places of the labels.
    """
    wrong = (counts + counts.T).astype(np.float64)
    np.fill_diagonal(wrong, 0)
    left = list(range(len(counts)))
    order: list[int] = []
    nearness = np.zeros(len(counts))
    while left:
        pull = nearness[left] + 1e-6 * wrong[left].sum(axis=1)
        chosen = left.pop(int(np.argmax(pull)))
        order.append(chosen)
        nearness = nearness * 0.5 + wrong[chosen]
    return order


def documents_chart(version: ClassifierVersion) -> figures.Figure | None:
    """
    Return the documents that each label of a version was trained and tested with, the fewest first.

    :param version: the version.
    """
    if not version.labels:
        return None
    counts = sorted(version.labels.items(), key=lambda item: (item[1].get("training", 0), item[0]))
    return figures.documents_per_label(
        [label for label, _ in counts],
        [count.get("training", 0) for _, count in counts],
        [count.get("test", 0) for _, count in counts],
    )


@dataclass(frozen=True)
class Unusable:
    """Labelled documents that cannot be used, for one reason."""

    reason: str
    documents: int
    remedy: str


@dataclass(frozen=True)
class TrainingData:
    """
    What became of the labelled documents of a version.

    :param report: the counts, as the row of the version has them; None of one that has none.
    :param rejects: the most frequent reason first.
    :param uri: the whole report, with the places of the first rejects.
    :param console: its page in the AWS console.
    """

    report: Mapping[str, Any] | None
    rejects: Sequence[Unusable]
    uri: str | None
    console: str | None


def training_data(version: ClassifierVersion) -> TrainingData:
    """
    Return what became of the labelled documents of a version.

    :param version: the version, whole.
    """
    folder = (version.training_uri or "").rpartition("/")[0]
    uri = f"{folder}/{REPORT_FILE}" if folder else None
    counts = (version.training_report or {}).get("reject_counts", {})
    return TrainingData(
        report=version.training_report,
        rejects=[
            Unusable(reason, documents, REASONS.get(reason, ""))
            for reason, documents in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        ],
        uri=uri,
        console=s3_address(version.arn, uri) if uri else None,
    )
