"""Chunked uploads give their data and their trailing checksum."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort_local.local_aws.s3.aws_chunked import ChunkedBody, is_chunked


def encoded(chunks: list[bytes], signature: str = "", trailer: str = "") -> io.BytesIO:
    parts = [b"%x%s\r\n%s\r\n" % (len(chunk), signature.encode(), chunk) for chunk in chunks if chunk]
    return io.BytesIO(b"".join(parts) + b"0%s\r\n" % signature.encode() + trailer.encode() + b"\r\n")


@given(st.lists(st.binary(max_size=40)), st.sampled_from(["", ";chunk-signature=ab12"]))
def test_the_data_is_the_chunks_one_after_another(chunks: list[bytes], signature: str) -> None:
    assert io.BufferedReader(ChunkedBody(encoded(chunks, signature))).read() == b"".join(chunks)


def test_the_trailers_are_read() -> None:
    body = ChunkedBody(encoded([b"data"], trailer="x-amz-checksum-crc32:AAAAAA==\r\n"))
    assert body.read() == b"data"
    assert body.trailers == {"x-amz-checksum-crc32": "AAAAAA=="}


def test_a_body_that_ends_too_early_is_no_body() -> None:
    with pytest.raises(ConnectionResetError):
        ChunkedBody(io.BytesIO(b"a\r\nabc")).read()


def test_chunked_bodies_are_known_by_their_header() -> None:
    assert is_chunked("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    assert not is_chunked("UNSIGNED-PAYLOAD")
