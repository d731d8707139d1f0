"""Read and write the rows of ``classification_runs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from psycopg.types.json import Jsonb

from nightsort.naming import run_day
from nightsort.tables.run_locks import files_unchanged
from nightsort.tables.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import psycopg

    from nightsort.tables.run_counts import RunCounts

RUNNING: Final = "running"
COMPLETE: Final = "complete"
INCOMPLETE: Final = "incomplete"
FAILED: Final = "failed"


class AirflowRun(NamedTuple):
    """The DAG run that a run belongs to."""

    dag_id: str
    run_id: str


def start_run(
    conn: psycopg.Connection[Any],
    *,
    classifier: str,
    run_key: str,
    airflow_run: AirflowRun,
    source_uri: str | None,
    started_at: datetime | None,
) -> None:
    """Write the row of a run that begins. Counts of an earlier run of the day stay until there are new ones.

    The row of a DAG run that is complete stays as it is: if its first task alone is cleared, no later task
    would end the run again.

    :param conn: the database.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param airflow_run: the DAG run.
    :param source_uri: the source, if it was set by hand.
    :param started_at: when the DAG run began.
    """
    with files_unchanged(conn, classifier, run_key):
        conn.execute(
            """
            INSERT INTO nightsort.classification_runs AS run
                (classifier, run_key, day, state, dag_id, run_id, source_uri, started_at, finished_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, NULL)
            ON CONFLICT (classifier, run_key) DO UPDATE SET
                state = excluded.state, message = NULL, dag_id = excluded.dag_id, run_id = excluded.run_id,
                source_uri = excluded.source_uri, started_at = excluded.started_at, finished_at = NULL
            WHERE run.state <> %s
                OR (run.dag_id, run.run_id) IS DISTINCT FROM (excluded.dag_id, excluded.run_id)
            """,
            (classifier, run_key, run_day(run_key), RUNNING, *airflow_run, source_uri, started_at, COMPLETE),
        )


def fail_run(
    conn: psycopg.Connection[Any], *, classifier: str, airflow_run: AirflowRun, message: str
) -> str | None:
    """Write that a run ended before anything was sent, unless its row says so already.

    :param conn: the database.
    :param classifier: name of the spec.
    :param airflow_run: the DAG run.
    :param message: why, and what to do; without document text.
    :returns: the message of the row; ``None`` if the DAG run has no row.
    """
    with conn.transaction():
        conn.execute(
            "UPDATE nightsort.classification_runs SET state = %s, message = %s, finished_at = now() "
            "WHERE classifier = %s AND dag_id = %s AND run_id = %s AND state = %s",
            (FAILED, message, classifier, *airflow_run, RUNNING),
        )
        row = conn.execute(
            "SELECT message FROM nightsort.classification_runs "
            "WHERE classifier = %s AND dag_id = %s AND run_id = %s ORDER BY started_at DESC LIMIT 1",
            (classifier, *airflow_run),
        ).fetchone()
    return row[0] if row else None


def record_forecast(
    conn: psycopg.Connection[Any],
    *,
    classifier: str,
    run_key: str,
    units: int,
    usd: float,
    way: Mapping[str, str | None] | None = None,
) -> None:
    """Write what a run would cost and how its texts will be sent, before anything of it is sent.

    :param conn: the database.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param units: units that would be billed.
    :param usd: their price.
    :param way: ``way`` and ``way_why``; ``None`` keeps what the row has.
    """
    with conn.transaction():
        conn.execute(
            "UPDATE nightsort.classification_runs SET forecast_units = %s, forecast_usd = %s,"
            " way = coalesce(%s, way), way_why = coalesce(%s, way_why)"
            " WHERE classifier = %s AND run_key = %s",
            (units, usd, *_way(way), classifier, run_key),
        )


def _way(way: Mapping[str, str | None] | None) -> tuple[str | None, str | None]:
    return (way["way"], way["way_why"]) if way else (None, None)


def loaded_retries(
    conn: psycopg.Connection[Any], *, classifier: str, run_key: str, version: str | None
) -> dict[str, list[dict[str, Any]]]:
    """Return the retries that earlier runs of a day loaded, by batch name.

    :param conn: the database.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param version: the classifier version; another version's retries do not count.
    """
    batches = _loaded_batches(conn, "retries", classifier, run_key, version)
    return {batch["name"]: batch["retries"] for batch in batches}


def loaded_outputs(
    conn: psycopg.Connection[Any], *, classifier: str, run_key: str, version: str | None
) -> dict[str, str]:
    """Return where the outputs are that earlier runs of a day loaded, by batch name.

    :param conn: the database.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param version: the classifier version; another version's outputs do not count.
    """
    batches = _loaded_batches(conn, "output_uri", classifier, run_key, version)
    return {batch["name"]: batch["output_uri"] for batch in batches}


def loaded_from_endpoint(
    conn: psycopg.Connection[Any], *, classifier: str, run_key: str, version: str | None
) -> dict[str, dict[str, Any]]:
    """Return which of the batches that earlier runs of a day loaded an endpoint classified, and when.

    :param conn: the database.
    :param classifier: name of the spec.
    :param run_key: the run.
    :param version: the classifier version; another version's batches do not count.
    :returns: ``source`` (:data:`~nightsort.results.join.ENDPOINT`), ``submitted_at`` and ``ended_at`` by
        batch name.
    """
    members = ("source", "submitted_at", "ended_at")
    return {
        batch["name"]: {member: batch[member] for member in members if member in batch}
        for batch in _loaded_batches(conn, "source", classifier, run_key, version)
    }


def _loaded_batches(
    conn: psycopg.Connection[Any], member: str, classifier: str, run_key: str, version: str | None
) -> list[dict[str, Any]]:
    """Return those batches of a run that have a member, as its row has them."""
    with conn.transaction():
        rows = conn.execute(
            "SELECT batch FROM nightsort.classification_runs, "
            "jsonb_array_elements(batches) AS batch WHERE classifier = %(classifier)s "
            "AND run_key = %(run_key)s AND version = %(version)s AND batch ? %(member)s",
            {"member": member, "classifier": classifier, "run_key": run_key, "version": version},
        ).fetchall()
    return [batch for (batch,) in rows]


def write_run(
    conn: psycopg.Connection[Any],
    classifier: str,
    counts: RunCounts,
    *,
    version: str | None,
    state: str,
    message: str | None,
    failed_jobs: Sequence[Mapping[str, Any]],
    source_uri: str | None,
    started_at: datetime | None,
    airflow_run: AirflowRun | None,
    approved: Mapping[str, Any],
) -> None:
    """Write the row of a run whose rows are counted; the parameters are its columns.

    :param approved: columns of their own, with ``way`` and ``way_why``; ``None`` keeps a value.
    """
    row = {
        "classifier": classifier,
        "run_key": counts.run_key,
        "day": run_day(counts.run_key),
        "version": version,
        "state": state,
        "message": message,
        "documents_in": counts.documents_in,
        "classified": counts.classified,
        "failed": counts.failed,
        "rejected": counts.rejected,
        "reasons": Jsonb(counts.reasons),
        "batches": Jsonb(counts.batches),
        "failed_jobs": Jsonb(list(failed_jobs)),
        "retried": counts.retried,
        "units": counts.units,
        "cost_usd": counts.cost_usd,
        "repeated": counts.repeated,
        "reused": counts.reused,
        "saved_units": counts.saved_units,
        "saved_usd": counts.saved_usd,
        "source_uri": source_uri,
        "started_at": started_at,
        **(airflow_run._asdict() if airflow_run else {}),
        **{column: value for column, value in approved.items() if value is not None},
    }
    key = ("classifier", "run_key")
    conn.execute(upsert("classification_runs", key, tuple(row), defaults=["finished_at"]), row)
