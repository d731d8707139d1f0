"""Sources in S3 and PostgreSQL, and training data that goes back to S3."""

from __future__ import annotations

import gzip
import io
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiobotocore.client import AioBaseClient

from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.classifier_spec.source import LabelledSource, Source
from nightsort.sources import streams
from nightsort.sources.documents import read_documents
from nightsort.sources.rejects import RejectLog
from nightsort.sources.source_files import CHUNK_BYTES, SourceError, list_files
from nightsort.sources.streams import open_file
from nightsort.storage import UPLOAD_PART_BYTES, Access, plain_access, upload
from nightsort.training.prepare import prepare_training_data
from tests.integration.local_aws_server import local_aws

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """An S3 client with a bucket; the same server is what plain access reaches."""
    with local_aws() as aws, aws.for_this_process():
        client = aws.client("s3")
        client.create_bucket(Bucket="sources")
        yield client


def put(client: Any, **objects: bytes) -> None:
    for key, body in objects.items():
        client.put_object(Bucket="sources", Key=key, Body=body)


def names(uri: str) -> list[str]:
    return [file.name for file in list_files(uri, plain_access())]


def texts(source: Source, folder: Path, access: Access | None = None) -> list[str]:
    with RejectLog(folder / "rejects") as rejects:
        batches = read_documents(
            source,
            access or plain_access(),
            mode="MULTI_CLASS",
            label_delimiter=None,
            day=None,
            rejects=rejects,
        )
        return [str(text) for batch in batches for text in batch.column("text").to_pylist()]


@contextmanager
def counted_requests() -> Iterator[Counter[str]]:
    """Count what s3fs asks of S3, by operation."""
    asked: Counter[str] = Counter()
    call = AioBaseClient._make_api_call

    async def counted(client: Any, operation: str, arguments: Any) -> Any:
        asked[operation] += 1
        return await call(client, operation, arguments)

    with mock.patch.object(AioBaseClient, "_make_api_call", counted):
        yield asked


def test_objects_of_a_prefix_a_glob_and_a_key(client: Any) -> None:
    put(client, **{f"list/{name}": b"x" for name in ("b.csv", "a.csv", "sub/c.csv", "_SUCCESS", "folder/")})
    put(client, **{"list2.csv": b"x"})

    assert names("s3://sources/list/") == ["a.csv", "b.csv", "sub/c.csv"]
    assert names("s3://sources/list/*.csv") == ["a.csv", "b.csv"]
    assert names("s3://sources/list/**/*.csv") == ["a.csv", "b.csv", "sub/c.csv"]
    assert names("s3://sources/list/sub/c.csv") == ["c.csv"]
    assert names("s3://sources/nothing/") == []
    with pytest.raises(SourceError, match="does not exist"):
        names("s3://sources/list/d.csv")
    with pytest.raises(SourceError, match="is a folder; end it with /"):
        names("s3://sources/list/sub")


@pytest.mark.parametrize(
    "key",
    [
        "a#b.txt", "a%20b.txt", "a b.txt", "a@b.txt", "a*b.txt", "a?b.txt", "a[1].txt", "a::b.txt", "{a}.txt",
        "a+b&c=d;e.txt", "x.txt?versionId=abc", "?versionId=", "a//b.txt", "~a", "ä.txt",
    ],
)  # fmt: skip
def test_whatever_a_key_is_it_is_listed_and_read(client: Any, tmp_path: Path, key: str) -> None:
    folder = f"odd {key.encode().hex()}"
    put(client, **{f"{folder}/{key}": b"content", f"{folder}/x.txt": b"another"})
    put(client, **{f"{folder}/large/{key}": b"text\n" * (streams.PART_BYTES // 4)})

    files = list_files(f"s3://sources/{folder}/", plain_access())
    assert sorted(file.name for file in files) == sorted([key, f"large/{key}", "x.txt"])
    (named,) = [file for file in files if file.name == key]
    with open_file(named, plain_access()) as stream:
        assert stream.read() == b"content"
    (large,) = [file for file in files if file.name == f"large/{key}"]
    with open_file(large, plain_access()) as stream:
        assert stream.read(CHUNK_BYTES)[:5] == b"text\n"
    if not set("[{") & set(key) and "//" not in key:
        assert [file.name for file in list_files(f"s3://sources/{folder}/{key}", plain_access())] == [key]


def test_an_object_that_came_after_the_last_look_is_seen(client: Any) -> None:
    put(client, **{"late/1.csv": b"x"})
    assert names("s3://sources/late/") == ["1.csv"]

    put(client, **{"late/2.csv": b"x"})

    assert names("s3://sources/late/") == ["1.csv", "2.csv"]


def test_more_objects_than_a_page_holds(client: Any) -> None:
    put(client, **{f"many/{number:04d}.txt": b"x" for number in range(1_005)})

    assert names("s3://sources/many/") == [f"{number:04d}.txt" for number in range(1_005)]


def test_one_document_per_object(client: Any, tmp_path: Path) -> None:
    put(client, **{f"files/{number:02d}.txt": f"document {number}".encode() for number in range(40)})

    found = texts(Source(uri="s3://sources/files/", format="files"), tmp_path)

    assert found == [f"document {number}" for number in range(40)]


def test_many_objects_are_listed_and_read_once_each(client: Any, tmp_path: Path) -> None:
    put(client, **{f"once/{number:04d}.csv": f"text\n{number}".encode() for number in range(120)})

    with counted_requests() as asked:
        found = texts(Source(uri="s3://sources/once/", format="csv"), tmp_path)

    assert found == [str(number) for number in range(120)]
    assert asked == {"ListObjectsV2": 1, "GetObject": 120}


@pytest.mark.parametrize("kind", ["lines", "parquet"])
def test_a_large_object_is_read_in_parts_each_once(client: Any, tmp_path: Path, kind: Any) -> None:
    rows = [f"document {number} {'text ' * 200}".strip() for number in range(20_000)]
    body = "\n".join(rows).encode()
    if kind == "parquet":
        file = io.BytesIO()
        pq.write_table(pa.table({"text": rows}), file, compression="none", use_dictionary=False)
        body = file.getvalue()
    put(client, **{f"large/{kind}": body})

    with counted_requests() as asked:
        found = texts(Source(uri=f"s3://sources/large/{kind}", format=kind), tmp_path)

    assert found == rows
    parts = -(-len(body) // streams.PART_BYTES)
    assert parts <= asked["GetObject"] <= parts + 3


def test_an_object_that_is_replaced_while_it_is_read_is_an_error(client: Any) -> None:
    put(client, **{"replaced/x": b"a" * 8 * streams.PART_BYTES})
    (file,) = list_files("s3://sources/replaced/x", plain_access())

    with open_file(file, plain_access()) as stream:
        stream.read(1)
        put(client, **{"replaced/x": b"b" * 8 * streams.PART_BYTES})
        with pytest.raises(SourceError, match="was listed but has changed; do not change a source"):
            stream.read()


def test_a_compressed_object(client: Any, tmp_path: Path) -> None:
    rows = [f"document {number}" for number in range(10_000)]
    put(client, **{"packed/x.csv.gz": gzip.compress("\n".join(["text", *rows]).encode())})

    assert texts(Source(uri="s3://sources/packed/", format="csv"), tmp_path) == rows


def test_a_file_of_several_parts_arrives_whole(client: Any, tmp_path: Path) -> None:
    data = bytes(range(256)) * (UPLOAD_PART_BYTES // 256 * 2 + 77)
    (tmp_path / "large").write_bytes(data)

    upload(tmp_path / "large", "s3://sources/up/large", plain_access())

    assert client.get_object(Bucket="sources", Key="up/large")["Body"].read() == data


def test_training_data_comes_to_lie_below_the_work_uri(client: Any) -> None:
    rows = [f"{label},document {number} of {label}" for number in range(40) for label in ("a", "b")]
    put(client, **{"train/labelled/x.csv": "\n".join(["label,text", *rows]).encode()})
    spec = ClassifierSpec.model_validate(
        {
            "name": "tickets",
            "mode": "MULTI_CLASS",
            "labelled": {"uri": "s3://sources/train/labelled/", "format": "csv"},
            "incoming": {"uri": "s3://sources/train/incoming/", "format": "lines"},
            "work_uri": "s3://sources/train/work/",
            "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
        }
    )

    prepared = prepare_training_data(spec, plain_access())

    assert prepared.training_uri == f"s3://sources/train/work/training/{prepared.version}/training.csv"
    key = prepared.training_uri.removeprefix("s3://sources/")
    training = client.get_object(Bucket="sources", Key=key)["Body"].read()
    assert (training.count(b"\n"), len(training)) == (prepared.training_documents, prepared.training_bytes)
    keys = client.list_objects_v2(Bucket="sources", Prefix="train/work/")["Contents"]
    assert {entry["Key"].rpartition("/")[2] for entry in keys} == {
        "documents.parquet",
        "training.csv",
        "test.csv",
        "test.txt",
        "rejects.jsonl",
        "report.json",
    }


def test_a_query_is_read_through_a_cursor_on_the_server(postgres_dsn: str, tmp_path: Path) -> None:
    @contextmanager
    def connect(conn_id: str) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(postgres_dsn) as connection:
            yield connection

    source = LabelledSource(
        sql="SELECT n AS id, 'document ' || n AS text, ARRAY['a'] AS label, "
        "(SELECT string_agg(name, ',') FROM pg_cursors) AS cursors FROM generate_series(1, 5000) AS n",
        conn_id="tickets_db",
        id_column="id",
    )
    found = texts(source, tmp_path, Access(plain_access().path, connect))
    cursors = texts(
        source.model_copy(update={"text_column": "cursors"}), tmp_path, Access(plain_access().path, connect)
    )

    assert found == [f"document {number}" for number in range(1, 5_001)]
    assert set(cursors) == {"nightsort_documents"}
