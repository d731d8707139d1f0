"""Bodies in ``aws-chunked`` encoding, which SDKs use to send a checksum behind the data."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_LINE = 4_096


def is_chunked(content_sha256: str) -> bool:
    """Tell by the ``x-amz-content-sha256`` header whether a body is chunked."""
    return content_sha256.startswith("STREAMING-")


class ChunkedBody(io.RawIOBase):
    """Reads the data out of a chunked body; signatures are not checked.

    Each chunk is its size in hex (a signature may follow), CRLF, the data, CRLF; one of size 0 ends the data
    and trailing headers may follow (Amazon S3 API Reference, "Signature calculations: transferring payload in
    multiple chunks").

    :param trailers: after the end, the trailing headers, names in lower case.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._left = 0
        self._ended = False
        self.trailers: Mapping[str, str] = {}

    def readable(self) -> bool:
        """A body is there to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read data; 0 at the end of it."""
        if not self._left and not self._ended:
            self._begin_chunk()
        if self._ended:
            return 0
        data = self._source.read(min(len(buffer), self._left))
        if not data:
            raise ConnectionResetError("the body ends in the middle of a chunk")
        self._left -= len(data)
        if not self._left:
            self._source.readline(_LONGEST_LINE)
        buffer[: len(data)] = data
        return len(data)

    def _begin_chunk(self) -> None:
        self._left = int(self._source.readline(_LONGEST_LINE).split(b";")[0], 16)
        if not self._left:
            self._ended = True
            lines = iter(lambda: self._source.readline(_LONGEST_LINE).strip(), b"")
            pairs = (line.decode("latin-1").partition(":") for line in lines)
            self.trailers = {name.strip().lower(): value.strip() for name, _, value in pairs}
