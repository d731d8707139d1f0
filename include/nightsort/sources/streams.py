"""Objects as streams of bytes, prefetched and unpacked."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Final, cast

import pyarrow as pa

from nightsort.arrow.prefetch import prefetch
from nightsort.sources.fetching import BUFFER_BYTES, PART_BYTES, changed, contents
from nightsort.sources.source_files import CHUNK_BYTES, SourceError, SourceFile

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from nightsort.storage import Access

OpenedFile = tuple[SourceFile, IO[bytes]]
"""A file and its bytes, unpacked."""

_UNPACKERS: Final[dict[str, Callable[[Any], Any]]] = {
    "gzip": gzip.open,
    "zstd": lambda packed: pa.CompressedInputStream(packed, "zstd"),
    "bzip2": bz2.open,
    "xz": lzma.open,
}
_SUFFIXES: Final = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd", ".bz2": "bzip2", ".xz": "xz"}
# No text in UTF-8 begins like this, so compressed data is found even if its name lacks .gz.
_BEGINNINGS: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\x00": "xz"}


class _Stream(io.RawIOBase):
    """Bytes that come in pieces; a read may return fewer bytes than asked: it never joins two pieces."""

    def __init__(self, pieces: Generator[bytes, None, None]) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def peek(self) -> bytes:
        """Return what the next read begins with, without taking it."""
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._piece = memoryview(piece)
        return bytes(self._piece[:8])

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(CHUNK_BYTES), b""))
        self.peek()
        taken, self._piece = self._piece[:size], self._piece[size:]
        whole = taken.obj
        return whole if isinstance(whole, bytes) and len(whole) == len(taken) else bytes(taken)

    def close(self) -> None:
        if not self.closed:
            self._pieces.close()
        super().close()


def open_files(
    files: Sequence[SourceFile], access: Access, *, limit: int | None = None
) -> Generator[OpenedFile, None, None]:
    """Open objects one after the other, each for one pass, while the next are fetched.

    What ends in ``.gz``, ``.zst``, ``.zstd``, ``.bz2`` or ``.xz``, or begins like gzip, zstd or xz, is
    unpacked.

    :param limit: read no more bytes of an object than this.
    :raises SourceError: an object is gone or has changed, or is damaged or cut off where it should be
        compressed data. This may come from any read.
    """
    with closing(contents(files, access, limit=limit)) as fetched:
        for file, parts in fetched:
            with _Stream(parts) as packed:
                compression = _compression_by_name(file) or _compression_by_content(packed.peek())
                if compression is None:
                    yield file, cast("IO[bytes]", packed)
                    continue
                pieces = _unpacked(file, compression, packed)
                with _Stream(prefetch(pieces) if (file.size or 0) > PART_BYTES else pieces) as stream:
                    yield file, cast("IO[bytes]", stream)


def open_for_seeking(files: Sequence[SourceFile], access: Access) -> Generator[OpenedFile, None, None]:
    """Open Parquet files one after the other, for reading in any order; small ones are prefetched whole.

    :raises SourceError: an object is gone or has changed, or is compressed as a whole.
    """
    if packed := next(filter(_compression_by_name, files), None):
        raise SourceError(f"{packed.uri}: Parquet compresses by itself; store it unpacked")
    for large, group in groupby(files, key=lambda file: file.size is None or file.size > BUFFER_BYTES):
        if not large:
            with closing(contents(list(group), access)) as fetched:
                for file, parts in fetched:
                    yield file, io.BytesIO(b"".join(parts))
            continue
        for file in group:
            path = access.path(file.uri)
            try:
                stream = path.fs.open(path.path, "rb", cache_type="none")
            except FileNotFoundError:
                raise changed(file, "is gone") from None
            with stream:
                yield file, stream


@contextmanager
def open_file(file: SourceFile, access: Access) -> Iterator[IO[bytes]]:
    """Open one object for one pass, see :func:`open_files`.

    :raises SourceError: as there.
    """
    if file.size is None:
        path = access.path(file.uri)
        try:
            file = replace(file, size=path.fs.size(path.path))
        except FileNotFoundError:
            raise changed(file, "is gone") from None
    with closing(open_files([file], access)) as opened:
        yield next(opened)[1]


def is_damage(error: Exception) -> bool:
    """Return whether an error is one of damaged data and not of the storage.

    Arrow, for one, raises ``OSError`` for both.
    """
    if isinstance(error, OSError):
        return isinstance(error, gzip.BadGzipFile) or (type(error) is OSError and error.errno is None)
    return True


def _compression_by_name(file: SourceFile) -> str | None:
    return _SUFFIXES.get(PurePosixPath(file.name).suffix.lower())


def _compression_by_content(beginning: bytes) -> str | None:
    return next((kind for start, kind in _BEGINNINGS.items() if beginning.startswith(start)), None)


def _unpacked(file: SourceFile, compression: str, packed: _Stream) -> Generator[bytes, None, None]:
    try:
        with _UNPACKERS[compression](packed) as unpacked:
            while piece := unpacked.read(CHUNK_BYTES):
                yield piece
    except (EOFError, OSError, zlib.error, lzma.LZMAError, pa.ArrowException) as error:
        if not is_damage(error):
            raise
        raise SourceError(
            f"{file.uri} is truncated or not a {compression} file ({error}); upload it again"
        ) from error
