"""DataFrames from the tables in PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from nightsort.reports import frames

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import psycopg
    from typing_extensions import LiteralString

_RUNS: Final = """
    SELECT classifier, day, run_key, version, state, message, documents_in, classified, failed, rejected,
           reasons, retried, units, cost_usd::float8 AS cost_usd, source_uri, dag_id, run_id, started_at,
           finished_at
    FROM nightsort.classification_runs
    WHERE (%(classifier)s::text IS NULL OR classifier = %(classifier)s)
      AND (%(since)s::date IS NULL OR day >= %(since)s)
    ORDER BY classifier, day, run_key
"""
_PREDICTIONS: Final = """
    SELECT classifier, day, run_key, batch, line, version, document_id, status, label, score, labels, scores,
           accepted, reason, loaded_at
    FROM nightsort.predictions
    WHERE classifier = %(classifier)s AND day = %(day)s
"""
_REJECTS: Final = """
    SELECT document_id, reason FROM nightsort.predictions
    WHERE classifier = %(classifier)s AND day = %(day)s AND status = 'rejected'
    ORDER BY run_key, line
"""
# Counted in the database: a report on a year must not read a row for each document.
_LABELS: Final = """
    SELECT day, counted AS label, count(*) AS documents
    FROM nightsort.predictions, unnest(coalesce(nullif(accepted, '{}'), ARRAY[label])) AS counted
    WHERE classifier = %(classifier)s AND status = 'classified'
      AND (%(since)s::date IS NULL OR day >= %(since)s)
    GROUP BY 1, 2
"""
_MATRIX: Final = """
    SELECT confusion_matrix FROM nightsort.classifier_versions
    WHERE classifier = %(classifier)s
      AND CASE WHEN %(version)s::text IS NULL THEN active ELSE version = %(version)s END
"""


def runs(
    conn: psycopg.Connection[Any], classifier: str | None = None, *, since: date | None = None
) -> pd.DataFrame:
    """Return one row per run: its state with the message, day, counts, reasons, cost in USD and times.

    A run that goes on has the state ``running``, no ``finished_at``, and counts of an earlier run of the day
    or zeros.

    :param classifier: name of the spec; ``None``: all classifiers.
    :param since: the first day; ``None``: all days.
    :returns: rows ordered by classifier, day and run. ``reasons`` holds dictionaries ``{reason: documents}``.
    """
    found = _read(conn, _RUNS, classifier=classifier, since=since)
    found["day"] = pd.to_datetime(found["day"])
    for column in ("started_at", "finished_at"):
        found[column] = pd.to_datetime(found[column], utc=True)
    return found


def predictions(conn: psycopg.Connection[Any], classifier: str, day: date) -> pd.DataFrame:
    """Return one row per document of a day: classified, failed and rejected.

    Needs about 1 kB of memory per document.

    :returns: the columns of :data:`nightsort.reports.frames.PREDICTION_COLUMNS`.
    """
    return frames.predictions(_read(conn, _PREDICTIONS, classifier=classifier, day=day))


def rejects(conn: psycopg.Connection[Any], classifier: str, day: date) -> pd.DataFrame:
    """Return the documents of a day that were not sent, with the reason of each.

    :returns: the columns of :data:`nightsort.reports.frames.REJECT_COLUMNS`.
    """
    return _read(conn, _REJECTS, classifier=classifier, day=day)


def label_distribution(
    conn: psycopg.Connection[Any], classifier: str, *, since: date | None = None
) -> pd.DataFrame:
    """Count the documents of each day by label, as :func:`nightsort.reports.frames.label_distribution` does.

    :param since: the first day; ``None``: all days.
    """
    counted = _read(conn, _LABELS, classifier=classifier, since=since)
    counted["day"] = pd.to_datetime(counted["day"])
    table = counted.pivot_table("documents", "day", "label", aggfunc="sum", fill_value=0).astype("int64")
    return frames.most_frequent_first(table)


def confusion_matrix(
    conn: psycopg.Connection[Any], classifier: str, version: str | None = None
) -> pd.DataFrame:
    """Return the confusion matrix of a version, as :func:`nightsort.reports.frames.confusion_matrix` does.

    :param version: name of the version; ``None``: the active one.
    :raises LookupError: there is no such version, or it has no confusion matrix.
    """
    found = _read(conn, _MATRIX, classifier=classifier, version=version)["confusion_matrix"].dropna()
    if found.empty:
        named = f"version {version}" if version else "active version"
        raise LookupError(f"{classifier} has no {named} with a confusion matrix; run train_{classifier}")
    return frames.confusion_matrix(found.iloc[0])


def _read(conn: psycopg.Connection[Any], query: LiteralString, **parameters: Any) -> pd.DataFrame:
    # The transaction ends here: a read must leave none open.
    with conn.transaction(), conn.cursor() as cursor:
        rows: Sequence[tuple[Any, ...]] = cursor.execute(query, parameters).fetchall()
        columns = [column.name for column in cursor.description or ()]
    return pd.DataFrame(rows, columns=columns)
