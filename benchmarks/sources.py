"""Reading documents: formats, packings, S3 and a database, each beside the bare read of the same bytes.

Ours reads, cleans, checks and numbers every document; the others only read, except where they say so.
"""

from __future__ import annotations

import gzip
import io
import itertools
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from benchmarks.measuring import Comparison, Contender, Target, flat
from benchmarks.postgres_server import postgres
from benchmarks.random_texts import RandomTexts
from benchmarks.slow_s3 import BUCKET, requests, slow_s3, uri_of
from nightsort.classifier_spec.source import Source
from nightsort.sources.documents import read_documents
from nightsort.sources.rejects import RejectLog
from nightsort.storage import Access, plain_access

if TYPE_CHECKING:
    from collections.abc import Iterator

CSV, JSONL, PARQUET, PACKED = "documents.csv", "documents.jsonl", "documents.parquet", "documents.csv.gz"
OBJECTS = "objects"

_SEED = 20_261_121
_CHUNK = 20_000
_PER_OBJECT = 50
_QUERY = "SELECT id, text FROM documents"


def _batches(size: int) -> Iterator[pa.RecordBatch]:
    texts = RandomTexts(_SEED)
    for start in range(0, size, _CHUNK):
        count = min(_CHUNK, size - start)
        ids = pa.array([f"document-{number:08}" for number in range(start, start + count)])
        column = texts.column(np.random.default_rng([_SEED, start]), count)
        yield pa.record_batch([ids, column], names=["id", "text"])


def make_csv(folder: Path, size: int) -> None:
    """Write one CSV file."""
    batches = _batches(size)
    first = next(batches)
    with pa_csv.CSVWriter(str(folder / CSV), first.schema) as writer:
        for batch in itertools.chain([first], batches):
            writer.write_batch(batch)


def make_packed(folder: Path, size: int) -> None:
    """Write one CSV file, packed with gzip in several members."""
    make_csv(folder, size)
    with (folder / CSV).open("rb") as plain, (folder / PACKED).open("wb") as packed:
        while data := plain.read(64_000_000):
            packed.write(gzip.compress(data, compresslevel=1))
    (folder / CSV).unlink()


def make_jsonl(folder: Path, size: int) -> None:
    """Write one JSON Lines file."""
    import orjson

    with (folder / JSONL).open("wb") as file:
        for batch in _batches(size):
            file.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in batch.to_pylist())


def make_parquet(folder: Path, size: int) -> None:
    """Write one Parquet file, in row groups of a million rows, as Arrow does by default."""
    pq.write_table(pa.Table.from_batches(_batches(size)), folder / PARQUET)


def make_objects(folder: Path, size: int) -> None:
    """Write so many CSV files of 50 documents."""
    (folder / OBJECTS).mkdir()
    number = 0
    for batch in _batches(size * _PER_OBJECT):
        for start in range(0, len(batch), _PER_OBJECT):
            pa_csv.write_csv(batch.slice(start, _PER_OBJECT), str(folder / OBJECTS / f"{number:06}.csv"))
            number += 1


def make_table(_folder: Path, size: int) -> None:
    """Fill a table."""
    import psycopg

    with psycopg.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS documents")
        connection.execute("CREATE TABLE documents (id text, text text)")
        with connection.cursor().copy("COPY documents FROM STDIN") as copy:
            for batch in _batches(size):
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    copy.write_row(row)


def _read(access: Access | None = None, **source: Any) -> dict[str, float]:
    with RejectLog(Path("rejects.jsonl")) as rejects:
        batches = read_documents(
            Source(id_column="id", **source),
            access or plain_access(),
            mode="MULTI_CLASS",
            label_delimiter=None,
            day=None,
            rejects=rejects,
        )
        return {"documents": sum(map(len, batches)) + rejects.total}


def csv(folder: Path, _size: int) -> dict[str, float]:
    """Nightsort, as its operators read a CSV file."""
    return _read(uri=str(folder / CSV), format="csv")


def packed_csv(folder: Path, _size: int) -> dict[str, float]:
    """Nightsort, as its operators read a packed CSV file."""
    return _read(uri=str(folder / PACKED), format="csv")


def jsonl(folder: Path, _size: int) -> dict[str, float]:
    """Nightsort, as its operators read a JSON Lines file."""
    return _read(uri=str(folder / JSONL), format="jsonl")


def parquet(folder: Path, _size: int) -> dict[str, float]:
    """Nightsort, as its operators read a Parquet file."""
    return _read(uri=str(folder / PARQUET), format="parquet")


def query(_folder: Path, _size: int) -> dict[str, float]:
    """Nightsort, as its operators read a query, through a cursor on the server."""
    import psycopg

    @contextmanager
    def connect(_conn_id: str) -> Iterator[Any]:
        with psycopg.connect() as connection:
            yield connection

    return _read(Access(plain_access().path, connect), sql=_QUERY, conn_id="benchmark")


def objects(folder: Path, size: int) -> dict[str, float]:
    """Nightsort, as its operators read many small objects."""
    requests()
    found = _read(uri=f"{uri_of(folder / OBJECTS)}/", format="csv")
    asked = requests()
    return {**found, "requests_per_object": sum(asked.values()) / size, "listings": asked["LIST"]}


def one_object(folder: Path, _size: int) -> dict[str, float]:
    """Nightsort, as its operators read one large object."""
    return _read(uri=uri_of(folder / CSV), format="csv")


def arrow_csv(folder: Path, _size: int) -> dict[str, float]:
    """pyarrow.csv.open_csv, streamed with its own threads."""
    return _arrow_csv(str(folder / CSV))


def arrow_packed_csv(folder: Path, _size: int) -> dict[str, float]:
    """pyarrow.csv.open_csv on pyarrow's gzip stream."""
    with pa.input_stream(str(folder / PACKED), compression="gzip") as stream:
        return _arrow_csv(stream)


def _arrow_csv(source: Any) -> dict[str, float]:
    texts = {"id": pa.string(), "text": pa.string()}
    with pa_csv.open_csv(
        source,
        read_options=pa_csv.ReadOptions(block_size=4_000_000),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(column_types=texts),
    ) as reader:
        return {"documents": sum(map(len, reader))}


def arrow_jsonl(folder: Path, _size: int) -> dict[str, float]:
    """pyarrow.json.open_json, streamed with its own threads."""
    options = pa_json.ReadOptions(block_size=4_000_000)
    return {"documents": sum(map(len, pa_json.open_json(folder / JSONL, read_options=options)))}


def arrow_parquet(folder: Path, _size: int) -> dict[str, float]:
    """pyarrow.parquet, in batches, without keeping what was read."""
    with pq.ParquetFile(folder / PARQUET, pre_buffer=False) as file:
        return {"documents": sum(map(len, file.iter_batches(8_192)))}


def pandas_csv(folder: Path, _size: int) -> dict[str, float]:
    """pandas.read_csv, whole."""
    import pandas as pd

    return {"documents": len(pd.read_csv(folder / CSV, dtype=str, keep_default_na=False))}


def pandas_jsonl(folder: Path, _size: int) -> dict[str, float]:
    """pandas.read_json(lines=True), whole."""
    import pandas as pd

    return {"documents": len(pd.read_json(folder / JSONL, lines=True, dtype=False))}


def fetchmany(_folder: Path, _size: int) -> dict[str, float]:
    """Read with a server-side cursor of psycopg, and drop the rows."""
    import psycopg

    rows = 0
    with psycopg.connect() as connection, connection.cursor(name="benchmark") as cursor:
        cursor.execute(_QUERY)
        while some := cursor.fetchmany(2_000):
            rows += len(some)
    return {"documents": rows}


def boto3_loop(folder: Path, _size: int) -> dict[str, float]:
    """The loop one would write with boto3 and pandas."""
    import boto3
    import pandas as pd

    client = boto3.client("s3")
    rows = 0
    prefix = f"{str((folder / OBJECTS).resolve())[1:]}/"
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
        for listed in page["Contents"]:
            body = client.get_object(Bucket=BUCKET, Key=listed["Key"])["Body"].read()
            rows += len(pd.read_csv(io.BytesIO(body), dtype=str))
    return {"documents": rows}


def s3fs_loop(folder: Path, _size: int) -> dict[str, float]:
    """The loop one would write with s3fs and pandas."""
    import pandas as pd
    import s3fs

    rows = 0
    files = s3fs.S3FileSystem()
    for key in files.find(uri_of(folder / OBJECTS)):
        with files.open(key) as file:
            rows += len(pd.read_csv(file, dtype=str))
    return {"documents": rows}


def boto3_stream(folder: Path, _size: int) -> dict[str, float]:
    """boto3's stream of the object, read by pyarrow.csv.open_csv."""
    import boto3

    body = boto3.client("s3").get_object(Bucket=BUCKET, Key=str((folder / CSV).resolve())[1:])["Body"]
    return _arrow_csv(cast("Any", io.BufferedReader(body, 4_000_000)))


_HUNDREDS, _THOUSAND, _MILLION, _TEN_MILLION = 300, 1_000, 1_000_000, 10_000_000


def _close_to(floor: str, name: str, factor: float) -> list[Target]:
    return [Target(name, "<=", factor, over=floor), Target(name, "<=", 400, measure="peak_mb")]


_ONCE: dict[str, Any] = {"sizes": (_MILLION,), "runs": 1}

COMPARISONS = [
    Comparison(
        "sources_csv",
        "Sources: a CSV file",
        make=make_csv,
        contenders=[
            Contender(csv),
            Contender(arrow_csv),
            Contender(pandas_csv, imports=("pandas",), **_ONCE),
        ],
        sizes={_MILLION: 3},
        targets=_close_to("arrow_csv", "csv", 1.5),
    ),
    Comparison(
        "sources_packed",
        "Sources: a CSV file packed with gzip",
        make=make_packed,
        contenders=[Contender(packed_csv), Contender(arrow_packed_csv)],
        sizes={_MILLION: 3},
        targets=_close_to("arrow_packed_csv", "packed_csv", 1.5),
    ),
    Comparison(
        "sources_jsonl",
        "Sources: a JSON Lines file",
        make=make_jsonl,
        contenders=[
            Contender(jsonl),
            Contender(arrow_jsonl),
            Contender(pandas_jsonl, imports=("pandas",), **_ONCE),
        ],
        sizes={_MILLION: 3},
        targets=_close_to("arrow_jsonl", "jsonl", 1.5),
    ),
    Comparison(
        "sources_parquet",
        "Sources: a Parquet file of one row group",
        make=make_parquet,
        contenders=[Contender(parquet), Contender(arrow_parquet)],
        sizes={_MILLION: 3},
        targets=_close_to("arrow_parquet", "parquet", 1.5),
    ),
    Comparison(
        "sources_query",
        "Sources: a query",
        make=make_table,
        contenders=[Contender(query), Contender(fetchmany, imports=("psycopg",))],
        sizes={100 * _THOUSAND: 1, _MILLION: 1},
        targets=[Target("query", "<=", 400, measure="peak_mb", size=_MILLION)],
        service=postgres,
    ),
    Comparison(
        "sources_objects",
        "Sources: small objects of 50 documents, on an S3 that answers after 30 ms",
        make=make_objects,
        contenders=[
            Contender(objects),
            Contender(boto3_loop, imports=("boto3", "pandas"), sizes=(_HUNDREDS,), runs=1),
            Contender(s3fs_loop, imports=("s3fs", "pandas"), sizes=(_HUNDREDS,), runs=1),
        ],
        sizes={_HUNDREDS: 3, 5 * _THOUSAND: 1},
        targets=[
            Target("boto3_loop", ">=", 5, over="objects", size=_HUNDREDS),
            Target("objects", "<=", 1.01, measure="requests_per_object", size=5 * _THOUSAND),
            Target("objects", "<=", 400, measure="peak_mb", size=5 * _THOUSAND),
        ],
        service=slow_s3,
        unit="objects",
        quick_size=100,
    ),
    Comparison(
        "sources_one_object",
        "Sources: one CSV object (ten million documents: 5 GB), on an S3 that answers after 30 ms",
        make=make_csv,
        contenders=[Contender(one_object), Contender(boto3_stream, imports=("boto3",), sizes=(_MILLION,))],
        sizes={_MILLION: 1, _TEN_MILLION: 1},
        targets=flat("one_object"),
        service=slow_s3,
    ),
]
