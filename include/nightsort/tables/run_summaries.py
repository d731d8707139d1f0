"""Read the rows of runs: one, those of a day, the last ones of each classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql
from psycopg.rows import class_row

from nightsort.tables.run_rows import COMPLETE, INCOMPLETE, AirflowRun

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date, datetime

    import psycopg


@dataclass(frozen=True)
class RunSummary:
    """A run as its row has it; ``None`` means not known.

    :param state: ``running``, ``complete``, ``incomplete`` or ``failed``, with its `message`.
    :param retried: failed documents that were sent again.
    :param forecast_usd: the price by the forecast, to be compared with `cost_usd`.
    :param source_uri: the source, if it was given by hand.
    :param dag_id: Airflow's, as `run_id`.
    :param approved_by: the user of Airflow who approved a cost above the budget, at `approved_at`.
    :param drifted: whether the labels drifted; ``None`` if that cannot be said.
    :param drift: the verdict in a sentence, which may hold names of labels.
    :param repeated: documents that were not sent, because one with the same text was.
    :param reused: documents that were not sent, because an earlier run classified their text.
    :param saved_units: units that these would have cost.
    :param saved_usd: their price.
    :param way: how its texts were sent, ``job`` or ``endpoint``, and `way_why`; ``None``: nothing was chosen.
    """

    classifier: str
    run_key: str
    day: date
    version: str | None
    state: str
    message: str | None
    documents_in: int
    classified: int
    failed: int
    rejected: int
    retried: int
    units: int
    cost_usd: float
    forecast_units: int | None
    forecast_usd: float | None
    source_uri: str | None
    dag_id: str | None
    run_id: str | None
    started_at: datetime | None
    finished_at: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    drifted: bool | None
    drift: str | None
    repeated: int = 0
    reused: int = 0
    saved_units: int = 0
    saved_usd: float = 0.0
    way: str | None = None
    way_why: str | None = None

    @property
    def counted(self) -> bool:
        """Whether its figures are known: until a run of the day is counted, they are 0 in its row."""
        return self.state in (COMPLETE, INCOMPLETE) or self.documents_in > 0

    @property
    def missing(self) -> int:
        """Documents that are neither classified nor failed nor rejected; below 0, there are too many rows."""
        return self.documents_in - self.classified - self.failed - self.rejected

    @property
    def not_sent(self) -> int:
        """Documents that have the result of another one with the same text."""
        return self.repeated + self.reused


COLUMNS: Final = sql.SQL(
    "run.classifier, run.run_key, run.day, run.version, run.state, run.message, run.documents_in,"
    " run.classified, run.failed, run.rejected, run.retried, run.units, run.cost_usd::float8 AS cost_usd,"
    " run.forecast_units, run.forecast_usd::float8 AS forecast_usd, run.source_uri, run.dag_id, run.run_id,"
    " run.started_at, run.finished_at, run.approved_by, run.approved_at,"
    " run.repeated, run.reused, run.saved_units, run.saved_usd::float8 AS saved_usd, run.way, run.way_why,"
    " statistics.drifted, statistics.drift ->> 'sentence' AS drift"
)
_SELECT: Final = sql.SQL(
    "SELECT {} FROM nightsort.classification_runs AS run"
    " LEFT JOIN nightsort.run_statistics AS statistics USING (classifier, run_key) {}"
)


def find_run(conn: psycopg.Connection[Any], classifier: str, run_key: str) -> RunSummary | None:
    """Return a run, or ``None`` if it has no row.

    :param conn: the database.
    :param classifier: name of the spec.
    :param run_key: the run.
    """
    condition = sql.SQL("WHERE run.classifier = %s AND run.run_key = %s")
    found = _read(conn, condition, (classifier, run_key))
    return found[0] if found else None


def run_of_dag_run(conn: psycopg.Connection[Any], dag_id: str, run_id: str) -> RunSummary | None:
    """Return the run of a DAG run, or ``None``: it has none, or a later DAG run took the row over.

    :param conn: the database.
    :param dag_id: Airflow's.
    :param run_id: Airflow's.
    """
    condition = sql.SQL("WHERE run.dag_id = %s AND run.run_id = %s ORDER BY run.started_at DESC LIMIT 1")
    found = _read(conn, condition, (dag_id, run_id))
    return found[0] if found else None


def is_newest_night(
    conn: psycopg.Connection[Any], classifier: str, run_key: str, airflow_run: AirflowRun | None = None
) -> bool:
    """Return whether no night has a later day; runs whose source was given by hand are no nights.

    :param conn: the database.
    :param classifier: name of the spec.
    :param run_key: the night, which needs no row.
    :param airflow_run: a DAG run; then the night must not be the row of another one either.
    """
    later = {"classifier": classifier, "run_key": run_key, "other": airflow_run is not None}
    dag_run = airflow_run or AirflowRun("", "")
    with conn.transaction():
        row = conn.execute(
            "SELECT FROM nightsort.classification_runs WHERE classifier = %(classifier)s"
            " AND source_uri IS NULL AND (run_key > %(run_key)s OR %(other)s AND run_key = %(run_key)s"
            " AND (dag_id, run_id) IS DISTINCT FROM (%(dag_id)s, %(run_id)s)) LIMIT 1",
            {**later, **dag_run._asdict()},
        ).fetchone()
    return row is None


def neighbours(conn: psycopg.Connection[Any], classifier: str, run_key: str) -> tuple[str | None, str | None]:
    """Return the keys of the runs before and after one.

    :param conn: the database.
    :param classifier: name of the spec.
    :param run_key: the run.
    """
    keys = {"classifier": classifier, "run_key": run_key}
    with conn.transaction():
        row = conn.execute(
            "SELECT (SELECT max(run_key) FROM nightsort.classification_runs"
            " WHERE classifier = %(classifier)s AND run_key < %(run_key)s),"
            " (SELECT min(run_key) FROM nightsort.classification_runs"
            " WHERE classifier = %(classifier)s AND run_key > %(run_key)s)",
            keys,
        ).fetchone()
    return row or (None, None)


def runs_of_dag_runs(
    conn: psycopg.Connection[Any], dag_runs: Collection[tuple[str, AirflowRun, str | None]]
) -> list[RunSummary]:
    """Return the runs of some DAG runs, as :func:`run_of_dag_run` does for one, and those of their keys.

    :param conn: the database.
    :param dag_runs: of each the classifier, whose rows alone are looked at, and the key of the run that it
        makes; another DAG run may have taken over that row.
    """
    condition = sql.SQL(
        "WHERE EXISTS (SELECT FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])"
        " AS asked (classifier, dag_id, run_id, run_key) WHERE run.classifier = asked.classifier AND"
        " ((run.dag_id, run.run_id) = (asked.dag_id, asked.run_id) OR run.run_key = asked.run_key))"
        " AND run.classifier = ANY(%s) ORDER BY run.started_at"
    )
    classifiers = [classifier for classifier, *_ in dag_runs]
    dag_ids = [dag_run.dag_id for _, dag_run, _ in dag_runs]
    run_ids = [dag_run.run_id for _, dag_run, _ in dag_runs]
    keys = [key for *_, key in dag_runs]
    return _read(conn, condition, (classifiers, dag_ids, run_ids, keys, classifiers)) if dag_runs else []


def runs_of_day(conn: psycopg.Connection[Any], classifier: str, day: date) -> list[RunSummary]:
    """Return the runs of a day: that of the spec's source first, then those with a source given by hand.

    :param conn: the database.
    :param classifier: name of the spec.
    :param day: the day that they classified.
    """
    condition = sql.SQL(
        "WHERE run.classifier = %s AND run.day = %s ORDER BY run.source_uri IS NOT NULL, run.run_key"
    )
    return _read(conn, condition, (classifier, day))


def last_runs(
    conn: psycopg.Connection[Any], classifiers: Sequence[str], *, runs: int = 30
) -> dict[str, list[RunSummary]]:
    """Return the last runs of some classifiers, the latest first.

    Runs whose source was given by hand are left out.

    :param conn: the database.
    :param classifiers: names of specs; those without a run have an empty list.
    :param runs: how many of each.
    """
    last = sql.SQL(
        "SELECT {} FROM unnest(%s::text[]) AS name CROSS JOIN LATERAL ("
        "SELECT * FROM nightsort.classification_runs WHERE classifier = name AND source_uri IS NULL"
        " ORDER BY run_key DESC LIMIT %s) AS run"
        " LEFT JOIN nightsort.run_statistics AS statistics USING (classifier, run_key)"
        " ORDER BY run.classifier, run.run_key DESC"
    ).format(COLUMNS)
    found: dict[str, list[RunSummary]] = {name: [] for name in classifiers}
    with conn.transaction(), conn.cursor(row_factory=class_row(RunSummary)) as cursor:
        for run in cursor.execute(last, (list(classifiers), runs)):
            found[run.classifier].append(run)
    return found


def _read(conn: psycopg.Connection[Any], condition: sql.SQL, parameters: tuple[Any, ...]) -> list[RunSummary]:
    with conn.transaction(), conn.cursor(row_factory=class_row(RunSummary)) as cursor:
        return cursor.execute(_SELECT.format(COLUMNS, condition), parameters).fetchall()
