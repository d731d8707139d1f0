"""What clients send to a local AWS that checks signatures, they have signed."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock
from urllib.parse import urlsplit

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiobotocore.session import get_session
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from pyarrow.fs import S3FileSystem
from s3fs import S3FileSystem as S3Fs
from upath import UPath

from tests.integration.keyed_aws import ENVIRONMENT, KEY, client, keyed_aws
from tests.integration.local_aws_server import REGION, LocalAwsServer, answer_of, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

KEYS = ["a b/ü+=&%20~*'().txt", "//double//slash", "plain"]
MEBIBYTE = 1 << 20
TABLE = pa.table({"id": list(range(1_000))})


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAwsServer]:
    with keyed_aws(tmp_path_factory.mktemp("aws")) as server:
        yield server


@contextmanager
def environment_of(aws: LocalAwsServer) -> Iterator[None]:
    with mock.patch.dict(os.environ, {**ENVIRONMENT, "AWS_ENDPOINT_URL": aws.url}):
        S3Fs.clear_instance_cache()
        yield
    S3Fs.clear_instance_cache()


class TestClients:
    """What clients send, they have signed; each brings its own implementation."""

    @pytest.mark.parametrize("key", KEYS)
    def test_boto3(self, aws: LocalAwsServer, key: str) -> None:
        s3 = client(aws, "s3")
        s3.put_object(
            Bucket="bucket", Key=key, Body=b"x", Metadata={"note": "two  spaces"}, Tagging="team=a%20b"
        )
        assert s3.get_object(Bucket="bucket", Key=key, Range="bytes=0-")["Body"].read() == b"x"
        assert s3.list_objects_v2(Bucket="bucket", Prefix=key, Delimiter=" +")["KeyCount"] == 1
        s3.copy_object(Bucket="bucket", Key=f"{key} copy", CopySource={"Bucket": "bucket", "Key": key})
        s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": f"{key} copy"}]})

    @pytest.mark.parametrize("version", ["s3v4", "s3"])
    @pytest.mark.parametrize("key", KEYS)
    def test_presigned_urls(self, aws: LocalAwsServer, version: str, key: str) -> None:
        s3 = client(aws, "s3", signature_version=version)
        place = {"Bucket": "bucket", "Key": f"presigned/{key}"}
        put = s3.generate_presigned_url("put_object", Params=place)
        assert answer_of("PUT", put, content=b"hello").status_code == 200
        get = s3.generate_presigned_url("get_object", Params={**place, "ResponseContentType": "text/x-note"})
        answer = answer_of("GET", get)
        assert (answer.content, answer.headers["Content-Type"]) == (b"hello", "text/x-note")
        refused = answer_of("GET", get.replace("text%2Fx-note", "text%2Fhtml"))
        assert (refused.status_code, "SignatureDoesNotMatch" in refused.text) == (403, True)
        assert answer_of("DELETE", get).status_code == 403

    @pytest.mark.parametrize("version", ["s3v4", "s3"])
    def test_a_presigned_url_ends(self, aws: LocalAwsServer, version: str) -> None:
        s3 = client(aws, "s3", signature_version=version)
        url = s3.generate_presigned_url("list_objects_v2", Params={"Bucket": "bucket"}, ExpiresIn=1)

        def expired() -> bool:
            answer = answer_of("GET", url)
            assert answer.status_code == 200 or "Request has expired" in answer.text
            return answer.status_code == 403

        wait_until(expired, "the end of the URL")

    def test_uploads_in_parts_and_with_each_kind_of_signed_body(self, aws: LocalAwsServer) -> None:
        data = os.urandom(MEBIBYTE) * 17
        s3 = client(aws, "s3")
        s3.upload_fileobj(io.BytesIO(data), "bucket", "parts")
        assert s3.get_object(Bucket="bucket", Key="parts")["Body"].read() == data
        for signed_payload in (True, False):
            other = client(aws, "s3", s3={"payload_signing_enabled": signed_payload})
            other.put_object(Bucket="bucket", Key="whole", Body=data[:MEBIBYTE])
            assert s3.head_object(Bucket="bucket", Key="whole")["ContentLength"] == MEBIBYTE

    def test_signed_chunks(self, aws: LocalAwsServer) -> None:
        """As the SDKs for Java, Go and C++ send them over HTTP."""
        pieces = [os.urandom(65_536), os.urandom(100), b""]
        headers = {
            "content-encoding": "aws-chunked",
            "x-amz-decoded-content-length": str(sum(map(len, pieces))),
        }
        for changed in (False, True):
            request = AWSRequest("PUT", f"{aws.url}/bucket/chunks", headers=headers)
            request.headers["X-Amz-Content-SHA256"] = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
            signer = S3SigV4Auth(Credentials(*KEY), "s3", REGION)
            with mock.patch.object(signer, "payload", return_value="STREAMING-AWS4-HMAC-SHA256-PAYLOAD"):
                signer.add_auth(request)
            body = b"".join(chunks(signer, request, pieces))
            if changed:
                body = body.replace(pieces[1], os.urandom(100))
            answer = answer_of("PUT", str(request.url), content=body, headers=dict(request.headers.items()))
            assert answer.status_code == (403 if changed else 200), answer.text
            assert ("SignatureDoesNotMatch" in answer.text) == changed
            found = client(aws, "s3").get_object(Bucket="bucket", Key="chunks")["Body"].read()
            assert found == b"".join(pieces)

    def test_aiobotocore_s3fs_and_upath(self, aws: LocalAwsServer) -> None:
        async def there_and_back() -> bytes:
            session = get_session()
            async with session.create_client("s3") as s3:
                await s3.put_object(Bucket="bucket", Key="a b+c", Body=b"aio")
                answer = await s3.get_object(Bucket="bucket", Key="a b+c")
                content: bytes = await answer["Body"].read()
                return content

        with environment_of(aws):
            assert asyncio.run(there_and_back()) == b"aio"
            path = UPath("s3://bucket/folder/with space/ü.bin")
            path.write_bytes(b"upath" * 3_000_000)
            assert path.read_bytes() == b"upath" * 3_000_000
            assert [found.name for found in UPath("s3://bucket/folder/with space/").iterdir()] == ["ü.bin"]
            S3Fs().rm("bucket/folder", recursive=True)

    def test_pyarrow_which_is_the_sdk_for_cpp(self, aws: LocalAwsServer) -> None:
        arrow = S3FileSystem(
            access_key=KEY[0],
            secret_key=KEY[1],
            region=REGION,
            scheme="http",
            endpoint_override=urlsplit(aws.url).netloc,
        )
        pq.write_table(TABLE, "bucket/arrow/day=1 +/part.parquet", filesystem=arrow)
        assert pq.read_table("bucket/arrow/day=1 +/part.parquet", filesystem=arrow) == TABLE
        arrow.delete_file("bucket/arrow/day=1 +/part.parquet")
        wrong = S3FileSystem(
            access_key=KEY[0],
            secret_key="guessed",  # noqa: S106
            region=REGION,
            scheme="http",
            endpoint_override=urlsplit(aws.url).netloc,
        )
        with pytest.raises(OSError, match=r"SIGNATURE|SignatureDoesNotMatch|ACCESS_DENIED"):
            pq.write_table(TABLE, "bucket/arrow/part.parquet", filesystem=wrong)

    def test_duckdb(self, aws: LocalAwsServer) -> None:
        with environment_of(aws), duckdb.connect() as connection:
            connection.register_filesystem(S3Fs())
            connection.execute("COPY (SELECT 42 AS answer) TO 's3://bucket/duck db.parquet' (FORMAT parquet)")
            found = connection.execute("SELECT answer FROM 's3://bucket/duck db.parquet'").fetchall()
        assert found == [(42,)]

    def test_the_aws_cli(self, aws: LocalAwsServer, tmp_path: Path) -> None:
        file = tmp_path / "large.bin"
        file.write_bytes(os.urandom(MEBIBYTE) * 9)
        environment = {**os.environ, **ENVIRONMENT, "AWS_ENDPOINT_URL": aws.url}

        def cli(*arguments: str) -> str:
            command = [sys.executable, "-m", "awscli", *arguments]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            return done.stdout

        cli("s3", "cp", str(file), "s3://bucket/with space/")
        cli("s3", "cp", "s3://bucket/with space/large.bin", str(tmp_path / "back.bin"))
        assert hashlib.sha256((tmp_path / "back.bin").read_bytes()).digest() == (
            hashlib.sha256(file.read_bytes()).digest()
        )
        listed = json.loads(cli("comprehend", "list-document-classifiers", "--output", "json"))
        assert listed["DocumentClassifierPropertiesList"] is not None


def chunks(signer: S3SigV4Auth, request: AWSRequest, pieces: list[bytes]) -> Iterator[bytes]:
    """Yield the chunks of a body with their signatures."""
    signature = request.headers["Authorization"].rpartition("Signature=")[2]
    for piece in pieces:
        text = "\n".join(
            [
                "AWS4-HMAC-SHA256-PAYLOAD",
                request.context["timestamp"],
                signer.credential_scope(request),
                signature,
                hashlib.sha256().hexdigest(),
                hashlib.sha256(piece).hexdigest(),
            ]
        )
        signature = signer.signature(text, request)
        yield b"%x;chunk-signature=%s\r\n%s\r\n" % (len(piece), signature.encode(), piece)
