"""Bodies in ``aws-chunked`` encoding, which SDKs use to send a checksum after the data."""

from __future__ import annotations

import hashlib
import hmac
import io
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_LINE = 4_096
_EMPTY = hashlib.sha256().hexdigest()


def is_chunked(content_sha256: str) -> bool:
    """Return whether a body is chunked, by its ``x-amz-content-sha256`` header."""
    return content_sha256.startswith("STREAMING-")


class ChunkSignatureError(Exception):
    """A chunk, or the trailing headers, have another signature than they must have."""


class ChunkSignatures:
    """Check the signatures of chunks: each covers its data and the signature before it.

    (Amazon S3 API Reference, "Signature calculations for the authorization header: transferring payload in
    multiple chunks", and the same "including trailing headers".)

    :param key: the signing key.
    :param time: the time of the request, as in its signature.
    :param scope: the scope of the request's signature.
    :param seed: the request's signature.
    """

    def __init__(self, key: bytes, time: str, scope: str, seed: str) -> None:
        self._key = key
        self._time = time
        self._scope = scope
        self._previous = seed

    def check_chunk(self, signature: str, sha256: str) -> None:
        """Check the signature of the next chunk.

        :param signature: in hex.
        :param sha256: the hash of its data, in hex.
        :raises ChunkSignatureError: it is wrong.
        """
        self._check("AWS4-HMAC-SHA256-PAYLOAD", signature, _EMPTY, sha256)

    def check_trailer(self, signature: str, headers: str) -> None:
        """Check the signature of the trailing headers.

        :param signature: in hex.
        :param headers: a line for each, with its end.
        :raises ChunkSignatureError: it is wrong.
        """
        self._check("AWS4-HMAC-SHA256-TRAILER", signature, hashlib.sha256(headers.encode()).hexdigest())

    def _check(self, kind: str, signature: str, *hashes: str) -> None:
        text = "\n".join((kind, self._time, self._scope, self._previous, *hashes))
        self._previous = hmac.digest(self._key, text.encode(), hashlib.sha256).hex()
        if not hmac.compare_digest(self._previous.encode(), signature.encode()):
            raise ChunkSignatureError(kind)


class ChunkedBody(io.RawIOBase):
    """Decode a chunked body.

    A chunk is its size in hex, an optional signature, CRLF, the data, CRLF. A chunk of size 0 ends the data;
    trailing headers can follow (Amazon S3 API Reference, "Signature calculations: transferring payload in
    multiple chunks"). After the end, `trailers` has these headers, with names in lower case.

    :param source: the body as it came.
    :param signatures: check the chunks; None where they need no signature.
    """

    def __init__(self, source: BinaryIO, signatures: ChunkSignatures | None = None) -> None:
        self._source = source
        self._signatures = signatures
        self._signature = ""
        self._sha256 = hashlib.sha256()
        self._left = 0
        self._ended = False
        self.trailers: Mapping[str, str] = {}

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read data into a buffer; return 0 at the end.

        :raises ChunkSignatureError: a signature is wrong.
        """
        if not self._left and not self._ended:
            self._begin_chunk()
        if self._ended:
            return 0
        data = self._source.read(min(len(buffer), self._left))
        if not data:
            raise ConnectionResetError("the body ends in the middle of a chunk")
        self._left -= len(data)
        if self._signatures is not None:
            self._sha256.update(data)
        if not self._left:
            self._source.readline(_MAX_LINE)
            self._check_chunk()
        buffer[: len(data)] = data
        return len(data)

    def _begin_chunk(self) -> None:
        size, _, signature = self._source.readline(_MAX_LINE).partition(b";")
        self._left = int(size, 16)
        self._signature = signature.strip().removeprefix(b"chunk-signature=").decode("latin-1")
        if not self._left:
            self._ended = True
            self._check_chunk()
            self._read_trailers()

    def _check_chunk(self) -> None:
        if self._signatures is not None:
            self._signatures.check_chunk(self._signature, self._sha256.hexdigest())
            self._sha256 = hashlib.sha256()

    def _read_trailers(self) -> None:
        lines = iter(lambda: self._source.readline(_MAX_LINE).strip(), b"")
        pairs = (line.decode("latin-1").partition(":") for line in lines)
        trailers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        signature = trailers.pop("x-amz-trailer-signature", "")
        if self._signatures is not None and trailers:
            signed = "".join(f"{name}:{value}\n" for name, value in trailers.items())
            self._signatures.check_trailer(signature, signed)
        self.trailers = trailers
