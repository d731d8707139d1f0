"""DataFrames from files: the Parquet export of a night, a run's rejects, the output of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from nightsort.evaluation import read_confusion_matrix
from nightsort.export_names import export_partition
from nightsort.naming import run_key
from nightsort.reports import frames
from nightsort.storage import plain_access

if TYPE_CHECKING:
    from datetime import date

    from upath import UPath

    from nightsort.storage import Access

_COUNTS: Final = ("classified", "failed", "rejected")


def predictions(export_uri: str, classifier: str, day: date, *, access: Access | None = None) -> pd.DataFrame:
    """Return one row per document of a day from its export, as the table holds it.

    Needs about 1 kB of memory per document.

    :param export_uri: the folder of all exports; ``<work_uri>/predictions`` where the spec names none.
    :param access: how files are reached; ``None``: as the environment says.
    :returns: the columns of :data:`nightsort.reports.frames.PREDICTION_COLUMNS`.
    :raises FileNotFoundError: the day was not exported.
    """
    partition = _path(export_partition(export_uri, classifier, run_key(day, None)), access)
    files = sorted(partition.glob("*.parquet"), key=str)
    if not files:
        raise FileNotFoundError(f"{export_uri} holds no export of {classifier} for {day}")
    tables = []
    for file in files:
        with file.open("rb") as opened:
            tables.append(pq.read_table(opened))
    # Files of earlier releases lack the newest columns.
    rows = pa.concat_tables(tables, promote_options="default").to_pandas()
    rows["classifier"], rows["day"] = classifier, pd.Timestamp(day)
    return frames.predictions(rows)


def runs(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count the documents of each run among exported predictions.

    :param predictions: of :func:`predictions`.
    :returns: one row per classifier, day and run, with the columns ``documents_in``, ``classified``,
        ``failed`` and ``rejected``.
    """
    key = ["classifier", "day", "run_key"]
    counts = predictions.groupby([*key, "status"], observed=True).size().unstack(fill_value=0)
    counts = counts.reindex(columns=list(_COUNTS), fill_value=0)
    counts.insert(0, "documents_in", counts.sum(axis="columns"))
    return counts.rename_axis(columns=None).reset_index()


def rejects(uri: str, *, access: Access | None = None) -> pd.DataFrame:
    """Return the rejects of a run or a training, with what a person needs to find each of them.

    :param uri: a ``rejects.jsonl``.
    :param access: how files are reached; ``None``: as the environment says.
    :returns: the columns ``document_id``, ``reason``, ``file``, ``row`` and ``detail``.
    """
    with _path(uri, access).open("rb") as lines:
        found: list[dict[str, Any]] = [orjson.loads(line) for line in lines]
    return pd.DataFrame(found, columns=[*frames.REJECT_COLUMNS, "file", "row", "detail"])


label_distribution = frames.label_distribution


def confusion_matrix(uri: str, *, access: Access | None = None) -> pd.DataFrame:
    """Return the confusion matrix of a training, see :func:`nightsort.reports.frames.confusion_matrix`.

    :param uri: the ``output.tar.gz`` that Comprehend wrote for the training.
    :param access: how files are reached; ``None``: as the environment says.
    :raises EvaluationError: the archive holds no confusion matrix that can be read.
    """
    return frames.confusion_matrix(read_confusion_matrix(_path(uri, access)))


def _path(uri: str, access: Access | None) -> UPath:
    return (access or plain_access()).path(uri)
