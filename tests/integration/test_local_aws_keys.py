"""A local AWS that checks signatures: no key, no access; and what clients sign is right."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from botocore import UNSIGNED
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from nightsort_local.local_aws.control.client import ControlError, LocalAwsControl
from nightsort_local.local_aws.launcher import launch
from tests.integration.classification_data import create_request, csv_bytes, labelled_rows
from tests.integration.keyed_aws import ENVIRONMENT, KEY, client, code, keyed_aws
from tests.integration.local_aws_server import REGION, LocalAwsServer, answer_of, wait_for_classifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.integration

MEBIBYTE = 1 << 20

SERVICES = {
    "s3": "list_buckets",
    "comprehend": "list_document_classifiers",
    "iam": "list_roles",
    "sts": "get_caller_identity",
    "service-quotas": "list_services",
    "cloudwatch": "list_metrics",
    "application-autoscaling": "describe_scalable_targets",
}


def asked(caller: Any, service: str) -> Callable[[], Any]:
    """A call of a service that anybody with a right key may make."""
    needed = {"ServiceNamespace": "comprehend"} if service == "application-autoscaling" else {}
    return partial(getattr(caller, SERVICES[service]), **needed)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAwsServer]:
    with keyed_aws(tmp_path_factory.mktemp("aws")) as server:
        yield server


class TestRefused:
    @pytest.mark.parametrize(
        ("service", "expected"),
        [
            ("s3", ("InvalidAccessKeyId", 403)),
            ("comprehend", ("UnrecognizedClientException", 400)),
            ("iam", ("InvalidClientTokenId", 403)),
            ("sts", ("InvalidClientTokenId", 403)),
            ("service-quotas", ("UnrecognizedClientException", 400)),
            ("cloudwatch", ("InvalidClientTokenId", 403)),
            ("application-autoscaling", ("UnrecognizedClientException", 400)),
        ],
    )
    def test_an_unknown_key(self, aws: LocalAwsServer, service: str, expected: tuple[str, int]) -> None:
        stranger = client(aws, service, ("test", KEY[1]))
        assert code(asked(stranger, service)) == expected

    @pytest.mark.parametrize(
        ("service", "expected"),
        [
            ("s3", ("SignatureDoesNotMatch", 403)),
            ("comprehend", ("InvalidSignatureException", 400)),
            ("iam", ("SignatureDoesNotMatch", 403)),
            ("sts", ("SignatureDoesNotMatch", 403)),
            ("service-quotas", ("InvalidSignatureException", 400)),
            ("cloudwatch", ("SignatureDoesNotMatch", 403)),
            ("application-autoscaling", ("InvalidSignatureException", 400)),
        ],
    )
    def test_a_wrong_secret(self, aws: LocalAwsServer, service: str, expected: tuple[str, int]) -> None:
        stranger = client(aws, service, (KEY[0], "guessed"))
        assert code(asked(stranger, service)) == expected

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
        assert code(asked(stranger, service)) == expected

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
        answer = answer_of("POST", form["url"], data=form["fields"], files={"file": b"x"})
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
            call = asked(client(aws, service), service)
            if expected is None:
                call()
            else:
                assert code(call)[0] == expected

    def test_another_body_than_the_signed_one(self, aws: LocalAwsServer) -> None:
        for body in (b"small", b"x" * MEBIBYTE):
            request = signed(aws, "PUT", "/bucket/other", body)
            changed = bytes([body[0] ^ 1]) + body[1:]
            answer = answer_of("PUT", str(request.url), content=changed, headers=dict(request.headers))
            assert (answer.status_code, "XAmzContentSHA256Mismatch" in answer.text) == (400, True)
            assert code(lambda: client(aws, "s3").get_object(Bucket="bucket", Key="other"))[0] == "NoSuchKey"

    def test_a_header_that_was_not_signed(self, aws: LocalAwsServer) -> None:
        url = client(aws, "s3", signature_version="s3v4").generate_presigned_url(
            "put_object", Params={"Bucket": "bucket", "Key": "copied"}
        )
        answer = answer_of("PUT", url, headers={"x-amz-copy-source": "bucket/plain"})
        assert (answer.status_code, "not signed" in answer.text) == (403, True)

    def test_a_signature_for_another_service(self, aws: LocalAwsServer) -> None:
        request = signed(aws, "POST", "/", b"{}")
        target = {"X-Amz-Target": "Comprehend_20171127.ListDocumentClassifiers"}
        answer = answer_of(
            "POST", str(request.url), content=b"{}", headers={**dict(request.headers), **target}
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
        assert answer_of("GET", f"{aws.url}/_nightsort/health").status_code == 200

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
            assert answer_of("GET", url).content == b"x"
        assert code(client(aws, "s3", key, "another").list_buckets) == ("InvalidToken", 400)
        assert code(client(aws, "s3", key).list_buckets)[0] == "InvalidToken"
        assert code(client(aws, "comprehend", key, "another").list_document_classifiers)[0] == (
            "UnrecognizedClientException"
        )


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
        for url, headers in _naming_the_root(aws, (made["AccessKeyId"], made["SecretAccessKey"])):
            answer = answer_of("GET", url, headers=headers)
            assert (answer.status_code, "user/user is not authorized" in answer.text) == (403, True)


def _naming_the_root(aws: LocalAwsServer, key: tuple[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield requests that a user signed, and that name the key of the root user besides."""
    scope = f"{KEY[0]}/20261130/{REGION}/s3/aws4_request"
    request = AWSRequest("GET", f"{aws.url}/bucket/object")
    S3SigV4Auth(Credentials(*key), "s3", REGION).add_auth(request)
    headers = dict(request.headers.items())
    algorithm, fields = headers["Authorization"].split(" ", 1)
    yield (
        f"{aws.url}/bucket/object",
        {**headers, "Authorization": f"{algorithm} Credential={scope}, {fields}"},
    )
    for version in ("s3v4", "s3"):
        s3 = client(aws, "s3", key, signature_version=version)
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "object"})
        yield url, {"Authorization": f"Bearer Credential={scope}"}
