"""Signatures are computed as in AWS's own examples, and as botocore computes them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from nightsort_local.local_aws.permissions.signature_v4 import (
    UNSIGNED_PAYLOAD,
    MalformedSignatureError,
    read_signature,
    unsigned_amazon_headers,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105
EMPTY = hashlib.sha256().hexdigest()
CREDENTIAL = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"


def environ(method: str, url: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return a request as the server gets it."""
    path, _, query = url.partition("?")
    names = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in headers}
    names |= {name: "CONTENT_TYPE" for name in headers if name.lower() == "content-type"}
    return {
        "REQUEST_METHOD": method,
        "RAW_URI": url,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        **{names[name]: value.encode().decode("latin-1") for name, value in headers.items()},
    }


def authorization(signed: str, signature: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential={CREDENTIAL},SignedHeaders={signed},Signature={signature}"


# Amazon S3 API Reference, "Examples: Signature Calculations" and "Using Query Parameters".
EXAMPLES = {
    "GetObject": environ("GET", "/test.txt", {
        "Host": "examplebucket.s3.amazonaws.com", "Range": "bytes=0-9",
        "x-amz-content-sha256": EMPTY, "x-amz-date": "20130524T000000Z",
        "Authorization": authorization(
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
    }),
    "PutObject": environ("PUT", "/test%24file.text", {
        "Host": "examplebucket.s3.amazonaws.com", "Date": "Fri, 24 May 2013 00:00:00 GMT",
        "x-amz-date": "20130524T000000Z", "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        "Authorization": authorization(
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
    }),
    "GetBucketLifecycle": environ("GET", "/?lifecycle", {
        "Host": "examplebucket.s3.amazonaws.com", "x-amz-date": "20130524T000000Z",
        "x-amz-content-sha256": EMPTY,
        "Authorization": authorization(
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
    }),
    "ListObjects": environ("GET", "/?max-keys=2&prefix=J", {
        "Host": "examplebucket.s3.amazonaws.com", "x-amz-date": "20130524T000000Z",
        "x-amz-content-sha256": EMPTY,
        "Authorization": authorization(
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    }),
    "presigned": environ(
        "GET",
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
        {"Host": "examplebucket.s3.amazonaws.com"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_published_examples(name: str) -> None:
    request = EXAMPLES[name]
    signature = read_signature(request)
    assert signature is not None
    assert signature.payload is not None
    assert signature.expected(SECRET, request, signature.payload) == signature.value
    assert signature.expected("another", request, signature.payload) != signature.value
    assert unsigned_amazon_headers(request, signature) == []


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=12)


@given(key=TEXTS, prefix=TEXTS, metadata=st.text(st.characters(min_codepoint=32, max_codepoint=126)))
@pytest.mark.parametrize("kind", ["header", "url", "other service"])
def test_whatever_botocore_signs(kind: str, key: str, prefix: str, metadata: str) -> None:
    credentials = Credentials("KEY", SECRET, "token")
    body = b"" if kind == "url" else b"body"
    path = "/" if kind == "other service" else f"/bucket/{quote(key, safe='/~')}"
    url = f"http://localhost:4566{path}"
    request = AWSRequest(
        "PUT", url, data=body, params={} if kind == "url" else {"prefix": prefix},
        headers={"x-amz-meta-note": metadata, "Content-Type": "text/csv"},
    )  # fmt: skip
    signer: Any = {
        "header": S3SigV4Auth(credentials, "s3", "eu-west-1"),
        "url": S3SigV4QueryAuth(credentials, "s3", "eu-west-1"),
        "other service": SigV4Auth(credentials, "comprehend", "eu-west-1"),
    }[kind]
    signer.add_auth(request)
    sent = request.prepare()
    parts = urlsplit(sent.url)
    headers = {name: _text(value) for name, value in sent.headers.items()}
    seen = environ(
        "PUT", parts.path + (f"?{parts.query}" if parts.query else ""), {"Host": parts.netloc, **headers}
    )
    signature = read_signature(seen)
    assert signature is not None
    assert (signature.access_key_id, signature.token) == ("KEY", "token")
    payload = hashlib.sha256(body).hexdigest() if kind == "other service" else signature.payload
    assert payload is not None
    assert signature.expected(SECRET, seen, payload) == signature.value
    if kind == "url":
        assert payload == UNSIGNED_PAYLOAD


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def test_a_header_that_nobody_signed_is_named() -> None:
    request = {**EXAMPLES["presigned"], "HTTP_X_AMZ_COPY_SOURCE": "other/secret"}
    signature = read_signature(request)
    assert signature is not None
    assert unsigned_amazon_headers(request, signature) == ["x-amz-copy-source"]


@pytest.mark.parametrize(
    "value",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=KEY, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=KEY/20130524/us-east-1/s3/aws5_request, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=KEY/20130523/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0",
        f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}, Signature=0",
    ],
)
def test_what_is_no_signature_is_refused(value: str) -> None:
    headers = {"Host": "localhost", "x-amz-date": "20130524T000000Z", "Authorization": value}
    with pytest.raises(MalformedSignatureError):
        read_signature(environ("GET", "/", headers))


def test_other_requests_have_none() -> None:
    assert read_signature(environ("GET", "/bucket/key", {"Host": "localhost"})) is None
    assert read_signature(environ("GET", "/?AWSAccessKeyId=K&Signature=s&Expires=1", {"Host": "x"})) is None
