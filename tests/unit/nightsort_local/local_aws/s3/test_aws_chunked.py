"""Chunked uploads give their data and their trailing checksum."""

from __future__ import annotations

import hashlib
import hmac
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort_local.local_aws.s3.aws_chunked import (
    ChunkedBody,
    ChunkSignatureError,
    ChunkSignatures,
    is_chunked,
)


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


# The examples of the Amazon S3 API Reference: 65 kB of "a" in two chunks; the second has a trailing header.
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105
SCOPE = "20130524/us-east-1/s3/aws4_request"
PLAIN = (
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
TRAILED = (
    "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
)
TRAILER = (
    "x-amz-checksum-crc32c:sOO8/Q==\r\n"
    "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n"
)


def signed(signatures: tuple[str, ...], trailer: str = "", data: bytes = b"a" * 66_560) -> ChunkedBody:
    """Return a body as in the examples; `signatures` begins with the request's own."""
    pieces = [data[:65_536], data[65_536:], b""]
    text = b"".join(
        b"%x;chunk-signature=%s\r\n%s%s" % (len(piece), signature.encode(), piece, b"\r\n" if piece else b"")
        for piece, signature in zip(pieces, signatures[1:], strict=True)
    )
    key = f"AWS4{SECRET}".encode()
    for part in SCOPE.split("/"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    checks = ChunkSignatures(key, "20130524T000000Z", SCOPE, signatures[0])
    return ChunkedBody(io.BytesIO(text + trailer.encode() + b"\r\n"), checks)


class TestSignatures:
    def test_the_published_examples(self) -> None:
        assert io.BufferedReader(signed(PLAIN)).read() == b"a" * 66_560
        body = signed(TRAILED, TRAILER)
        assert io.BufferedReader(body).read() == b"a" * 66_560
        assert body.trailers == {"x-amz-checksum-crc32c": "sOO8/Q=="}

    @pytest.mark.parametrize("place", [0, 1, 65_535, 65_536, 66_559])
    def test_each_changed_byte_is_noticed(self, place: int) -> None:
        data = bytearray(b"a" * 66_560)
        data[place] = ord("b")
        with pytest.raises(ChunkSignatureError):
            io.BufferedReader(signed(PLAIN, data=bytes(data))).read()

    @pytest.mark.parametrize("place", [1, 2, 3])
    def test_each_signature_counts_and_must_be_there(self, place: int) -> None:
        for wrong in ("0" * 64, ""):
            changed = (*PLAIN[:place], wrong, *PLAIN[place + 1 :])
            with pytest.raises(ChunkSignatureError):
                io.BufferedReader(signed(changed)).read()

    @pytest.mark.parametrize("trailer", [TRAILER.replace("sOO8", "AOO8"), TRAILER.split("\r\n")[0] + "\r\n"])
    def test_the_trailing_headers_are_signed_too(self, trailer: str) -> None:
        with pytest.raises(ChunkSignatureError):
            io.BufferedReader(signed(TRAILED, trailer)).read()


def test_chunked_bodies_are_known_by_their_header() -> None:
    assert is_chunked("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    assert not is_chunked("UNSIGNED-PAYLOAD")
