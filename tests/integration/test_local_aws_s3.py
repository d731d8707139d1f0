"""S3 of the local AWS: what clients write is what they read, however large and in whatever pieces."""

from __future__ import annotations

import hashlib
import io
import os
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest
from boto3.s3.transfer import TransferConfig

from tests.integration.local_aws_server import PATIENCE_SECONDS, LocalAwsServer, answer_of, local_aws

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

MEBIBYTE = 1 << 20
LARGE = os.urandom(MEBIBYTE) * 64


@pytest.fixture(scope="module", params=["scratch", "data"])
def aws(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAwsServer]:
    """Without a data folder small objects are in memory, with one all are in files."""
    with local_aws(tmp_path_factory.mktemp("aws") if request.param == "data" else None) as server:
        server.client("s3").create_bucket(Bucket="bucket")
        yield server


@pytest.fixture(scope="module")
def s3(aws: LocalAwsServer) -> Any:
    return aws.client("s3")


def content(s3: Any, key: str, **request: Any) -> bytes:
    body: bytes = s3.get_object(Bucket="bucket", Key=key, **request)["Body"].read()
    return body


@pytest.mark.parametrize("size", [0, 1, 1_000, MEBIBYTE - 1, MEBIBYTE, 3 * MEBIBYTE + 7])
def test_an_object_comes_back_as_it_was(s3: Any, size: int) -> None:
    data = LARGE[:size]
    answer = s3.put_object(
        Bucket="bucket", Key=f"size/{size}", Body=data, Metadata={"day": "1"}, ContentType="text/csv"
    )
    assert answer["ETag"] == f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
    assert content(s3, f"size/{size}") == data
    head = s3.head_object(Bucket="bucket", Key=f"size/{size}")
    assert (head["ContentLength"], head["Metadata"], head["ContentType"]) == (size, {"day": "1"}, "text/csv")


@pytest.mark.parametrize(
    "key", ["a b/ü.txt", "a+b=c&d.txt", "tab\there", "percent%20sign", "//double//slash"]
)
def test_keys_of_any_characters(s3: Any, key: str) -> None:
    s3.put_object(Bucket="bucket", Key=key, Body=b"x")
    listed = s3.list_objects_v2(Bucket="bucket", Prefix=key)["Contents"]
    assert [found["Key"] for found in listed] == [key]
    assert content(s3, key) == b"x"


@pytest.mark.parametrize("size", [1_000, 3 * MEBIBYTE])
@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("0-99", 0, 100), ("500-", 500, None), ("-7", -7, None), ("990-10000000", 990, None)],
)
def test_ranges(s3: Any, size: int, asked: str, start: int, stop: int | None) -> None:
    s3.put_object(Bucket="bucket", Key="ranges", Body=LARGE[:size])
    assert content(s3, "ranges", Range=f"bytes={asked}") == LARGE[:size][start:stop]


def test_a_multipart_upload_is_one_object(s3: Any, tmp_path: Path) -> None:
    data = LARGE[: 21 * MEBIBYTE + 5]
    s3.upload_fileobj(
        io.BytesIO(data), "bucket", "multi", Config=TransferConfig(multipart_chunksize=8 * MEBIBYTE)
    )
    assert s3.head_object(Bucket="bucket", Key="multi")["ETag"].endswith('-3"')
    s3.download_file("bucket", "multi", str(tmp_path / "multi"))
    assert (tmp_path / "multi").read_bytes() == data
    assert (
        content(s3, "multi", Range=f"bytes={8 * MEBIBYTE - 3}-{8 * MEBIBYTE + 2}")
        == data[8 * MEBIBYTE - 3 :][:6]
    )


def test_a_copy_outlives_its_source(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="source", Body=LARGE[: 2 * MEBIBYTE])
    s3.copy_object(Bucket="bucket", Key="copy", CopySource="bucket/source")
    s3.delete_object(Bucket="bucket", Key="source")
    assert content(s3, "copy") == LARGE[: 2 * MEBIBYTE]


@pytest.mark.parametrize("size", [1_000, 2 * MEBIBYTE])
def test_a_chunked_upload_with_its_checksum_behind_it(aws: LocalAwsServer, s3: Any, size: int) -> None:
    body = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n" % (size, LARGE[:size])
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(size),
        "x-amz-sdk-checksum-algorithm": "CRC32",
        "x-amz-trailer": "x-amz-checksum-crc32",
        "content-encoding": "aws-chunked",
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, Signature=x",
    }
    answer = answer_of("PUT", f"{aws.url}/bucket/chunked", content=body, headers=headers)
    assert answer.status_code == 200
    assert s3.head_object(Bucket="bucket", Key="chunked")["ContentLength"] == size
    raw = answer_of("GET", f"{aws.url}/bucket/chunked", headers={"Authorization": headers["Authorization"]})
    assert raw.content == LARGE[:size]


def test_a_chunked_body_of_http_leaves_the_connection_usable(aws: LocalAwsServer, s3: Any) -> None:
    """The SDK for JavaScript sends streams so: without a length, with both kinds of chunks."""

    def body() -> Iterator[bytes]:
        yield from (b"400\r\n", LARGE[:1_000], LARGE[1_000:1_024], b"\r\n0\r\n")
        yield b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n"

    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "1024",
        "content-encoding": "aws-chunked",
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, Signature=x",
    }
    with httpx.Client(base_url=aws.url, trust_env=False, timeout=PATIENCE_SECONDS) as client:
        ports = set()
        for _ in range(2):
            answer = client.put("/bucket/streamed", content=body(), headers=headers)
            assert answer.status_code == 200
            ports.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
    assert content(s3, "streamed") == LARGE[:1_024]
    assert len(ports) == 1


def test_a_large_object_does_not_go_through_memory(aws: LocalAwsServer, s3: Any) -> None:
    process = psutil.Process(aws.process.pid)
    s3.put_object(Bucket="bucket", Key="first", Body=b"x")
    before = process.memory_info().rss
    s3.put_object(Bucket="bucket", Key="large", Body=LARGE)
    peak = process.memory_info().rss
    for piece in s3.get_object(Bucket="bucket", Key="large")["Body"].iter_chunks(MEBIBYTE):
        assert piece
        peak = max(peak, process.memory_info().rss)
    assert peak - before < len(LARGE) / 3


def test_one_connection_serves_many_requests(aws: LocalAwsServer) -> None:
    with httpx.Client(base_url=aws.url, trust_env=False, timeout=PATIENCE_SECONDS) as client:
        ports = set()
        for _ in range(5):
            answer = client.get("/_nightsort/health")
            assert answer.json()["status"] == "ok"
            ports.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
        assert len(ports) == 1


def test_errors_are_answers_and_leave_the_connection_usable(s3: Any) -> None:
    for _ in range(3):
        with pytest.raises(s3.exceptions.NoSuchKey):
            content(s3, "not there")
        with pytest.raises(s3.exceptions.NoSuchBucket):
            s3.put_object(Bucket="no-such-bucket", Key="k", Body=LARGE[: 2 * MEBIBYTE])
    s3.put_object(Bucket="bucket", Key="after", Body=b"fine")
    assert content(s3, "after") == b"fine"


def test_the_account_has_a_name(aws: LocalAwsServer) -> None:
    assert aws.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_roles_and_their_policies_are_kept(aws: LocalAwsServer) -> None:
    iam = aws.client("iam")
    iam.create_role(
        RoleName="NightsortTest", AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}'
    )
    assert (
        iam.get_role(RoleName="NightsortTest")["Role"]["Arn"]
        == "arn:aws:iam::123456789012:role/NightsortTest"
    )


def test_the_bucket_of_the_samples_may_be_called_as_the_control_pages_are(s3: Any) -> None:
    s3.create_bucket(Bucket="nightsort")
    s3.put_object(Bucket="nightsort", Key="aws-services/a.csv", Body=b"x")
    listed = s3.list_objects_v2(Bucket="nightsort")["Contents"]
    assert [entry["Key"] for entry in listed] == ["aws-services/a.csv"]
