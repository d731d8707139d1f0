"""output.tar.gz and manifest -> table: ours, gunzip + orjson + COPY, scripts with pandas and awswrangler."""

from __future__ import annotations

import json
import subprocess
import tarfile
from datetime import date
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import orjson
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from benchmarks.measuring import PEERS_PYTHON, Comparison, Contender, Target, flat
from benchmarks.postgres_server import postgres
from nightsort.arrow.manifest_schema import MANIFEST_SCHEMA
from nightsort.batches.manifest import Manifest
from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.comprehend.limits import MAX_JOB_DOCUMENTS
from nightsort.naming import run_day
from nightsort.results.join import RESULT_SCHEMA, BatchResults
from nightsort.statistics.counting import Counting
from nightsort.tables import load
from nightsort.tables.binary_copy import HEADER, TRAILER, encode_date, encode_rows, encode_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

RUN, VERSION = "20261118", "v0123456789ab"
MODE = "mode.txt"

_SEED = 20_261_121
_LABELS = 25
_FORMS = 100_000
_PIECE = 1 << 20
_PEER_SIZES = (1_000, 1_000_000)
_STATISTICS = (Target("ours", "<=", 1.05, over="without_statistics", measure="cpu_seconds"),)
_COLUMNS = ("classifier", "run_key", "batch", "day", "version", *RESULT_SCHEMA.names)


def make_multi_class(folder: Path, size: int) -> None:
    """Assign each document the three labels that Comprehend returns, of 25."""
    _make(folder, size, "MULTI_CLASS", 3)


def make_multi_label(folder: Path, size: int) -> None:
    """Assign each document five labels with scores, of 25; two or three of them are accepted."""
    _make(folder, size, "MULTI_LABEL", 5)


def ours(folder: Path, size: int) -> dict[str, float]:
    """Nightsort: `load_predictions`, as the operator calls it, a batch after the other."""
    classifier = spec((folder / MODE).read_text())
    with psycopg.connect() as conn:
        conn.execute("TRUNCATE nightsort.predictions")
        conn.commit()
        loaded = 0
        for name in batches(size):
            counts = load.load_predictions(
                conn,
                spec=classifier,
                version=VERSION,
                run_key=RUN,
                batch=name,
                archive=UPath(folder / f"{name}.tar.gz"),
                manifest=UPath(folder / f"{name}.parquet"),
            )
            loaded += counts.classified
    return {"documents": loaded}


def without_statistics(folder: Path, size: int) -> dict[str, float]:
    """Nightsort without counting labels and scores on the way, to see what that costs."""
    with patch.object(load, "Counting", _NothingCounted):
        return ours(folder, size)


class _NothingCounted(Counting):
    def add(self, part: pa.RecordBatch) -> None:
        """Let the rows pass."""


def floor(folder: Path, size: int) -> dict[str, float]:
    """Gunzip, orjson for each line, one COPY of ready bytes into the same table: no checks, no join."""
    return copied(folder, batches(size), "nightsort.predictions")


def floor_bare_table(folder: Path, size: int) -> dict[str, float]:
    """The same into a table without key, index and checks."""
    with psycopg.connect() as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS bare AS TABLE nightsort.predictions WITH NO DATA")
    return copied(folder, batches(size), "bare")


def pandas_script(folder: Path, size: int) -> dict[str, float]:
    """pandas: `read_json(lines=True)`, explode, merge with the manifest, `to_sql`; a row per label."""
    import sqlalchemy

    from benchmarks import load_peers

    pairs = [(folder / f"{name}.tar.gz", folder / f"{name}.parquet") for name in batches(size)]
    engine = sqlalchemy.create_engine("postgresql+psycopg2://")
    with engine.begin() as conn:
        return load_peers.with_pandas(pairs, conn)


def awswrangler_script(folder: Path, size: int) -> dict[str, float]:
    """AWS SDK for pandas: the same rows by `awswrangler.postgresql.to_sql`."""
    command = [str(PEERS_PYTHON), "-m", "benchmarks.load_peers"]
    for name in batches(size):
        command += [str(folder / f"{name}.tar.gz"), str(folder / f"{name}.parquet")]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def parsed_lines(output: Path) -> int:
    """Gunzip an output and parse each line with orjson; return how many there are."""
    documents = 0
    with tarfile.open(output, "r|gz") as tar:
        for line in tar.extractfile(tar.next() or "") or ():
            orjson.loads(line)
            documents += 1
    return documents


def copied(folder: Path, names: Iterable[str], table: str) -> dict[str, float]:
    """Read each batch's output and copy its ready bytes into the emptied table."""
    copy_rows = f"COPY {table} ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT binary)"
    documents = 0
    with psycopg.connect() as conn, conn.cursor() as cursor:
        cursor.execute(f"TRUNCATE {table}")
        for name in names:
            documents += parsed_lines(folder / f"{name}.tar.gz")
            with (folder / f"{name}.copy").open("rb") as ready, cursor.copy(copy_rows) as copy:
                while piece := ready.read(_PIECE):
                    copy.write(piece)
    return {"documents": documents}


def _make(folder: Path, size: int, mode: str, labels: int) -> None:
    (folder / MODE).write_text(mode)
    documents = {}
    for number, name in enumerate(batches(size)):
        documents[name] = min(MAX_JOB_DOCUMENTS, size - number * MAX_JOB_DOCUMENTS)
        first = number * MAX_JOB_DOCUMENTS
        _write_manifest(folder / f"{name}.parquet", f"{name}.txt", first, documents[name])
    write_outputs(folder, documents, mode, labels)


def write_outputs(folder: Path, documents: Mapping[str, int], mode: str, labels: int) -> None:
    """Write the output of batches whose manifests are in the folder, and its rows as COPY data.

    :param documents: how many there are in each batch, by its name.
    :param labels: how many each document is given.
    """
    lines = _lines(mode, labels)
    for name, number in documents.items():
        _write_archive(folder / f"{name}.tar.gz", f"{name}.txt", lines, number)
        _write_ready_bytes(folder, name, mode)


def _lines(mode: str, labels: int) -> list[bytes]:
    """Return what follows the place in each line, in some different forms."""
    random = np.random.default_rng(_SEED)
    scores = -np.sort(-random.dirichlet(np.full(labels, 0.3), _FORMS))
    names = random.permuted(np.tile(np.arange(_LABELS), (_FORMS, 1)), axis=1)[:, :labels]
    key = "Labels" if mode == "MULTI_LABEL" else "Classes"
    return [
        json.dumps({key: [{"Name": f"LABEL_{name:02}", "Score": round(score, 4)} for name, score in found]})
        .removeprefix("{")
        .encode()
        + b"\n"
        for found in (
            list(zip(*pair, strict=True)) for pair in zip(names.tolist(), scores.tolist(), strict=True)
        )
    ]


def _write_manifest(path: Path, file: str, first: int, documents: int) -> None:
    repeating: Any = ["file"]  # pyarrow-stubs knows a bool alone.
    with pq.ParquetWriter(path, MANIFEST_SCHEMA, use_dictionary=repeating, compression="zstd") as writer:
        for start in range(0, documents, 50_000):
            places = range(start, min(start + 50_000, documents))
            ids = [f"document-{first + place:010}" for place in places]
            files = pa.array([file] * len(places), pa.string()).dictionary_encode()
            writer.write_batch(
                pa.record_batch([files, pa.array(places, pa.int64()), pa.array(ids)], schema=MANIFEST_SCHEMA)
            )


def _write_archive(path: Path, file: str, lines: list[bytes], documents: int) -> None:
    head = b'{"File": "%b", "Line": "' % file.encode()
    unpacked = path.with_suffix(".jsonl")
    with unpacked.open("wb") as output:
        for number in range(documents):
            output.write(b'%b%d", %b' % (head, number, lines[number % len(lines)]))
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        tar.add(unpacked, "predictions.jsonl")
    unpacked.unlink()


def _write_ready_bytes(folder: Path, name: str, mode: str) -> None:
    manifest = Manifest.read(UPath(folder / f"{name}.parquet"))
    rows = BatchResults(UPath(folder / f"{name}.tar.gz"), manifest, mode=mode, threshold=spec(mode).threshold)
    key = [encode_text(value) for value in (spec(mode).name, RUN, name)]
    prefix = [*key, encode_date((run_day(RUN) - date(2000, 1, 1)).days), encode_text(VERSION)]
    with (folder / f"{name}.copy").open("wb") as ready:
        ready.write(HEADER)
        for batch in rows:
            ready.write(encode_rows(prefix, batch))
        ready.write(TRAILER)


def batches(size: int) -> list[str]:
    """Return the names of the batches of so many documents; the files of each begin with it."""
    return [f"{RUN}-{number:05}-0123abcd" for number in range(-(-size // MAX_JOB_DOCUMENTS))]


def spec(mode: str) -> ClassifierSpec:
    """Return a spec of the mode."""
    return ClassifierSpec.model_validate(
        {
            "name": "tickets",
            "mode": mode,
            "labelled": {"uri": "/data/labelled.csv", "format": "csv"},
            "incoming": {"uri": "/data/incoming.csv", "format": "csv"},
            "work_uri": "/data/work",
            "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
        }
    )


COMPARISONS = [
    Comparison(
        "load",
        "output.tar.gz to table: three labels a document",
        make=make_multi_class,
        service=postgres,
        contenders=[
            Contender(ours),
            Contender(without_statistics),
            Contender(floor),
            Contender(floor_bare_table, sizes=(10_000, 100_000, 1_000_000)),
            Contender(pandas_script, imports=("pandas", "sqlalchemy"), sizes=_PEER_SIZES, runs=1),
            Contender(awswrangler_script, peers=("awswrangler",), sizes=_PEER_SIZES, runs=1),
        ],
        sizes={10_000: 3, 100_000: 3, 1_000_000: 3, 10_000_000: 1},
        targets=[
            Target("ours", "<=", 1.3, over="floor"),
            *_STATISTICS,
            Target("pandas_script", ">=", 15, over="ours"),
            *flat("ours"),
        ],
    ),
    Comparison(
        "load-multi-label",
        "output.tar.gz to table: five labels a document, those above 0.5 accepted",
        make=make_multi_label,
        service=postgres,
        contenders=[Contender(ours), Contender(without_statistics), Contender(floor)],
        sizes={100_000: 3, 1_000_000: 3},
        targets=[
            Target("ours", "<=", 1.3, over="floor"),
            *_STATISTICS,
            Target("ours", "<=", 400, measure="peak_mb"),
        ],
    ),
]
