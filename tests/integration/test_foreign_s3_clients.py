"""pyarrow's own S3 client, which is AWS's C++ SDK, and s3fs, which is aiobotocore, share the buckets."""

from __future__ import annotations

from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import FileSelector, S3FileSystem
from s3fs import S3FileSystem as S3Fs

from tests.integration.local_aws_server import CREDENTIALS, REGION, LocalAwsServer

pytestmark = pytest.mark.integration

TABLE = pa.table({"id": [str(number) for number in range(100_000)], "text": ["a refund"] * 100_000})


def test_what_one_writes_the_other_reads(local_aws: LocalAwsServer) -> None:
    arrow = S3FileSystem(
        access_key=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        secret_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region=REGION,
        scheme="http",
        endpoint_override=urlsplit(local_aws.url).netloc,
        allow_bucket_creation=True,
    )
    arrow.create_dir("columns")
    pq.write_table(TABLE, "columns/day=1/part.parquet", filesystem=arrow)
    with local_aws.for_this_process():
        s3fs = S3Fs()
        with s3fs.open("columns/day=1/part.parquet", "rb") as file:
            assert pq.read_table(file) == TABLE
        with s3fs.open("columns/day=2/part.parquet", "wb") as file:
            pq.write_table(TABLE.slice(0, 10), file)
    found = [
        info.path for info in arrow.get_file_info(FileSelector("columns", recursive=True)) if info.is_file
    ]
    assert found == ["columns/day=1/part.parquet", "columns/day=2/part.parquet"]
    assert ds.dataset("columns", filesystem=arrow, format="parquet").count_rows() == 100_010
    arrow.delete_file("columns/day=1/part.parquet")
    assert ds.dataset("columns", filesystem=arrow, format="parquet").count_rows() == 10
