"""CBOR is written and read as botocore, which is another's implementation, reads and writes it."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

import pytest
from botocore.parsers import RpcV2CBORParser
from hypothesis import given
from hypothesis import strategies as st

from include.local_stack.local_aws.comprehend.cbor import CborError, Timestamp, decode, encode

SCALARS = (
    st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary()
)


def nested(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30
    )


@given(nested(SCALARS | st.none()))
def test_what_is_written_is_read_as_it_was(value: Any) -> None:
    assert decode(encode(value)) == value


@given(nested(SCALARS))
def test_botocore_reads_what_is_written(value: Any) -> None:
    """Without nulls: it leaves members out that are null."""
    stream = io.BufferedReader(io.BytesIO(encode(value)))
    assert RpcV2CBORParser().parse_data_item(stream) == value


def test_a_timestamp_has_its_tag() -> None:
    assert encode(Timestamp(1.5)) == bytes.fromhex("c1fb3ff8000000000000")
    assert decode(encode(Timestamp(1.5))) == 1.5


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
        ("7f657374726561646d696e67ff", "streaming"),
        ("5f42010243030405ff", b"\x01\x02\x03\x04\x05"),
        ("f93c00", 1.0),
        ("fa47c35000", 100000.0),
        ("f7", None),
        ("c11a514b67b0", 1363896240),
    ],
)  # fmt: skip
def test_the_forms_of_the_standard_that_others_write(data: str, value: Any) -> None:
    """Indefinite lengths, short floats, undefined, whole timestamps: examples of RFC 8949, appendix A."""
    assert decode(bytes.fromhex(data)) == value


@pytest.mark.parametrize(
    "data",
    [
        "", "ff", "61", "0000", "9f01", "a16161", "a10101", "bf6161ff", "61ff", "1c", "1f", "f8ff",
        "7f4101ff", "81ff",
    ],
)  # fmt: skip
def test_what_is_not_one_value_is_refused(data: str) -> None:
    with pytest.raises(CborError):
        decode(bytes.fromhex(data))


def test_what_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(CborError, match="too deep"):
        decode(b"\x81" * 5_000 + b"\x00")


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_else(data: bytes) -> None:
    with suppress(CborError):
        decode(data)
