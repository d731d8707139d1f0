"""Requests are told apart and read; what cannot be read is a SerializationException, never a crash."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from cbor2 import dumps
from hypothesis import given
from hypothesis import strategies as st

from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.comprehend.wire_protocols import CBOR, JSON, WireProtocol, comprehend_call

LIST_IN_ITSELF = bytes.fromhex("d81c81d81d00")
"""Tag 28 marks the list to be shared, and tag 29 refers to it (CBOR tags of http://cbor.schmorp.de)."""

MAP_IN_ITSELF = bytes.fromhex("d81ca16161d81d00")


def doubled_lists(depth: int) -> bytes:
    """A few hundred bytes that stand for 2**depth empty lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value, value]
    return dumps(value, value_sharing=True)


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
    assert comprehend_call(environ) == expected


@pytest.mark.parametrize(
    ("protocol", "body"),
    [
        (JSON, b""), (JSON, b"null"), (JSON, b"{"), (JSON, b"\xff"), (JSON, b"[" * 100_000),
        (JSON, b'{"a": NaN}'), (JSON, b"\xef\xbb\xbf{}"), (JSON, '{"a": 1}'.encode("utf-16")),
        (CBOR, b"{"), (CBOR, b"\x81" * 100_000), (CBOR, b"\xff"), (CBOR, b"\x9f\x01"),
        (CBOR, b"\xa1\x01\x01"), (CBOR, dumps({"a": {1, 2}})), (CBOR, b"\xf8\xff"), (CBOR, b"\xa0\xa0"),
        (CBOR, LIST_IN_ITSELF), (CBOR, MAP_IN_ITSELF), (CBOR, doubled_lists(40)),
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
    assert CBOR.read(written) == answer


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
    assert CBOR.read(CBOR.write_error(error)) == {
        "__type": "com.amazonaws.comprehend#InvalidRequestException",
        "Message": "no",
        "Reason": "INVALID_DOCUMENT",
    }
    assert JSON.read(JSON.write_error(error))["__type"] == "InvalidRequestException"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
        ("a161617f657374726561646d696e67ff", {"a": "streaming"}),
        ("a161615f42010243030405ff", {"a": b"\x01\x02\x03\x04\x05"}),
        ("a16161f93c00", {"a": 1.0}),
        ("a16161f7", {"a": None}),
        ("a16161c11a514b67b0", {"a": 1363896240}),
    ],
)  # fmt: skip
def test_the_forms_of_cbor_that_others_write(data: str, value: Any) -> None:
    """Indefinite lengths, short floats, undefined, whole timestamps: examples of RFC 8949, appendix A."""
    assert CBOR.read(bytes.fromhex(data)) == value


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_be_read_or_refused(data: bytes) -> None:
    for protocol in (CBOR, JSON):
        with suppress(ApiError):
            protocol.read(data)
