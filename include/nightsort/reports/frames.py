"""The shape of each DataFrame, whatever it is read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

PREDICTION_COLUMNS: Final = (
    *("classifier", "day", "run_key", "batch", "line", "version", "document_id", "status", "label", "score"),
    *("labels", "scores", "accepted", "reason", "loaded_at"),
)
"""Columns of :func:`predictions`: those of the table ``predictions``."""

REJECT_COLUMNS: Final = ("document_id", "reason")

_CATEGORIES: Final = ("classifier", "run_key", "batch", "version", "status", "label", "reason")


def predictions(rows: pd.DataFrame) -> pd.DataFrame:
    """Set the types of predictions: categories for repeated texts, ``float32`` scores, ``datetime64`` days.

    :param rows: with :data:`PREDICTION_COLUMNS`, in any order.
    :returns: the rows ordered by day, run, batch and line.
    """
    typed = rows[list(PREDICTION_COLUMNS)].astype(dict.fromkeys(_CATEGORIES, "category"))
    typed["day"] = pd.to_datetime(typed["day"])
    typed["loaded_at"] = pd.to_datetime(typed["loaded_at"], utc=True)
    typed = typed.astype({"line": "int64", "score": "float32"})
    order = ["day", "run_key", "batch", "line"]
    return typed.sort_values(order, ignore_index=True)


def label_distribution(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count the documents of each day by label.

    A document with several accepted labels counts once for each of them. A document without accepted labels
    counts for its best label. A document without any label is left out.

    :param predictions: with the columns ``day``, ``label`` and ``accepted``.
    :returns: ``int64`` counts, one row a day, one column a label; the most frequent label is first.
    """
    classified = predictions[predictions["label"].notna()]
    labels = [
        list(accepted) if accepted is not None and len(accepted) else [label]
        for accepted, label in zip(classified["accepted"], classified["label"], strict=True)
    ]
    each = pd.DataFrame({"day": classified["day"].to_numpy(), "label": labels}).explode("label")
    return most_frequent_first(pd.crosstab(each["day"], each["label"]))


def most_frequent_first(counts: pd.DataFrame) -> pd.DataFrame:
    """Order the columns of a label distribution by their sums.

    :param counts: one row a day, one column a label.
    :returns: the same counts; the most frequent label is first.
    """
    return counts[counts.sum().sort_values(ascending=False, kind="stable").index]


def confusion_matrix(matrix: Mapping[str, Any]) -> pd.DataFrame:
    """Return Comprehend's ``confusion_matrix.json`` as a DataFrame of document counts.

    Source of the format: Amazon Comprehend Developer Guide, "Confusion matrix".

    :param matrix: the content of the file.
    :returns: multi-class: one row per actual label, one column per predicted label. Multi-label: one row per
        label, with the columns ``true_negative``, ``false_positive``, ``false_negative``, ``true_positive``.
    """
    values = np.asarray(matrix["confusion_matrix"], dtype=np.int64)
    labels = list(matrix["labels"])
    if values.ndim == 3:
        columns = ["true_negative", "false_positive", "false_negative", "true_positive"]
        return pd.DataFrame(values.reshape(-1, 4), index=pd.Index(labels, name="label"), columns=columns)
    return pd.DataFrame(
        values, index=pd.Index(labels, name="actual"), columns=pd.Index(labels, name="predicted")
    )
