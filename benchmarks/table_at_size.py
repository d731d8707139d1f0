"""The table at ten and at a hundred million predictions: daily questions, one more night, an old run.

A hundred million rows take 35 GB of disk and half an hour to make, so this runs only when it is named.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import psycopg
from upath import UPath

from benchmarks import load
from benchmarks.measuring import Comparison, Contender, Target
from benchmarks.postgres_server import postgres
from nightsort.tables.load import load_predictions
from nightsort.tables.retention import drop_run, find_runs

if TYPE_CHECKING:
    from pathlib import Path

NIGHT = 1_000_000
FIRST_DAY = date(2026, 1, 1)
CLASSIFIER, OTHER = "tickets", "mails"

_SHARES = {OTHER: 400_000, CLASSIFIER: 600_000}
_SETTINGS = ("SET maintenance_work_mem = '512MB'", "SET max_parallel_maintenance_workers = 2")
_KINDS = """
CREATE TABLE IF NOT EXISTS kinds AS
SELECT kind, names[1] AS label, scores[1] AS score, names AS labels, scores, names[:1] AS accepted
FROM generate_series(0, 99) AS kind,
    LATERAL (SELECT CASE WHEN kind % 2 = 0 THEN 1 ELSE 3 END AS returned),
    LATERAL (SELECT array_agg('L' || (kind + n) % 25) AS names,
                    array_agg(((0.5 + kind / 220.0) / (n + 1))::real) AS scores
             FROM generate_series(0, returned - 1) AS n)
"""
# Every twentieth document was there before, on a day that its number decides.
_ROWS = """
INSERT INTO nightsort.predictions (classifier, run_key, batch, day, version, line, document_id, status, label,
    score, labels, scores, accepted, loaded_at)
SELECT %(classifier)s, %(run_key)s, %(run_key)s || '-00000-0123abcd', %(day)s, 'v0123456789ab', line,
    'T-' || lpad(
        (CASE WHEN line %% 20 = 0 THEN line * 7919 %% (%(first)s + 1) ELSE %(first)s + line END)::text,
        11, '0'),
    'classified', label, score, labels, scores, accepted, %(day)s + interval '26 hours'
FROM generate_series(0::bigint, %(rows)s - 1) AS line JOIN kinds ON kind = line %% 100
"""


def make(folder: Path, size: int) -> None:
    """Fill the table with nights of a million documents each, and write the files of one more."""
    load.make_multi_class(folder, NIGHT)
    with psycopg.connect(autocommit=True) as conn:
        conn.execute("DROP TABLE IF EXISTS kinds")
        conn.execute(_KINDS)
        conn.execute("TRUNCATE nightsort.predictions")
        for night in range(size // NIGHT):
            day, first = FIRST_DAY + timedelta(days=night), night * NIGHT
            for classifier, rows in _SHARES.items():
                values = {"classifier": classifier, "run_key": f"{day:%Y%m%d}", "day": day}
                conn.execute(_ROWS, {**values, "rows": rows, "first": first})
                first += rows
        for setting in _SETTINGS:
            conn.execute(setting)
        conn.execute("VACUUM ANALYZE nightsort.predictions")


def labels_of_a_day(folder: Path, size: int) -> dict[str, float]:
    """How often each label of one classifier was given on one day, in the middle of the table."""
    return _ask(
        "SELECT label, count(*) FROM nightsort.predictions WHERE classifier = %s AND day = %s GROUP BY 1",
        (CLASSIFIER, FIRST_DAY + timedelta(days=size // NIGHT // 2)),
    )


def one_document(folder: Path, size: int) -> dict[str, float]:
    """The newest prediction of one document, by the view `latest_predictions`."""
    return _ask(
        "SELECT * FROM nightsort.latest_predictions WHERE classifier = %s AND document_id = %s",
        (CLASSIFIER, f"T-{size // 2 + 500_001:011}"),
    )


def latest_of_the_last_day(folder: Path, size: int) -> dict[str, float]:
    """The newest predictions of one classifier since the last day, by `latest_predictions_since`, counted."""
    return _ask(
        "SELECT count(*), max(score) FROM nightsort.latest_predictions_since(%s, %s)",
        (CLASSIFIER, _last_day(size)),
    )


def load_one_more_night(folder: Path, size: int) -> dict[str, float]:
    """A million documents by `load_predictions`."""
    (name,) = load.batches(NIGHT)
    with psycopg.connect() as conn:
        counts = load_predictions(
            conn,
            spec=load.spec("MULTI_CLASS"),
            version=load.VERSION,
            run_key=f"{_last_day(size) + timedelta(days=1):%Y%m%d}",
            batch=name,
            archive=UPath(folder / f"{name}.tar.gz"),
            manifest=UPath(folder / f"{name}.parquet"),
        )
    return {"rows": counts.classified}


def drop_the_oldest_night(folder: Path, size: int) -> dict[str, float]:
    """The million predictions of the first day, as `drop-runs` does it."""
    with psycopg.connect(autocommit=True) as conn:
        runs = find_runs(conn, before=FIRST_DAY + timedelta(days=1))
        return {"rows": sum(drop_run(conn, run) for run in runs)}


def _ask(query: str, values: tuple[object, ...]) -> dict[str, float]:
    with psycopg.connect() as conn:
        return {"rows": len(conn.execute(query, values).fetchall())}


def _last_day(size: int) -> date:
    return FIRST_DAY + timedelta(days=size // NIGHT - 1)


_TEN, _HUNDRED = 10_000_000, 100_000_000

COMPARISONS = [
    Comparison(
        "table-at-size",
        "The table at size",
        make=make,
        service=postgres,
        contenders=[
            Contender(labels_of_a_day),
            Contender(one_document),
            Contender(latest_of_the_last_day),
            Contender(load_one_more_night, runs=1),
            Contender(drop_the_oldest_night, runs=1),
        ],
        sizes={_TEN: 3, _HUNDRED: 3},
        targets=[
            Target("labels_of_a_day", "<=", 1, size=_HUNDRED),
            Target("one_document", "<=", 1, size=_HUNDRED),
            Target("latest_of_the_last_day", "<=", 3, size=_HUNDRED),
            Target("load_one_more_night", "<=", 1.3, size=_HUNDRED, over_size=_TEN),
            Target("drop_the_oldest_night", "<=", 15, size=_HUNDRED),
        ],
        unit="predictions",
        quick_size=None,
    )
]
