"""A finished run -> Parquet files: ours, gunzip + orjson + a rewrite of ready files, a script with pandas."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pyarrow.parquet as pq
from psycopg.types.json import Jsonb
from upath import UPath

from benchmarks.load import RUN, VERSION, batches, make_multi_class, parsed_lines, spec
from benchmarks.measuring import Comparison, Contender, Target, flat
from benchmarks.postgres_server import postgres
from nightsort.batches.manifest import Manifest
from nightsort.comprehend.limits import MAX_JOB_DOCUMENTS
from nightsort.exports import ROWS_PER_GROUP, export_run
from nightsort.layout import REJECTS_FILE, WorkLayout
from nightsort.results.join import RESULT_SCHEMA, BatchResults
from nightsort.storage import plain_access

_MODE = "MULTI_CLASS"


def make(folder: Path, size: int) -> None:
    """Write outputs and manifests of the load's benchmark, and the rows of each as a ready file."""
    make_multi_class(folder, size)
    for name in batches(size):
        manifest = Manifest.read(UPath(folder / f"{name}.parquet"))
        output = UPath(folder / f"{name}.tar.gz")
        with pq.ParquetWriter(folder / f"{name}.ready", RESULT_SCHEMA, store_schema=False) as writer:
            for rows in BatchResults(output, manifest, mode=_MODE, threshold=0.5):
                writer.write_batch(rows)


def ours(folder: Path, size: int) -> dict[str, float]:
    """Nightsort: `export_run`, as the operator calls it, to a folder."""
    run = Path(WorkLayout("work").run(RUN).uri)
    run.mkdir(parents=True)
    run.joinpath("manifests").symlink_to(folder)
    run.joinpath(REJECTS_FILE).touch()
    classifier = spec(_MODE).model_copy(update={"work_uri": str(Path("work").absolute())})
    classifier = type(classifier).model_validate({**classifier.model_dump(), "export": "parquet"})
    with psycopg.connect() as conn:
        _record(conn, folder, size)
        exported = export_run(conn, spec=classifier, access=plain_access(), run_key=RUN)
    written = sum(file.stat().st_size for file in Path(exported.uri).iterdir())
    return {"documents": exported.rows, "bytes a document": written / exported.rows}


def floor(folder: Path, size: int) -> dict[str, float]:
    """Gunzip, orjson for each line, a rewrite of ready rows by pyarrow: no checks, no join."""
    documents = 0
    for name in batches(size):
        documents += parsed_lines(folder / f"{name}.tar.gz")
        ready = pq.ParquetFile(folder / f"{name}.ready")
        with pq.ParquetWriter(f"{name}.parquet", ready.schema_arrow, compression="zstd") as writer:
            for rows in ready.iter_batches(ROWS_PER_GROUP):
                writer.write_batch(rows)
    return {"documents": documents}


def pandas_script(folder: Path, size: int) -> dict[str, float]:
    """pandas: `read_json(lines=True)`, explode, merge with the manifest, `to_parquet`; a row per label."""
    from benchmarks import load_peers

    documents = 0
    for name in batches(size):
        rows = load_peers.exploded(folder / f"{name}.tar.gz", folder / f"{name}.parquet")
        rows.to_parquet(f"{name}.parquet", compression="zstd", index=False)
        documents += rows["document_id"].nunique()
    return {"documents": documents}


def _record(conn: psycopg.Connection, folder: Path, size: int) -> None:
    """Write down the run as `reconcile_run` leaves it, and of each batch when it was loaded."""
    conn.execute("TRUNCATE nightsort.predictions, nightsort.classification_runs")
    rows = [
        {
            "name": name,
            "documents": min(size - number * MAX_JOB_DOCUMENTS, MAX_JOB_DOCUMENTS),
            "output_uri": str(folder / f"{name}.tar.gz"),
        }
        for number, name in enumerate(batches(size))
    ]
    conn.execute(
        "INSERT INTO nightsort.classification_runs"
        " (classifier, run_key, day, version, state, documents_in, classified, failed, rejected, batches)"
        " VALUES ('tickets', %s, '2026-11-18', %s, 'complete', %s, %s, 0, 0, %s)",
        (RUN, VERSION, size, size, Jsonb(rows)),
    )
    for name in batches(size):
        conn.execute(
            "INSERT INTO nightsort.predictions"
            " (classifier, run_key, batch, day, version, line, document_id, status, label)"
            " VALUES ('tickets', %s, %s, '2026-11-18', %s, 0, 'one', 'classified', 'one')",
            (RUN, name, VERSION),
        )


COMPARISONS = [
    Comparison(
        "export",
        "A run's outputs to Parquet files: three labels a document",
        make=make,
        service=postgres,
        quick_size=2_000,
        contenders=[
            Contender(ours),
            Contender(floor),
            Contender(pandas_script, imports=("pandas",), sizes=(2_000_000,), runs=1),
        ],
        # Two batches are the least at which all that a night keeps in memory is there.
        sizes={100_000: 3, 2_000_000: 3, 6_000_000: 1},
        targets=[
            Target("ours", "<=", 2, over="floor", size=2_000_000),
            Target("pandas_script", ">=", 5, over="ours", size=2_000_000),
            *flat("ours", size=2_000_000, largest=6_000_000),
        ],
    )
]
