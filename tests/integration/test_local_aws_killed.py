"""What the local AWS has answered survives SIGKILL, and the server starts again every time."""

from __future__ import annotations

import http.client
import random
import threading
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.integration.classification_data import create_request
from tests.integration.killed_server import KilledServer, killed_server
from tests.integration.local_aws_server import ROLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

WRITERS = 4
MOST_ACKNOWLEDGED = 40
SIZES = (0, 1, 700, 70_000, 1_500_000)
SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, "
    "SignedHeaders=host, Signature=any"
}
TRUST = '{"Version": "2012-10-17", "Statement": []}'

Content = bytes | None
"""The bytes of an object; None if there is none."""


class Writer:
    """One client with keys of its own: what it was answered, and what it waited for when the server died."""

    def __init__(self, name: str, seed: int) -> None:
        self.keys = [f"{name}/{number}" for number in range(6)]
        self.random = random.Random(seed)
        self.acknowledged: dict[str, Content] = {}
        self.open: dict[str, Content] = {}
        self.done: Counter[str] = Counter()

    def run(self, url: str, answered: threading.Semaphore) -> None:
        """Change objects until the server dies."""
        self.open = {}
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        try:
            while True:
                self._change(connection)
                answered.release()
        except (OSError, http.client.HTTPException):
            # Nobody waits for the killer twice, if the server should die by itself.
            answered.release(MOST_ACKNOWLEDGED)
        finally:
            connection.close()

    def _change(self, connection: http.client.HTTPConnection) -> None:
        key = self.random.choice(self.keys)
        kind = self.random.choice(("put", "put", "copy", "delete", "delete several", "multipart"))
        if kind == "put":
            self.open = {key: self._bytes()}
            _call(connection, "PUT", key, self.open[key])
        elif kind == "copy":
            source = self.random.choice([name for name in self.keys if name != key])
            if self.acknowledged.get(source) is None:
                return
            self.open = {key: self.acknowledged[source]}
            _call(connection, "PUT", key, b"", {"x-amz-copy-source": f"bucket/{source}"})
        elif kind == "delete":
            self.open = {key: None}
            _call(connection, "DELETE", key)
        elif kind == "delete several":
            self.open = dict.fromkeys(self.random.sample(self.keys, 3))
            listed = "".join(f"<Object><Key>{name}</Key></Object>" for name in self.open)
            _call(connection, "POST", "?delete", f"<Delete>{listed}</Delete>".encode())
        else:
            upload = _call(connection, "POST", f"{key}?uploads").decode()
            upload = upload.partition("<UploadId>")[2].partition("</UploadId>")[0]
            content = self._bytes()
            _call(connection, "PUT", f"{key}?partNumber=1&uploadId={upload}", content)
            etag = _call(connection, "GET", f"{key}?uploadId={upload}").decode()
            etag = etag.partition("<ETag>")[2].partition("</ETag>")[0]
            part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
            self.open = {key: content}
            body = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
            _call(connection, "POST", f"{key}?uploadId={upload}", body)
        self.done[kind] += 1
        self.acknowledged.update(self.open)
        self.open = {}

    def _bytes(self) -> bytes:
        return self.random.randbytes(self.random.choice(SIZES))

    def check(self, url: str) -> None:
        """Compare each object with what was answered; what had no answer may have happened or not."""
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        for key in self.keys:
            allowed = [
                self.acknowledged.get(key),
                *(content for name, content in self.open.items() if name == key),
            ]
            found = _get(connection, key)
            assert found in allowed, (
                key,
                found and len(found),
                [content and len(content) for content in allowed],
            )
            self.acknowledged[key] = found
        connection.close()


def _call(
    connection: http.client.HTTPConnection,
    method: str,
    key: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> bytes:
    connection.request(method, f"/bucket/{key}", body=body, headers={**SIGNED, **(headers or {})})
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status in (200, 204), (method, key, answer.status, content)
    return content


def _get(connection: http.client.HTTPConnection, key: str) -> Content:
    connection.request("GET", f"/bucket/{key}", headers=SIGNED)
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status in (200, 404), (key, answer.status, content)
    return content if answer.status == 200 else None


@pytest.mark.parametrize("kills", [15, pytest.param(200, marks=pytest.mark.slow)])
def test_each_acknowledged_change_of_an_object_survives_a_kill(tmp_path: Path, kills: int) -> None:
    moments = random.Random(kills)
    writers = [Writer(f"writer-{number}", number) for number in range(WRITERS)]
    with killed_server(tmp_path) as server:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
        connection.request("PUT", "/bucket", headers=SIGNED)
        assert connection.getresponse().status == 200
        server.restart()
        for _ in range(kills):
            answered = threading.Semaphore(0)
            threads = [threading.Thread(target=writer.run, args=(server.url, answered)) for writer in writers]
            for thread in threads:
                thread.start()
            for _ in range(moments.randint(1, MOST_ACKNOWLEDGED)):
                answered.acquire()
            server.kill()
            for thread in threads:
                thread.join()
            server.start()
            for writer in writers:
                writer.check(server.url)
    done = sum((writer.done for writer in writers), Counter[str]())
    assert set(done) == {"put", "copy", "delete", "delete several", "multipart"}, "each kind was acknowledged"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KilledServer]:
    with killed_server(tmp_path_factory.mktemp("data")) as killed:
        yield killed


@pytest.fixture
def bucket(server: KilledServer) -> str:
    name = f"bucket-{uuid.uuid4()}"
    server.client("s3").create_bucket(Bucket=name)
    return name


class TestS3:
    """Each kind of change, one kill after the other."""

    def test_versions_and_delete_markers(self, server: KilledServer, bucket: str) -> None:
        s3 = server.client("s3")
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        first = s3.put_object(Bucket=bucket, Key="key", Body=b"first")["VersionId"]
        second = s3.put_object(Bucket=bucket, Key="key", Body=b"second")["VersionId"]
        marker = s3.delete_object(Bucket=bucket, Key="key")["VersionId"]
        server.restart()
        s3 = server.client("s3")
        listed = s3.list_object_versions(Bucket=bucket)
        assert {version["VersionId"] for version in listed["Versions"]} == {first, second}
        assert [found["VersionId"] for found in listed["DeleteMarkers"]] == [marker]
        assert s3.get_object(Bucket=bucket, Key="key", VersionId=first)["Body"].read() == b"first"
        s3.delete_object(Bucket=bucket, Key="key", VersionId=marker)
        s3.delete_object(Bucket=bucket, Key="key", VersionId=first)
        server.restart()
        s3 = server.client("s3")
        assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"second"
        assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 1

    @pytest.mark.parametrize("key", ["plain", "a b/ü+=&%20.txt"])
    def test_tags_and_metadata(self, server: KilledServer, bucket: str, key: str) -> None:
        s3 = server.client("s3")
        s3.put_object(Bucket=bucket, Key=key, Body=b"x", Metadata={"day": "1"}, ContentType="text/csv")
        tags = [{"Key": "team", "Value": "a"}]
        s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": tags})
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
        server.restart()
        s3 = server.client("s3")
        assert s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == tags
        assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
        head = s3.head_object(Bucket=bucket, Key=key)
        assert (head["Metadata"], head["ContentType"]) == ({"day": "1"}, "text/csv")
        s3.delete_object_tagging(Bucket=bucket, Key=key)
        server.restart()
        assert server.client("s3").get_object_tagging(Bucket=bucket, Key=key)["TagSet"] == []

    def test_settings_of_a_bucket(self, server: KilledServer, bucket: str) -> None:
        s3 = server.client("s3")
        rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "runs/"}, "Expiration": {"Days": 3}}
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
        s3.put_bucket_policy(Bucket=bucket, Policy=TRUST)
        server.restart()
        s3 = server.client("s3")
        assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == [rule]
        assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == TRUST

    def test_a_removed_bucket(self, server: KilledServer, bucket: str) -> None:
        server.client("s3").delete_bucket(Bucket=bucket)
        server.restart()
        listed = server.client("s3").list_buckets()["Buckets"]
        assert bucket not in [found["Name"] for found in listed]

    def test_the_parts_of_an_upload_that_goes_on(self, server: KilledServer, bucket: str) -> None:
        s3 = server.client("s3")
        upload = s3.create_multipart_upload(Bucket=bucket, Key="key", Metadata={"day": "1"})["UploadId"]
        part = {"Bucket": bucket, "Key": "key", "UploadId": upload}
        bodies = [b"a" * (5 << 20), b"b" * (5 << 20), b"end"]
        parts = []
        for number, body in enumerate(bodies, 1):
            etag = server.client("s3").upload_part(**part, PartNumber=number, Body=body)["ETag"]
            parts.append({"PartNumber": number, "ETag": etag})
            server.restart()
        s3 = server.client("s3")
        assert [found["PartNumber"] for found in s3.list_parts(**part)["Parts"]] == [1, 2, 3]
        s3.complete_multipart_upload(**part, MultipartUpload={"Parts": parts})
        server.restart()
        s3 = server.client("s3")
        found = s3.get_object(Bucket=bucket, Key="key")
        assert (found["Body"].read(), found["Metadata"]) == (b"".join(bodies), {"day": "1"})
        assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)

    def test_an_upload_that_was_given_up(self, server: KilledServer, bucket: str) -> None:
        s3 = server.client("s3")
        upload = s3.create_multipart_upload(Bucket=bucket, Key="key")["UploadId"]
        s3.upload_part(Bucket=bucket, Key="key", UploadId=upload, PartNumber=1, Body=b"x")
        s3.abort_multipart_upload(Bucket=bucket, Key="key", UploadId=upload)
        server.restart()
        assert "Uploads" not in server.client("s3").list_multipart_uploads(Bucket=bucket)

    def test_a_browsers_form(self, server: KilledServer, bucket: str) -> None:
        s3 = server.client("s3")
        form = s3.generate_presigned_post(bucket, "from a form")
        boundary = "limit"
        fields = [*form["fields"].items(), ("file", "content")]
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'
            for name, value in fields
        ]
        body = "\r\n".join([*parts, f"--{boundary}--", ""]).encode()
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
        connection.request(
            "POST", f"/{bucket}", body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        )
        assert connection.getresponse().status in (200, 204)
        server.restart()
        found = server.client("s3").get_object(Bucket=bucket, Key="from a form")
        assert found["Body"].read() == b"content"


def test_the_bytes_of_what_is_gone_do_not_stay(tmp_path: Path) -> None:
    with killed_server(tmp_path) as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bucket")
        for body in (b"old", b"new"):
            s3.put_object(Bucket="bucket", Key="key", Body=body)
        s3.put_object(Bucket="bucket", Key="gone", Body=b"gone")
        s3.delete_object(Bucket="bucket", Key="gone")
        (tmp_path / "objects" / "left behind").write_bytes(b"by a killed server")
        server.restart()
        assert [path.read_bytes() for path in (tmp_path / "objects").iterdir()] == [b"new"]


def test_users_roles_and_sessions(server: KilledServer) -> None:
    iam = server.client("iam")
    policy = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
    )
    steps: list[tuple[str, dict[str, Any]]] = [
        ("create_role", {"RoleName": "role", "AssumeRolePolicyDocument": TRUST}),
        ("put_role_policy", {"RoleName": "role", "PolicyName": "inline", "PolicyDocument": policy}),
        ("create_user", {"UserName": "user"}),
        ("create_group", {"GroupName": "group"}),
        ("add_user_to_group", {"UserName": "user", "GroupName": "group"}),
        ("create_access_key", {"UserName": "user"}),
    ]
    answers = {}
    for operation, request in steps:
        answers[operation] = getattr(server.client("iam"), operation)(**request)
        server.restart()
    iam = server.client("iam")
    assert iam.get_role(RoleName="role")["Role"]["RoleId"] == answers["create_role"]["Role"]["RoleId"]
    assert iam.list_role_policies(RoleName="role")["PolicyNames"] == ["inline"]
    assert [group["GroupName"] for group in iam.list_groups_for_user(UserName="user")["Groups"]] == ["group"]
    key = answers["create_access_key"]["AccessKey"]["AccessKeyId"]
    assert [found["AccessKeyId"] for found in iam.list_access_keys(UserName="user")["AccessKeyMetadata"]] == [
        key
    ]
    arn = answers["create_role"]["Role"]["Arn"]
    session = server.client("sts").assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
    server.restart()
    answer = server.client("sts").get_access_key_info(AccessKeyId=session["AccessKeyId"])
    assert answer["Account"] == "123456789012"
    iam = server.client("iam")
    iam.delete_role_policy(RoleName="role", PolicyName="inline")
    iam.delete_role(RoleName="role")
    server.restart()
    with pytest.raises(server.client("iam").exceptions.NoSuchEntityException):
        server.client("iam").get_role(RoleName="role")


def test_what_comprehend_acknowledged(server: KilledServer, bucket: str) -> None:
    def described() -> dict[str, Any]:
        answer = server.client("comprehend").describe_document_classifier(DocumentClassifierArn=arn)
        properties: dict[str, Any] = answer["DocumentClassifierProperties"]
        return properties

    request = create_request("kept", f"s3://{bucket}/training.csv")
    comprehend = server.client("comprehend")
    arn = comprehend.create_document_classifier(**request, Tags=[{"Key": "a", "Value": "1"}])[
        "DocumentClassifierArn"
    ]
    server.restart()
    assert described()["DataAccessRoleArn"] == ROLE
    server.client("comprehend").tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    server.restart()
    server.client("comprehend").untag_resource(ResourceArn=arn, TagKeys=["a"])
    server.restart()
    tags = server.client("comprehend").list_tags_for_resource(ResourceArn=arn)["Tags"]
    assert tags == [{"Key": "b", "Value": "2"}]
    server.client("comprehend").stop_training_document_classifier(DocumentClassifierArn=arn)
    server.restart()
    assert described()["Status"] in ("STOP_REQUESTED", "STOPPED")
