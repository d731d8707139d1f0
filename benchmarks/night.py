"""A whole night, from the source to the rows in PostgreSQL and the closed run: all but Comprehend's part.

What Comprehend does in between lies ready: a batch's name says its content, so the outputs that were made for
one preparation of the day fit every other.
"""

from __future__ import annotations

import shutil
import time
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from upath import UPath

from benchmarks import batches, load, night_on_stack
from benchmarks.measuring import Comparison, Contender, Target, flat
from benchmarks.postgres_server import postgres
from nightsort.comprehend.prices import forecast_classification
from nightsort.tables.load import load_predictions
from nightsort.tables.runs import finish_run, loaded_batches
from nightsort.tables.unsent import load_rejects

if TYPE_CHECKING:
    from nightsort.batches.prepare import PreparedBatches

OUTPUTS = "outputs"

_MODE, _LABELS = "MULTI_CLASS", 3


def make(folder: Path, size: int) -> None:
    """Write so many documents, and of each batch that Nightsort makes of them the output of its job."""
    batches.make(folder, size)
    prepared = batches.prepare(folder, str(folder / batches.WORK))
    outputs = folder / OUTPUTS
    outputs.mkdir()
    for batch in prepared.batches:
        shutil.move(batch.manifest_uri, outputs)
    shutil.rmtree(folder / batches.WORK)
    load.write_outputs(outputs, {batch.name: batch.documents for batch in prepared.batches}, _MODE, _LABELS)


def ours(folder: Path, _size: int) -> dict[str, float]:
    """Nightsort, as its operators call it from `prepare_batches` to `reconcile_run`; batch after batch."""
    with psycopg.connect() as conn:
        conn.execute("TRUNCATE nightsort.predictions, nightsort.classification_runs")
    started_at = datetime.now(timezone.utc)
    spec = batches.spec(folder, str(Path.cwd() / batches.WORK))
    seconds = [time.perf_counter()]

    prepared = batches.prepare(folder, spec.work_uri)
    _forecast(prepared, spec.name)
    seconds.append(time.perf_counter())

    key = prepared.run_key
    outputs = {batch.name: folder / OUTPUTS / f"{batch.name}.tar.gz" for batch in prepared.batches}
    for batch in prepared.batches:
        with psycopg.connect() as conn:
            load_predictions(
                conn,
                spec=spec,
                version=load.VERSION,
                run_key=key,
                batch=batch.name,
                archive=UPath(outputs[batch.name]),
                manifest=UPath(batch.manifest_uri),
            )
    seconds.append(time.perf_counter())

    with psycopg.connect() as conn:
        load_rejects(conn, spec=spec, run_key=key, rejects_path=UPath(prepared.rejects_uri))
        counts = finish_run(
            conn,
            spec=spec,
            run_key=key,
            version=load.VERSION,
            prepared=prepared,
            started_at=started_at,
            jobs={name: {"output_uri": str(output)} for name, output in outputs.items()},
        )
    seconds.append(time.perf_counter())
    parts = ("prepare_seconds", "load_seconds", "reconcile_seconds")
    return {
        "documents": counts.classified,
        "rejects": counts.rejected,
        **{part: end - begin for part, (begin, end) in zip(parts, pairwise(seconds), strict=True)},
    }


def floor(folder: Path, size: int) -> dict[str, float]:
    """The floors of batches and of load, one after the other; no check, no join, no account."""
    batches.floor(folder, size)
    return load.copied(folder / OUTPUTS, _names(folder), "nightsort.predictions")


def pandas_script(folder: Path, _size: int) -> dict[str, float]:
    """The scripts with pandas of batches and of load, one after the other; the rejects into a table, too."""
    import pandas as pd
    import sqlalchemy

    from benchmarks import load_peers

    names = _names(folder)
    batches.with_pandas(folder, names.__getitem__)
    pairs = [(folder / OUTPUTS / f"{name}.tar.gz", Path(f"{name}.parquet")) for name in names]
    with sqlalchemy.create_engine("postgresql+psycopg2://").begin() as conn:
        loaded = load_peers.with_pandas(pairs, conn)
        rejects = pd.read_json("rejects.jsonl", lines=True, dtype=False)
        rejects.to_sql("rejects_from_pandas", conn, if_exists="replace", index=False)
    return {**loaded, "rejects": len(rejects)}


def _forecast(prepared: PreparedBatches, classifier: str) -> None:
    units = {batch.name: batch.units for batch in prepared.batches}
    with psycopg.connect() as conn:
        loaded = loaded_batches(conn, classifier=classifier, run_key=prepared.run_key, batches=list(units))
    paid = sum(units[name] for name in loaded)
    forecast_classification(prepared.documents_sent, prepared.units, paid_units=paid)


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / OUTPUTS).glob("*.parquet"))


_MILLION, _TEN_MILLION = 1_000_000, 10_000_000

COMPARISONS = [
    Comparison(
        "night",
        "A night: from the source to the rows in the table and the closed run, without Comprehend's part",
        make=make,
        service=postgres,
        contenders=[
            Contender(ours),
            Contender(floor),
            Contender(
                pandas_script, imports=("pandas", "sqlalchemy"), sizes=(10_000, 100_000, _MILLION), runs=1
            ),
        ],
        sizes={10_000: 3, 100_000: 3, _MILLION: 3, _TEN_MILLION: 1},
        targets=[
            # The targets of batches and load, weighted by what floors and steps take there.
            Target("ours", "<=", 1.6, over="floor"),
            Target("pandas_script", ">=", 9, over="ours"),
            *flat("ours"),
        ],
    ),
    night_on_stack.COMPARISON,
]
