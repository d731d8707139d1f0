"""A local AWS that checks signatures: no key, no access; and what clients sign is right."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import urlsplit

import boto3
import duckdb
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiobotocore.session import get_session
from botocore import UNSIGNED
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from pyarrow.fs import S3FileSystem
from s3fs import S3FileSystem as S3Fs
from upath import UPath

from nightsort_local.local_aws.control.client import ControlError, LocalAwsControl
from nightsort_local.local_aws.launcher import launch
from tests.integration.classification_data import create_request, csv_bytes, labelled_rows
from tests.integration.local_aws_server import REGION, LocalAwsServer, wait_for_classifier, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

KEY = ("LOCALKEYOFTHETESTS", "secret-of-the-tests")
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": KEY[0], "AWS_SECRET_ACCESS_KEY": KEY[1], "AWS_DEFAULT_REGION": REGION}
KEYS = ["a b/ü+=&%20~*'().txt", "//double//slash", "plain"]
MEBIBYTE = 1 << 20
TABLE = pa.table({"id": list(range(1_000))})

SERVICES = {
    "s3": "list_buckets",
    "comprehend": "list_document_classifiers",
    "iam": "list_roles",
    "sts": "get_caller_identity",
    "service-quotas": "list_services",
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAwsServer]:
    environment = {
        **ENVIRONMENT,
        "NIGHTSORT_LOCAL_AWS_WORKERS": "1",
        "NIGHTSORT_LOCAL_AWS_CHECK_KEYS": "true",
    }
    with launch(tmp_path_factory.mktemp("aws"), environment) as server:
        client(server, "s3").create_bucket(Bucket="bucket")
        yield server


def client(
    aws: LocalAwsServer, service: Any, key: tuple[str, str] = KEY, token: str | None = None, **config: Any
) -> Any:
    return boto3.client(
        service,
        endpoint_url=aws.url,
        region_name=REGION,
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
        aws_session_token=token,
        config=Config(**{"retries": {"total_max_attempts": 1}, **config}),
    )


def code(call: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as refused:
        call()
    answer = refused.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


@contextmanager
def environment_of(aws: LocalAwsServer) -> Iterator[None]:
    with mock.patch.dict(os.environ, {**ENVIRONMENT, "AWS_ENDPOINT_URL": aws.url}):
        S3Fs.clear_instance_cache()
        yield
    S3Fs.clear_instance_cache()


class TestRefused:
    @pytest.mark.parametrize(
        ("service", "expected"),
        [
            ("s3", ("InvalidAccessKeyId", 403)),
            ("comprehend", ("UnrecognizedClientException", 400)),
            ("iam", ("InvalidClientTokenId", 403)),
            ("sts", ("InvalidClientTokenId", 403)),
            ("service-quotas", ("UnrecognizedClientException", 400)),
        ],
    )
    def test_an_unknown_key(self, aws: LocalAwsServer, service: str, expected: tuple[str, int]) -> None:
        stranger = client(aws, service, ("test", KEY[1]))
        assert code(getattr(stranger, SERVICES[service])) == expected

    @pytest.mark.parametrize(
        ("service", "expected"),
        [
            ("s3", ("SignatureDoesNotMatch", 403)),
            ("comprehend", ("InvalidSignatureException", 400)),
            ("iam", ("SignatureDoesNotMatch", 403)),
            ("sts", ("SignatureDoesNotMatch", 403)),
            ("service-quotas", ("InvalidSignatureException", 400)),
        ],
    )
    def test_a_wrong_secret(self, aws: LocalAwsServer, service: str, expected: tuple[str, int]) -> None:
        stranger = client(aws, service, (KEY[0], "guessed"))
        assert code(getattr(stranger, SERVICES[service])) == expected

    @pytest.mark.parametrize(
        ("service", "expected"),
        [
            ("s3", ("AccessDenied", 403)),
            ("comprehend", ("MissingAuthenticationTokenException", 400)),
            ("sts", ("MissingAuthenticationToken", 403)),
        ],
    )
    def test_no_signature(self, aws: LocalAwsServer, service: str, expected: tuple[str, int]) -> None:
        stranger = client(aws, service, signature_version=UNSIGNED)
        assert code(getattr(stranger, SERVICES[service])) == expected

    def test_credentials_for_a_token_of_a_stranger(self, aws: LocalAwsServer) -> None:
        """AWS checks such a token with its issuer. There is none here, and moto takes any."""
        sts = client(aws, "sts", signature_version=UNSIGNED)
        request = {"RoleArn": "arn:aws:iam::123456789012:role/x", "RoleSessionName": "session"}
        assert code(lambda: sts.assume_role_with_web_identity(**request, WebIdentityToken="any.token")) == (
            "MissingAuthenticationToken",
            403,
        )

    def test_a_form_of_a_web_page(self, aws: LocalAwsServer) -> None:
        form = client(aws, "s3").generate_presigned_post("bucket", "form")
        answer = httpx.post(form["url"], data=form["fields"], files={"file": b"x"}, trust_env=False)
        assert (answer.status_code, "AccessDenied" in answer.text) == (403, True)

    @pytest.mark.parametrize(
        ("service", "minutes", "expected"),
        [
            ("s3", 14, None),
            ("s3", 16, "RequestTimeTooSkewed"),
            ("s3", -16, "RequestTimeTooSkewed"),
            ("comprehend", 4, None),
            ("comprehend", 6, "InvalidSignatureException"),
            ("sts", -6, "SignatureDoesNotMatch"),
        ],
    )
    def test_a_clock_that_is_wrong(
        self, aws: LocalAwsServer, service: str, minutes: int, expected: str | None
    ) -> None:
        moment = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(minutes=minutes)
        with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
            call = getattr(client(aws, service), SERVICES[service])
            if expected is None:
                call()
            else:
                assert code(call)[0] == expected

    def test_another_body_than_the_signed_one(self, aws: LocalAwsServer) -> None:
        for body in (b"small", b"x" * MEBIBYTE):
            request = signed(aws, "PUT", "/bucket/other", body)
            changed = bytes([body[0] ^ 1]) + body[1:]
            answer = httpx.put(request.url, content=changed, headers=dict(request.headers), trust_env=False)
            assert (answer.status_code, "XAmzContentSHA256Mismatch" in answer.text) == (400, True)
            assert code(lambda: client(aws, "s3").get_object(Bucket="bucket", Key="other"))[0] == "NoSuchKey"

    def test_a_header_that_was_not_signed(self, aws: LocalAwsServer) -> None:
        url = client(aws, "s3", signature_version="s3v4").generate_presigned_url(
            "put_object", Params={"Bucket": "bucket", "Key": "copied"}
        )
        answer = httpx.put(url, headers={"x-amz-copy-source": "bucket/plain"}, trust_env=False)
        assert (answer.status_code, "not signed" in answer.text) == (403, True)

    def test_a_signature_for_another_service(self, aws: LocalAwsServer) -> None:
        request = signed(aws, "POST", "/", b"{}")
        target = {"X-Amz-Target": "Comprehend_20171127.ListDocumentClassifiers"}
        answer = httpx.post(
            request.url, content=b"{}", headers={**dict(request.headers), **target}, trust_env=False
        )
        assert (answer.status_code, answer.json()["__type"]) == (400, "InvalidSignatureException")

    def test_the_control_pages(self, aws: LocalAwsServer) -> None:
        fault = {"operation": "*", "code": "ThrottlingException"}
        for stranger in (LocalAwsControl(aws.url), LocalAwsControl(aws.url, (KEY[0], "guessed"))):
            with pytest.raises(ControlError, match=r"Authentication Token|does not match"):
                stranger.inject("error", **fault)
        ours = LocalAwsControl(aws.url, KEY)
        with ours.injected("error", **fault):
            assert code(client(aws, "comprehend").list_document_classifiers)[0] == "ThrottlingException"
        assert ours.behaviour()["delays"]
        assert httpx.get(f"{aws.url}/_nightsort/health", trust_env=False).status_code == 200

    def test_a_server_without_a_key_says_what_is_missing(self) -> None:
        ended = subprocess.run(
            [sys.executable, "-m", "nightsort_local.local_aws", "--port", "0", "--check-keys"],
            env={**os.environ, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 2
        assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set" in ended.stderr


def signed(aws: LocalAwsServer, method: str, path: str, body: bytes, **headers: str) -> AWSRequest:
    request = AWSRequest(method, f"{aws.url}{path}", data=body, headers=headers)
    S3SigV4Auth(Credentials(*KEY), "s3", REGION).add_auth(request)
    return request


class TestIdentities:
    """Keys of users and sessions have secrets of their own."""

    def test_a_user(self, aws: LocalAwsServer) -> None:
        iam = client(aws, "iam")
        iam.create_user(UserName="user")
        made = iam.create_access_key(UserName="user")["AccessKey"]
        key = (made["AccessKeyId"], made["SecretAccessKey"])
        assert client(aws, "s3", key).list_buckets()["Buckets"]
        assert code(client(aws, "s3", (key[0], KEY[1])).list_buckets)[0] == "SignatureDoesNotMatch"
        iam.update_access_key(UserName="user", AccessKeyId=key[0], Status="Inactive")
        assert code(client(aws, "s3", key).list_buckets)[0] == "InvalidAccessKeyId"

    def test_a_session(self, aws: LocalAwsServer) -> None:
        arn = "arn:aws:iam::123456789012:role/NightsortComprehendDataAccess"
        made = client(aws, "sts").assume_role(RoleArn=arn, RoleSessionName="night")["Credentials"]
        key = (made["AccessKeyId"], made["SecretAccessKey"])
        session = client(aws, "sts", key, made["SessionToken"])
        assert session.get_caller_identity()["Arn"].endswith("/night")
        s3 = client(aws, "s3", key, made["SessionToken"])
        s3.put_object(Bucket="bucket", Key="of the session", Body=b"x")
        for version in ("s3v4", "s3"):
            signer = client(aws, "s3", key, made["SessionToken"], signature_version=version)
            url = signer.generate_presigned_url(
                "get_object", Params={"Bucket": "bucket", "Key": "of the session"}
            )
            assert httpx.get(url, trust_env=False).content == b"x"
        assert code(client(aws, "s3", key, "another").list_buckets) == ("InvalidToken", 400)
        assert code(client(aws, "s3", key).list_buckets)[0] == "InvalidToken"
        assert code(client(aws, "comprehend", key, "another").list_document_classifiers)[0] == (
            "UnrecognizedClientException"
        )


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
        assert httpx.put(put, content=b"hello", trust_env=False).status_code == 200
        get = s3.generate_presigned_url("get_object", Params={**place, "ResponseContentType": "text/x-note"})
        answer = httpx.get(get, trust_env=False)
        assert (answer.content, answer.headers["Content-Type"]) == (b"hello", "text/x-note")
        refused = httpx.get(get.replace("text%2Fx-note", "text%2Fhtml"), trust_env=False)
        assert (refused.status_code, "SignatureDoesNotMatch" in refused.text) == (403, True)
        assert httpx.delete(get, trust_env=False).status_code == 403

    @pytest.mark.parametrize("version", ["s3v4", "s3"])
    def test_a_presigned_url_ends(self, aws: LocalAwsServer, version: str) -> None:
        s3 = client(aws, "s3", signature_version=version)
        url = s3.generate_presigned_url("list_objects_v2", Params={"Bucket": "bucket"}, ExpiresIn=1)

        def expired() -> bool:
            answer = httpx.get(url, trust_env=False)
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
            answer = httpx.put(
                request.url, content=body, headers=dict(request.headers.items()), trust_env=False
            )
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


def test_the_workers_sign_with_the_servers_key(aws: LocalAwsServer) -> None:
    client(aws, "s3").put_object(Bucket="bucket", Key="training.csv", Body=csv_bytes(labelled_rows(30)))
    comprehend = client(aws, "comprehend")
    request = create_request("keyed", "s3://bucket/training.csv")
    arn = comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
    assert wait_for_classifier(comprehend, arn)["Status"] == "TRAINED"


def test_with_enforced_permissions_the_servers_key_is_the_accounts_root() -> None:
    environment = {
        **ENVIRONMENT,
        "NIGHTSORT_LOCAL_AWS_WORKERS": "1",
        "NIGHTSORT_LOCAL_AWS_CHECK_KEYS": "true",
        "NIGHTSORT_LOCAL_AWS_ENFORCE_IAM": "true",
    }
    with launch(environment=environment) as aws:
        client(aws, "s3").create_bucket(Bucket="bucket")
        client(aws, "comprehend").list_document_classifiers()
        iam = client(aws, "iam")
        iam.create_user(UserName="user")
        made = iam.create_access_key(UserName="user")["AccessKey"]
        user = client(aws, "s3", (made["AccessKeyId"], made["SecretAccessKey"]))
        assert code(user.list_buckets) == ("AccessDenied", 403)
        assert code(client(aws, "s3", (made["AccessKeyId"], "guessed")).list_buckets)[0] == (
            "SignatureDoesNotMatch"
        )
