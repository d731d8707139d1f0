"""Bodies in ``aws-chunked`` encoding, which SDKs use to send a checksum after the data."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_LINE = 4_096


def is_chunked(content_sha256: str) -> bool:
    """Return whether a body is chunked, by its ``x-amz-content-sha256`` header."""
    return content_sha256.startswith("STREAMING-")


class ChunkedBody(io.RawIOBase):
    """Decode a chunked body. Signatures are not checked.

    A chunk is its size in hex, an optional signature, CRLF, the data, CRLF. A chunk of size 0 ends the data;
    trailing headers can follow (Amazon S3 API Reference, "Signature calculations: transferring payload in
    multiple chunks"). After the end, `trailers` has these headers, with names in lower case.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._left = 0
        self._ended = False
        self.trailers: Mapping[str, str] = {}

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read data into a buffer; return 0 at the end."""
        if not self._left and not self._ended:
            self._begin_chunk()
        if self._ended:
            return 0
        data = self._source.read(min(len(buffer), self._left))
        if not data:
            raise ConnectionResetError("the body ends in the middle of a chunk")
        self._left -= len(data)
        if not self._left:
            self._source.readline(_MAX_LINE)
        buffer[: len(data)] = data
        return len(data)

    def _begin_chunk(self) -> None:
        self._left = int(self._source.readline(_MAX_LINE).split(b";")[0], 16)
        if not self._left:
            self._ended = True
            lines = iter(lambda: self._source.readline(_MAX_LINE).strip(), b"")
            pairs = (line.decode("latin-1").partition(":") for line in lines)
            self.trailers = {name.strip().lower(): value.strip() for name, _, value in pairs}
