"""Requests are told apart and read; what cannot be read is a SerializationException, never a crash."""

from __future__ import annotations

from typing import Any

import pytest

from include.local_stack.local_aws.comprehend.cbor import decode, encode
from include.local_stack.local_aws.comprehend.errors import ApiError
from include.local_stack.local_aws.comprehend.wire_protocols import CBOR, JSON, WireProtocol, addressed


@pytest.mark.parametrize(
    ("target", "path", "expected"),
    [
        ("Comprehend_20171127.TagResource", "/", (JSON, "TagResource")),
        ("", "/service/Comprehend_20171127/operation/TagResource", (CBOR, "TagResource")),
        ("Comprehend_20171127.", "/", None),
        ("AmazonSSM.PutParameter", "/", None),
        ("", "/service/Comprehend_20171127/operation/TagResource/deeper", None),
        ("", "/bucket/key", None),
    ],
)
def test_who_is_addressed_and_how(target: str, path: str, expected: Any) -> None:
    environ: Any = {"PATH_INFO": path, **({"HTTP_X_AMZ_TARGET": target} if target else {})}
    assert addressed(environ) == expected


@pytest.mark.parametrize(
    ("protocol", "body"),
    [
        (JSON, b""), (JSON, b"null"), (JSON, b"{"), (JSON, b"\xff"), (JSON, b"[" * 100_000),
        (JSON, b'{"a": NaN}'), (JSON, b"\xef\xbb\xbf{}"), (JSON, '{"a": 1}'.encode("utf-16")),
        (CBOR, b"{"), (CBOR, b"\x81" * 100_000),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(protocol: WireProtocol, body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        protocol.read(body)
    assert (caught.value.code, caught.value.status) == ("SerializationException", 400)
    assert "Message" not in caught.value.body(), "AWS has no words for it either"


def test_in_cbor_no_body_is_an_empty_request() -> None:
    assert CBOR.read(b"") == {}


def test_timestamps_of_an_answer_have_their_tag_in_cbor() -> None:
    answer = {"DocumentClassifierProperties": {"SubmitTime": 1.5, "Message": "1.5"}}
    written = CBOR.write("DescribeDocumentClassifier", answer)
    assert bytes.fromhex("c1fb3ff8000000000000") in written
    assert decode(written) == answer


@pytest.mark.parametrize(
    ("code", "member"),
    [
        ("ResourceInUseException", "Message"),
        ("ValidationException", "message"),
        ("ThrottlingException", "message"),
    ],
)
def test_the_service_writes_message_large_and_the_framework_small(code: str, member: str) -> None:
    assert JSON.read(JSON.write_error(ApiError(code, "no"))) == {"__type": code, member: "no"}


def test_errors_carry_their_code_and_members() -> None:
    error = ApiError("InvalidRequestException", "no", Reason="INVALID_DOCUMENT")
    assert decode(CBOR.write_error(error)) == {
        "__type": "com.amazonaws.comprehend#InvalidRequestException",
        "Message": "no",
        "Reason": "INVALID_DOCUMENT",
    }
    assert JSON.read(JSON.write_error(error))["__type"] == "InvalidRequestException"
    assert CBOR.read(encode({"a": b"\x01"})) == {"a": b"\x01"}
