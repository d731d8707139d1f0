"""Incoming CSV -> batches with manifests and rejects: ours, Arrow alone, DuckDB, Polars and pandas.

Also a day that is prepared again with late documents, and one small object per document on an S3 that takes
its time.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from benchmarks.measuring import Comparison, Contender, Target, flat, least
from benchmarks.random_texts import RandomTexts
from benchmarks.slow_s3 import BUCKET, slow_s3, stored_objects
from nightsort.batches.prepare import prepare_batches
from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.comprehend.limits import MAX_DOCUMENT_BYTES, MAX_DOCUMENT_ID_BYTES, MAX_JOB_DOCUMENTS
from nightsort.layout import PLAN_FILE, WorkLayout
from nightsort.naming import run_key
from nightsort.storage import plain_access

if TYPE_CHECKING:
    from collections.abc import Callable

    from nightsort.batches.prepare import PreparedBatches

INCOMING, WORK = "incoming", "work"
DAY = date(2026, 11, 21)

_SEED = 20_261_121
_CHUNK = 20_000
_BLANK, _DOUBLE_IDS = 0.001, 0.002
_LATE = 100


def make(folder: Path, size: int) -> None:
    """Write id and text of so many documents, all texts different."""
    (folder / INCOMING).mkdir()
    _write(folder / INCOMING / "documents.csv", size, "document")


def make_prepared(folder: Path, size: int) -> None:
    """Prepare a night, and have some more documents come, in a file that is read before the others."""
    make(folder, size)
    prepare(folder, str(folder / WORK))
    _write(folder / INCOMING / "a-late.csv", _LATE, "late")


def _write(path: Path, size: int, name: str) -> None:
    texts = RandomTexts(_SEED)
    schema = pa.schema({"id": pa.string(), "text": pa.string()})
    with pa_csv.CSVWriter(str(path), schema) as writer:
        for start in range(0, size, _CHUNK):
            random = np.random.default_rng([_SEED, start])
            count = min(_CHUNK, size - start)
            numbers = np.arange(start, start + count)
            again = random.random(count) < _DOUBLE_IDS
            numbers[again] = random.integers(0, start + count, int(again.sum()))
            ids = pa.array([f"{name}-{number:08}" for number in numbers.tolist()])
            # Random texts alone would repeat: of ten million, every tenth.
            own = pa.array([f"{name} {number}" for number in range(start, start + count)])
            blank = pa.array(random.random(count) < _BLANK)
            different = pc.binary_join_element_wise(own, texts.column(random, count), ", ")
            writer.write_batch(pa.record_batch([ids, pc.if_else(blank, " \n", different)], schema=schema))


def ours(folder: Path, _size: int) -> dict[str, float]:
    """Nightsort, as its operator calls it."""
    return _figures(prepare(folder, str(Path.cwd() / WORK)))


def again(folder: Path, _size: int) -> dict[str, float]:
    """Nightsort, where all but the late documents were sent before."""
    # The plan in this run's own folder, what it names where it lies: so each run finds the same.
    before, here = (
        Path(WorkLayout(str(parent / WORK)).run(run_key(DAY, None)).uri) for parent in (folder, Path.cwd())
    )
    here.mkdir(parents=True)
    shutil.copy(before / PLAN_FILE, here)
    for part in ("input", "manifests"):
        (here / part).symlink_to(before / part)
    prepared = prepare(folder, str(Path.cwd() / WORK))
    return {**_figures(prepared), "new_documents": prepared.batches[-1].documents}


def floor(folder: Path, _size: int) -> dict[str, float]:
    """Arrow reads the CSV as a stream and writes the texts as lines; no check, no manifest."""
    documents = 0
    with (
        pa_csv.open_csv(
            str(folder / INCOMING / "documents.csv"),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(column_types={"id": pa.string(), "text": pa.string()}),
        ) as reader,
        pa.OSFile("batch.txt", "wb") as sink,
    ):
        for batch in reader:
            texts: Any = batch["text"]
            lines: Any = pc.binary_join_element_wise(texts, "", "\n")
            _, offsets, content = lines.buffers()
            ends = np.frombuffer(offsets, np.int32)[lines.offset : lines.offset + len(lines) + 1]
            sink.write(content.slice(int(ends[0]), int(ends[-1] - ends[0])))
            documents += len(batch)
    return {"documents": documents}


def pandas_script(folder: Path, _size: int) -> dict[str, float]:
    """The script one would write with pandas; cleans, rejects, cuts and keeps account alike."""
    return with_pandas(folder, "batch-{:05}".format)


def with_pandas(folder: Path, name_of: Callable[[int], str]) -> dict[str, float]:
    """Prepare the documents in the folder with pandas, in batches that are named by their numbers."""
    import pandas as pd

    frame = pd.read_csv(folder / INCOMING / "documents.csv", dtype=str, keep_default_na=False)
    for column in ("id", "text"):
        frame[column] = (
            frame[column]
            .str.replace("\ufeff", "")
            .str.replace(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", regex=True)
            .str.strip()
        )
    checks: dict[str, Callable[[pd.DataFrame], pd.Series[bool]]] = {
        "missing_id": lambda rows: rows["id"] == "",
        "id_too_long": lambda rows: rows["id"].str.encode("utf-8").map(len) > MAX_DOCUMENT_ID_BYTES,
        "blank": lambda rows: rows["text"] == "",
        "too_large": lambda rows: rows["text"].str.encode("utf-8").map(len) > MAX_DOCUMENT_BYTES,
        "duplicate_id": lambda rows: rows.duplicated("id"),
    }
    rejects = []
    for reason, is_wrong in checks.items():
        wrong = is_wrong(frame)
        rejects.append(frame[wrong].assign(reason=reason))
        frame = frame[~wrong]
    for start in range(0, len(frame), MAX_JOB_DOCUMENTS):
        batch = frame.iloc[start : start + MAX_JOB_DOCUMENTS]
        name = name_of(start // MAX_JOB_DOCUMENTS)
        Path(f"{name}.txt").write_text("\n".join(batch["text"]) + "\n", encoding="utf-8")
        manifest = pd.DataFrame(
            {"file": f"{name}.txt", "line": range(len(batch)), "document_id": batch["id"]}
        )
        manifest.to_parquet(f"{name}.parquet", index=False)
    pd.concat(rejects)[["id", "reason"]].to_json("rejects.jsonl", orient="records", lines=True)
    return {"documents": len(frame), "rejects": sum(map(len, rejects))}


def duckdb_sql(folder: Path, _size: int) -> dict[str, float]:
    """DuckDB within 200 MB: cleans, rejects, cuts and keeps account alike in SQL, on tables on local disk."""
    from benchmarks import duckdb_peers

    return duckdb_peers.batches(folder / INCOMING / "documents.csv")


def polars_streaming(folder: Path, _size: int) -> dict[str, float]:
    """Polars' streaming engine: cleans, rejects, cuts and keeps account alike; a bad row fails the file."""
    from benchmarks import polars_peers

    return polars_peers.batches(folder / INCOMING / "documents.csv")


def one_file_each(folder: Path, _size: int) -> dict[str, float]:
    """Nightsort with ONE_DOC_PER_FILE, as its operator calls it."""
    prepared = prepare(folder, f"s3://{BUCKET}/{WORK}", input_format="ONE_DOC_PER_FILE")
    return {**_figures(prepared), "objects": stored_objects()}


def boto3_threads(folder: Path, _size: int) -> dict[str, float]:
    """put_object of boto3 in 16 threads; no check, no manifest."""
    import boto3

    client = boto3.client("s3")
    table = pa_csv.read_csv(
        folder / INCOMING / "documents.csv", parse_options=pa_csv.ParseOptions(newlines_in_values=True)
    )

    def put(number: int) -> None:
        text: Any = table["text"][number]
        client.put_object(Bucket=BUCKET, Key=f"{WORK}/{number}", Body=text.as_py().encode())

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(put, range(len(table))))
    return {"documents": len(table), "objects": stored_objects()}


def spec(folder: Path, work_uri: str, **settings: Any) -> ClassifierSpec:
    """Return a spec of the documents in the folder."""
    return ClassifierSpec.model_validate(
        {
            "name": "benchmark",
            "mode": "MULTI_CLASS",
            "labelled": {"uri": "s3://bucket/labelled.csv", "format": "csv"},
            "incoming": {"uri": f"{folder / INCOMING}/", "format": "csv", "id_column": "id"},
            "work_uri": work_uri,
            "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
            **settings,
        }
    )


def prepare(folder: Path, work_uri: str, **settings: Any) -> PreparedBatches:
    """Prepare the documents in the folder, as the operator does."""
    return prepare_batches(
        spec(folder, work_uri, **settings), plain_access(), run_key=run_key(DAY, None), day=DAY
    )


def _figures(prepared: PreparedBatches) -> dict[str, float]:
    return {
        "documents": prepared.documents_sent,
        "rejects": prepared.rejected,
        "batches": len(prepared.batches),
    }


_THOUSAND, _MILLION, _TEN_MILLION = 1_000, 1_000_000, 10_000_000


COMPARISONS = [
    Comparison(
        "batches",
        "Batches: incoming CSV to the input of jobs, with manifests and rejects",
        make=make,
        contenders=[
            Contender(ours),
            Contender(floor),
            Contender(duckdb_sql, imports=("duckdb", "benchmarks.duckdb_peers"), may_fail=True),
            Contender(polars_streaming, imports=("polars", "benchmarks.polars_peers"), may_fail=True),
            Contender(pandas_script, imports=("pandas",), sizes=(10_000, 100_000, _MILLION), runs=1),
        ],
        sizes={10_000: 3, 100_000: 3, _MILLION: 3, _TEN_MILLION: 1},
        targets=[
            *least("ours", "duckdb_sql", "polars_streaming", "pandas_script"),
            Target("ours", "<=", 400, measure="peak_mb"),
            Target("ours", "<=", 1.1, measure="peak_mb", size=_TEN_MILLION, over_size=_MILLION),
            Target("ours", "<=", 11, measure="cpu_seconds", size=_TEN_MILLION, over_size=_MILLION),
        ],
        quick_size=10_000,
    ),
    Comparison(
        "batches_again",
        f"Batches: the same day prepared again, with {_LATE} late documents",
        make=make_prepared,
        contenders=[Contender(again)],
        sizes={10_000: 3, _MILLION: 3, 4 * _MILLION: 1},
        targets=flat("again", largest=4 * _MILLION),
        quick_size=10_000,
    ),
    Comparison(
        "batches_one_file_each",
        "Batches: one object per document, on an S3 that answers after 30 ms",
        make=make,
        contenders=[
            Contender(one_file_each),
            Contender(boto3_threads, imports=("boto3",), sizes=(_THOUSAND, 10 * _THOUSAND)),
        ],
        sizes={_THOUSAND: 3, 10 * _THOUSAND: 1, 40 * _THOUSAND: 1},
        targets=[
            Target("boto3_threads", ">=", 1, over="one_file_each", size=10 * _THOUSAND),
            Target("one_file_each", "<=", 400, measure="peak_mb", size=40 * _THOUSAND),
        ],
        service=slow_s3,
    ),
]
