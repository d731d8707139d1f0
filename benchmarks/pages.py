"""How long the API server needs for each page: a year of nights of 50 classifiers with 200 labels."""

from __future__ import annotations

import gzip
import os
import statistics
import time
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import sql

from benchmarks.measuring import ROOT, Comparison, Contender, Target
from benchmarks.postgres_server import postgres
from nightsort.tables.drift_series import drift_series
from tests.made_nights import MadeNights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")

CLASSIFIERS, LABELS = 50, 200
FIRST = date(2026, 1, 1)
NAME = "classifier-000"
SERVER = ("nightsort_airflow.ui.application", "tests.integration.ui_client", "plotly")
_REQUESTS = 7
_TABLES = ("classifier_versions", "promotion_decisions", "classification_runs", "run_statistics")
_PREDICTIONS = """
INSERT INTO nightsort.predictions
    (classifier, run_key, batch, day, version, line, document_id, status, label, score, labels, scores,
    accepted)
SELECT %(name)s, %(key)s, %(key)s || '-00000-0123abcd', %(day)s, 'v0123456789ab', line, 'T-' || line,
    'classified', 'label-' || line %% 200, 0.9, ARRAY['label-' || line %% 200, 'label-7'],
    ARRAY[0.9, 0.1]::real[], ARRAY['label-' || line %% 200]
FROM generate_series(0::bigint, %(rows)s - 1) AS line
"""


def make(folder: Path, size: int) -> None:
    """Write the nights, and the specs; the last night of one classifier has ten million predictions."""
    sample = (ROOT / "nightsort_local" / "samples" / "aws-services.yaml").read_text()
    (folder / "specs").mkdir()
    names = [f"classifier-{number:03}" for number in range(CLASSIFIERS)]
    for name in names:
        (folder / "specs" / f"{name}.yaml").write_text(sample.replace("aws-services", name))
    with psycopg.connect() as conn:
        made = MadeNights(conn, NAME, LABELS)
        for version in range(10):
            made.train(f"v{version:012x}", day=FIRST - timedelta(days=10 - version))
        for night in range(size):
            made.night(FIRST + timedelta(days=night), documents=20_000, rejects={"blank": 3})
        for table in map(sql.Identifier, _TABLES):
            # The others have the same nights: making each of them takes minutes.
            rows_of = "CREATE TEMP TABLE copied AS SELECT * FROM nightsort.{}"
            conn.execute(sql.SQL(rows_of).format(table))
            for name in names[1:]:
                conn.execute("UPDATE copied SET classifier = %s", (name,))
                conn.execute(sql.SQL("INSERT INTO nightsort.{} SELECT * FROM copied").format(table))
            conn.execute("DROP TABLE copied")
        day = FIRST + timedelta(days=size - 1)
        rows = 10_000_000 if size >= 365 else 10_000
        conn.execute(_PREDICTIONS, {"name": NAME, "key": f"{day:%Y%m%d}", "day": day, "rows": rows})
        conn.commit()
        conn.autocommit = True
        conn.execute("VACUUM ANALYZE")


def overview(folder: Path, size: int) -> dict[str, float]:
    """All classifiers."""
    return _asked(folder, "/")


def night(folder: Path, size: int) -> dict[str, float]:
    """One night, with labels, scores and the least confident documents."""
    return _asked(folder, f"/classifiers/{NAME}/nights/{FIRST + timedelta(days=size - 1):%Y%m%d}")


def classifier(folder: Path, size: int) -> dict[str, float]:
    """One classifier, with a confusion matrix of 200 by 200."""
    return _asked(folder, f"/classifiers/{NAME}")


def drift(folder: Path, size: int) -> dict[str, float]:
    """The drift of one classifier over 90 nights."""
    return _asked(folder, f"/classifiers/{NAME}/drift")


def drift_of_a_year(folder: Path, size: int) -> dict[str, float]:
    """The same figures of all nights, as a notebook reads them: `drift_series`."""
    with psycopg.connect() as conn:

        def read() -> int:
            return len(drift_series(conn, NAME, nights=size).nights)

        first, *others = (_timed(read) for _ in range(_REQUESTS))
    return {
        "first_ms": first[0],
        "page_ms": statistics.median(each[0] for each in others),
        "cpu_ms": statistics.median(each[1] for each in others),
        "nights": first[2],
    }


def csv_download(folder: Path, size: int) -> dict[str, float]:
    """The predictions of a night as CSV, to the last row: ten million in a year."""
    client = _client(folder)
    path = f"/nightsort/classifiers/{NAME}/nights/{FIRST + timedelta(days=size - 1):%Y%m%d}/predictions.csv"
    lines = 0
    with client.stream("GET", path) as answer:
        for chunk in answer.iter_bytes():
            lines += chunk.count(b"\n")
    return {"rows": lines - 1}


def _asked(folder: Path, path: str) -> dict[str, float]:
    client = _client(folder)

    def ask() -> bytes:
        answer = client.get(f"/nightsort{path}")
        if answer.status_code != 200:
            raise SystemExit(f"{path} answers {answer.status_code}")
        content: bytes = answer.content
        return content

    # The first one compiles the template and opens the connection.
    first, *others = (_timed(ask) for _ in range(_REQUESTS))
    return {
        "first_ms": first[0],
        "page_ms": statistics.median(each[0] for each in others),
        "cpu_ms": statistics.median(each[1] for each in others),
        "kb": len(first[2]) / 1e3,
        "gzip_kb": len(gzip.compress(first[2], 6)) / 1e3,
    }


def _timed(asked: Callable[[], T]) -> tuple[float, float, T]:
    """Return the milliseconds of a call, those of CPU time of this process, and its value."""
    began, cpu = time.perf_counter(), time.process_time()
    value = asked()
    return (time.perf_counter() - began) * 1000, (time.process_time() - cpu) * 1000, value


def _client(folder: Path) -> Any:
    from tests.integration.ui_client import pages

    os.environ["NIGHTSORT_SPECS"] = str(folder / "specs")
    return pages("")


COMPARISONS = [
    Comparison(
        "pages",
        "Pages in Airflow's UI",
        make=make,
        service=postgres,
        contenders=[
            *(Contender(page, imports=SERVER) for page in (overview, night, classifier, drift)),
            Contender(drift_of_a_year),
            Contender(csv_download, imports=SERVER, runs=1),
        ],
        sizes={365: 3},
        targets=[
            *(
                Target(page, "<=", 300, measure="page_ms", size=365)
                for page in ("overview", "night", "classifier", "drift", "drift_of_a_year")
            ),
        ],
        unit="nights",
        quick_size=2,
    )
]
