"""What a page in the developer's browser, or a neighbour on the machine, gets from the local AWS: nothing.

The headers are those that browsers send.
"""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import httpx
import pytest

from nightsort_local.local_aws.services import MOTO_SERVICES
from tests.integration.local_aws_server import PATIENCE_SECONDS, LocalAwsServer, answer_of, local_aws

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

EVIL = "http://evil.test"
CROSS_SITE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty"}
FORM = {**CROSS_SITE, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Origin": EVIL}
PAGE = b"<script>fetch('/', {headers: {Authorization: 'AWS4-HMAC-SHA256 ...'}})</script>"


@pytest.fixture(scope="module")
def http(aws: LocalAwsServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=aws.url, trust_env=False, timeout=PATIENCE_SECONDS) as client:
        yield client


@pytest.fixture(scope="module")
def s3(aws: LocalAwsServer) -> Any:
    client = aws.client("s3")
    client.create_bucket(Bucket="documents")
    return client


def keys(s3: Any, bucket: str) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def signed(service: str) -> dict[str, str]:
    scope = f"test/20261129/us-east-1/{service}/aws4_request"
    return {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "Content-Type": "application/json",
    }


# --- services -----------------------------------------------------------------------------------------------


def test_no_service_that_can_start_a_container_is_there(http: httpx.Client) -> None:
    for page in ("createcomputeenvironment", "createjobqueue", "registerjobdefinition", "submitjob"):
        answer = http.post(f"/v1/{page}", headers=signed("batch"), json={})
        assert answer.status_code == 404
        assert answer.json()["Message"].startswith(
            "The local AWS answers application-autoscaling, comprehend, "
        )


def test_every_other_service_of_aws_is_404(http: httpx.Client) -> None:
    session = boto3.session.Session()
    names = {
        session.client(name, region_name="us-east-1").meta.service_model.signing_name
        for name in ("batch", "sns", "lambda", "dynamodb", "sagemaker", "bedrock", "ec2", "codebuild", "kms")
    }
    # Some are known by other names in signatures.
    names |= {*session.get_available_services(), "execute-api", "iotdata", "S3Vectors", "", "*", "moto_api"}
    for name in sorted(names - {*MOTO_SERVICES, "service-quotas"}):
        answer = http.post("/", headers=signed(name), content=b"{}")
        assert answer.status_code == 404 or name in ("", "*"), name


@pytest.mark.parametrize("target", ["DynamoDB_20120810.ListTables", "AWSCognitoIdentityService.GetId", "x"])
def test_an_unsigned_call_of_another_service_is_404(http: httpx.Client, target: str) -> None:
    assert http.post("/", headers={"X-Amz-Target": target}, content=b"{}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/moto-api"), ("GET", "/moto-api/"), ("GET", "/moto-api/data.json"),
        ("POST", "/moto-api/reset"), ("POST", "/moto-api/seed"),
        ("POST", "/moto-api/static/athena/query-results"),
        ("GET", "/moto-api/recorder/download-recording"), ("POST", "/moto-api/proxy/passthrough"),
        ("GET", "/moto-api/config"), ("POST", "/moto-api/config"), ("GET", "/favicon.ico"),
        ("GET", "/latest/meta-data/iam/security-credentials/default-role"), ("PUT", "/latest/api/token"),
        ("POST", "/batch_us-east-1/v1/submitjob"), ("GET", "/us-east-1_a/.well-known/jwks.json"),
    ],
)  # fmt: skip
def test_pages_of_moto_itself_are_404(http: httpx.Client, s3: Any, method: str, path: str) -> None:
    answer = http.request(method, path)
    assert answer.status_code == 404
    assert "moto" not in answer.text.replace(path, "").replace("<BucketName>moto-api", "").lower()
    s3.head_bucket(Bucket="documents")


@pytest.mark.parametrize("service", ["", "sts", "iam", "servicequotas", "monitoring"])
def test_an_operation_that_is_not_there_is_404(http: httpx.Client, service: str) -> None:
    headers = signed(service) if service else {}
    headers |= {"Content-Type": "application/x-www-form-urlencoded"}
    body = "Action=SubmitJob&Version=2011-06-15"
    assert http.post("/", headers=headers, content=body).status_code == 404


@pytest.mark.parametrize("bucket", ["nightsort", "moto-api", "latest", "service"])
def test_no_page_hides_a_bucket(http: httpx.Client, s3: Any, bucket: str) -> None:
    s3.create_bucket(Bucket=bucket)
    for key in ("faults", "health", "reset", "meta-data/iam", "data.json"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"mine", ACL="public-read")
        assert http.get(f"/{bucket}/{key}").text == "mine", "not signed"
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"mine"
    for key in keys(s3, bucket):
        s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_bucket(Bucket=bucket)


# --- requests of pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [FORM, {**FORM, "Origin": "null"}, {"Origin": EVIL}, CROSS_SITE])
def test_the_form_of_a_page_stores_nothing(http: httpx.Client, s3: Any, headers: dict[str, str]) -> None:
    files = {"file": ("page.html", PAGE, "text/html")}
    data = {"key": "page.html", "Content-Type": "text/html"}
    assert http.post("/documents", headers=headers, data=data, files=files).status_code == 403
    assert keys(s3, "documents") == []


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/service/Comprehend_20171127/operation/ListDocumentClassifiers", "text/plain"),
        ("/", "application/x-www-form-urlencoded"),
        ("/_nightsort/faults", "text/plain"),
        ("/_nightsort/faults", "application/json"),
        ("/documents/key", "text/plain"),
    ],
)
def test_nothing_that_a_page_sends_is_done(http: httpx.Client, path: str, content_type: str) -> None:
    fault = json.dumps({"kind": "latency", "operation": "*", "seconds": 9})
    headers = {**CROSS_SITE, "Origin": EVIL, "Content-Type": content_type}
    assert http.post(path, headers=headers, content=fault).status_code == 403
    assert http.get("/_nightsort/faults").json() == {"faults": []}


@pytest.mark.parametrize(
    "path", ["/", "/documents", "/documents/any?X-Amz-Signature=0", "/_nightsort/health"]
)
def test_a_page_cannot_ask_and_cannot_rebind_its_name(http: httpx.Client, path: str) -> None:
    preflight = {**CROSS_SITE, "Origin": EVIL, "Access-Control-Request-Method": "PUT"}
    for answer in (
        http.options(path, headers=preflight),
        http.get(path, headers=CROSS_SITE),
        http.get(path, headers={**CROSS_SITE, "Sec-Fetch-Site": "same-site"}),
        http.get(path, headers={"Host": "evil.test:4566", "Sec-Fetch-Site": "same-origin"}),
    ):
        assert answer.status_code == 403
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_stored_page_runs_nothing_and_is_read_by_no_other(http: httpx.Client, s3: Any) -> None:
    rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "AllowedHeaders": ["*"]}
    s3.put_bucket_cors(Bucket="documents", CORSConfiguration={"CORSRules": [rule]})
    s3.put_object(Bucket="documents", Key="a.html", Body=PAGE, ContentType="text/html", ACL="public-read")
    answer = http.get("/documents/a.html", headers={"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"})
    assert answer.content == PAGE
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not [name for name in answer.headers if name.startswith("access-control")]
    s3.delete_object(Bucket="documents", Key="a.html")


def test_a_server_in_a_network_answers_to_its_configured_name() -> None:
    with local_aws(environment={"NIGHTSORT_LOCAL_AWS_HOSTS": "local-aws"}) as server:
        url = f"{server.url}/_nightsort/health"
        answers = [
            answer_of("GET", url, headers={"Host": host}).status_code
            for host in ("local-aws:4566", "evil.test")
        ]
    assert answers == [200, 403]


# --- requests that are not as they should be ----------------------------------------------------------------


@pytest.mark.parametrize("length", ["-1", "abc", "1.5", "+5", "0x10", "1_0", "5, 5", "9" * 5000, "\xb2"])
@pytest.mark.parametrize("path", ["/_nightsort/faults", "/documents/key", "/"])
def test_a_broken_length_is_a_bad_request(aws: LocalAwsServer, length: str, path: str) -> None:
    address = urlsplit(aws.url)
    head = f"PUT {path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {length}\r\n\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(head.encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Content-Length must be one whole number of bytes." in answer


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/plain", b"{}", 415),
        ("application/x-www-form-urlencoded", b"{}", 415),
        ("text/plain; application/json", b"{}", 415),
        ("application/jsonp", b"{}", 415),
        ("", b"{}", 415),
        ("application/json", b"[" * 100_000, 400),
        ("application/json", b" " * ((1 << 20) + 1), 413),
        ("application/json", b"", 400),
        ("application/json", b"{", 400),
        ("Application/JSON; charset=utf-8", b"{}", 200),
    ],
)
def test_a_control_page_takes_json_of_a_bounded_size(
    http: httpx.Client, content_type: str, body: bytes, status: int
) -> None:
    answer = http.put("/_nightsort/behaviour", headers={"Content-Type": content_type}, content=body)
    assert answer.status_code == status
    assert answer.json()
