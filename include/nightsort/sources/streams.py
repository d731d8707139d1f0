"""Objects as streams of bytes: listed files are fetched in parts, and unpacked.

Object storage takes tens of milliseconds to answer any request. So the objects of a source are fetched in
parts, in their order, several at a time: while one part is read, the next ones are downloaded, of the same
object or of the objects after it. An object that fits into one part costs one request.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Final, cast

import pyarrow as pa

from nightsort.arrow.prefetch import prefetch
from nightsort.sources.source_files import CHUNK_BYTES, SourceError, SourceFile, SourceGoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from nightsort.storage import Access

OpenedFile = tuple[SourceFile, IO[bytes]]
"""A file and its bytes, unpacked."""

_UNPACKERS: Final[dict[str, Callable[[Any], Any]]] = {
    "gzip": gzip.open,
    "zstd": lambda packed: pa.CompressedInputStream(packed, "zstd"),
    "bzip2": bz2.open,
    "xz": lambda packed: PartStream(_unpacked_xz(packed)),
}
_SUFFIXES: Final = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd", ".bz2": "bzip2", ".xz": "xz"}
# No text begins like this, so compressed data is found even if its name lacks .gz.
_BEGINNINGS: Final = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    **{b"BZh%d1AY&SY" % size: "bzip2" for size in range(1, 10)},
}

MOST_UNPACKED: Final = 500
"""No text packs better than this. What does was made to fill memory or a disk."""

MOST_UNPACKED_BYTES: Final = 64_000_000
"""Below this it does not matter how well a file packs."""

_XZ_MEMORY: Final = 128_000_000
"""What unpacking xz may take; `xz -9` needs 65 MB."""

PART_BYTES: Final = CHUNK_BYTES
"""One request asks for this much of an object, the size of a read, so that nothing is cut and copied."""

PARALLEL_PARTS: Final = 16
BUFFER_BYTES: Final = 4 * PART_BYTES


def open_files(
    files: Sequence[SourceFile], access: Access, *, limit: int | None = None
) -> Generator[OpenedFile, None, None]:
    """Open objects one after the other, each for one pass, while the next are fetched.

    What ends in ``.gz``, ``.zst``, ``.zstd``, ``.bz2`` or ``.xz``, or begins like one of these, is
    unpacked.

    :param limit: read no more bytes of an object than this.
    :raises SourceError: an object is gone or has changed, or is damaged or cut off where it should be
        compressed data. This may come from any read.
    """
    with closing(fetch(files, access, limit=limit)) as fetched:
        for file, parts in fetched:
            with PartStream(parts) as packed:
                compression = _compression_by_name(file) or compression_of(packed.peek())
                if compression is None:
                    yield file, cast("IO[bytes]", packed)
                    continue
                parts = _unpacked(file, compression, packed)
                with PartStream(prefetch(parts) if (file.size or 0) > PART_BYTES else parts) as stream:
                    yield file, cast("IO[bytes]", stream)


def open_for_seeking(files: Sequence[SourceFile], access: Access) -> Generator[OpenedFile, None, None]:
    """Open Parquet files one after the other, for reading in any order; small ones are prefetched whole.

    :raises SourceError: an object is gone or has changed, or is compressed as a whole.
    """
    if packed := next(filter(_compression_by_name, files), None):
        raise packed_parquet(packed.uri)
    for large, group in groupby(files, key=lambda file: file.size is None or file.size > BUFFER_BYTES):
        if not large:
            with closing(fetch(list(group), access)) as fetched:
                for file, parts in fetched:
                    yield file, io.BytesIO(b"".join(parts))
            continue
        for file in group:
            fs, path = access.file(file.uri)
            try:
                stream = fs.open(path, "rb", cache_type="none")
            except FileNotFoundError:
                raise SourceGoneError(file.uri) from None
            with stream:
                yield file, stream


def packed_parquet(where: str) -> SourceError:
    """Return the error for a Parquet file that is packed once more."""
    return SourceError(f"{where}: Parquet compresses by itself; store it unpacked")


@contextmanager
def open_file(file: SourceFile, access: Access) -> Iterator[IO[bytes]]:
    """Open one object for one pass, see :func:`open_files`.

    :raises SourceError: as there.
    """
    if file.size is None:
        fs, path = access.file(file.uri)
        try:
            file = replace(file, size=fs.size(path))
        except FileNotFoundError:
            raise SourceGoneError(file.uri) from None
    with closing(open_files([file], access)) as opened:
        yield next(opened)[1]


def _compression_by_name(file: SourceFile) -> str | None:
    return _SUFFIXES.get(PurePosixPath(file.name).suffix.lower())


def compression_of(beginning: bytes) -> str | None:
    """Return how a file is packed, by its first bytes, or ``None``."""
    return next((kind for start, kind in _BEGINNINGS.items() if beginning.startswith(start)), None)


def _unpacked(file: SourceFile, compression: str, packed: PartStream) -> Generator[bytes, None, None]:
    try:
        size = 0
        with _UNPACKERS[compression](packed) as unpacked:
            for part in parts_of(unpacked):
                size += len(part)
                check_unpacked(file, size)
                yield part
    except (EOFError, OSError, zlib.error, lzma.LZMAError, pa.ArrowException) as error:
        if not is_damage(error):
            raise
        raise SourceError(
            f"{file.uri} is truncated or not a {compression} file ({error}); upload it again"
        ) from error


def check_unpacked(file: SourceFile, size: int) -> None:
    """Check that a file does not grow out of all proportion when it is unpacked.

    :param size: the bytes that it unpacked to, so far.
    :raises SourceError: these are too many for its size.
    """
    if file.size is not None and size > max(MOST_UNPACKED_BYTES, MOST_UNPACKED * file.size):
        raise SourceError(
            f"{file.uri} has {file.size:,} bytes and unpacks to more than {size:,}: no file of documents "
            f"packs {MOST_UNPACKED} times; look into it, and store it unpacked if it is what you mean"
        )


def _unpacked_xz(packed: IO[bytes]) -> Generator[bytes, None, None]:
    """Unpack xz in bounded memory: its header says how much it takes, and may say anything."""
    data = b""
    while True:
        unpacker = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
        while not unpacker.eof:
            if unpacker.needs_input and not (data := data or packed.read(CHUNK_BYTES)):
                raise EOFError("it ends before its end is marked")
            yield unpacker.decompress(data, CHUNK_BYTES)
            data = b""
        # Further streams may follow, and zeros as padding.
        data = unpacker.unused_data
        while not (data := data.lstrip(b"\0")):
            if not (data := packed.read(CHUNK_BYTES)):
                return


def is_damage(error: Exception) -> bool:
    """Return whether an error is one of damaged data and not of the storage.

    Arrow, for one, raises ``OSError`` for both.
    """
    if isinstance(error, OSError):
        return isinstance(error, gzip.BadGzipFile) or (type(error) is OSError and error.errno is None)
    return True


def parts_of(stream: IO[bytes]) -> Generator[bytes, None, None]:
    """Yield the bytes of a stream in parts."""
    while part := stream.read(CHUNK_BYTES):
        yield part


class PartStream(io.RawIOBase):
    """Bytes that come in parts; a read may return fewer bytes than asked: only a peek joins two parts.

    :param parts: closed with the stream, where they can be closed.
    """

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._part = memoryview(b"")

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def peek(self, size: int = 16) -> bytes:
        """Return what the next reads begin with, without taking it.

        :param size: the most bytes to return.
        """
        while len(self._part) < size and (part := next(self._parts, None)) is not None:
            self._part = memoryview(b"".join((self._part, part)) if self._part else part)
        return bytes(self._part[:size])

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most this many bytes, or all that are left."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(CHUNK_BYTES), b""))
        self.peek(1)
        taken, self._part = self._part[:size], self._part[size:]
        whole = taken.obj
        return whole if isinstance(whole, bytes) and len(whole) == len(taken) else bytes(taken)

    def close(self) -> None:
        """Close the source of the parts, too."""
        if not self.closed:
            getattr(self._parts, "close", lambda: None)()
        super().close()


def fetch(
    files: Sequence[SourceFile], access: Access, *, limit: int | None = None
) -> Generator[tuple[SourceFile, Generator[bytes, None, None]], None, None]:
    """Yield each object with its bytes, in parts; use them before the next object is asked for.

    At most :data:`BUFFER_BYTES` are held in memory, apart from those in use.

    :param limit: read no more bytes of an object than this. Required for objects whose size is not known.
    :raises SourceError: an object is gone or is another than the one that was listed.
    """
    with closing(_fetch_parts(_parts(files, access, limit))) as parts:
        for file, of_file in groupby(parts, key=lambda part: part[0]):
            yield file, (data for _, data in of_file)


def _parts(files: Sequence[SourceFile], access: Access, limit: int | None) -> Iterator[_Part]:
    for file in files:
        known = [size for size in (file.size, limit) if size is not None]
        end, whole = min(known), _Object(file, access)
        step = end if file.size is None else PART_BYTES
        for start in range(0, end, step) if end else (0,):
            yield _Part(whole, start, min(start + step, end), start + step >= end)


def _fetch_parts(parts: Iterator[_Part]) -> Generator[tuple[SourceFile, bytes], None, None]:
    coming: deque[tuple[_Part, Future[bytes]]] = deque()
    held = 0

    def first() -> tuple[SourceFile, bytes]:
        part, data = coming[0]
        found = part.object.file, data.result()
        coming.popleft()
        if part.last:
            part.object.close()
        return found

    try:
        with ThreadPoolExecutor(PARALLEL_PARTS) as pool:
            try:
                for part in parts:
                    while coming and (len(coming) == PARALLEL_PARTS or held + part.size > BUFFER_BYTES):
                        held -= coming[0][0].size
                        yield first()
                    coming.append((part, pool.submit(part.fetch)))
                    held += part.size
                while coming:
                    yield first()
            finally:
                for _, data in coming:
                    data.cancel()
    finally:
        for part, _ in coming:
            part.object.close()


@dataclass
class _Object:
    """An object that several threads read at once."""

    file: SourceFile
    access: Access
    idle: list[IO[bytes]] = field(default_factory=list)

    def read(self, start: int, end: int) -> bytes:
        """Read a part. A handle serves one thread at a time and reads the version that it opened."""
        try:
            handle = self.idle.pop()
        except IndexError:
            fs, path = self.access.file(self.file.uri)
            handle = fs.open(path, "rb", cache_type="none")
            if self.file.version not in (None, getattr(handle, "details", {}).get("ETag")):
                raise _changed(self.file, "has changed") from None
        handle.seek(start)
        data = handle.read(end - start)
        self.idle.append(handle)
        return data

    def read_whole(self, end: int) -> bytes:
        """Read all of it with one request, up to a length."""
        fs, path = self.access.file(self.file.uri)
        data: bytes = fs.cat_file(path, start=0, end=end)
        return data

    def close(self) -> None:
        """Close what was opened."""
        for handle in self.idle:
            handle.close()


@dataclass(frozen=True)
class _Part:
    object: _Object
    start: int
    end: int
    last: bool

    @property
    def size(self) -> int:
        """Its length, in bytes."""
        return self.end - self.start

    def fetch(self) -> bytes:
        """Fetch it.

        :raises SourceError: the object is not what was listed.
        """
        file = self.object.file
        try:
            if file.size is None:
                return self.object.read_whole(self.end)
            if not self.size:
                return b""
            if self.last and not self.start and self.end == file.size:
                # Ask for one byte more than expected, to notice an object that grew.
                data = self.object.read_whole(self.end + 1)
            else:
                data = self.object.read(self.start, self.end)
        except FileNotFoundError:
            raise SourceGoneError(file.uri) from None
        except OSError as error:
            if error.errno == errno.EBUSY:  # s3fs: the object is no longer the one that it opened
                raise _changed(file, "has changed") from error
            raise
        if len(data) != self.size:
            raise _changed(file, "has changed")
        return data


def _changed(file: SourceFile, what: str) -> SourceError:
    """Return the error for an object that is not what was listed."""
    return SourceError(
        f"{file.uri} was listed but {what}; do not change a source while it is read; run this again"
    )
