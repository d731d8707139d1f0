"""Prefetch objects: download the next parts while the current one is parsed.

Object storage takes tens of milliseconds to answer any request. So the objects of a source are fetched in
parts, in their order, several at a time: while one part is read, the next ones are downloaded, of the same
object or of the objects after it. An object that fits into one part costs one request.
"""

from __future__ import annotations

import errno
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from typing import IO, TYPE_CHECKING, Final

from nightsort.sources.source_files import CHUNK_BYTES, SourceError, SourceFile

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from nightsort.storage import Access

PART_BYTES: Final = CHUNK_BYTES
"""One request asks for this much of an object, the size of a read, so that nothing is cut and copied."""

PARALLEL_PARTS: Final = 16
BUFFER_BYTES: Final = 4 * PART_BYTES


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
            path = self.access.path(self.file.uri)
            handle = path.fs.open(path.path, "rb", cache_type="none")
            if self.file.version not in (None, getattr(handle, "details", {}).get("ETag")):
                raise changed(self.file, "has changed") from None
        handle.seek(start)
        data = handle.read(end - start)
        self.idle.append(handle)
        return data

    def read_whole(self, end: int) -> bytes:
        """Read all of it with one request, up to a length."""
        path = self.access.path(self.file.uri)
        data: bytes = path.fs.cat_file(path.path, start=0, end=end)
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
            raise changed(file, "is gone") from None
        except OSError as error:
            if error.errno == errno.EBUSY:  # s3fs: the object is no longer the one that it opened
                raise changed(file, "has changed") from error
            raise
        if len(data) != self.size:
            raise changed(file, "has changed")
        return data


def changed(file: SourceFile, what: str) -> SourceError:
    """Return the error for an object that is not what was listed."""
    return SourceError(
        f"{file.uri} was listed but {what}; do not change a source while it is read; run this again"
    )


def contents(
    files: Sequence[SourceFile], access: Access, *, limit: int | None = None
) -> Generator[tuple[SourceFile, Generator[bytes, None, None]], None, None]:
    """Yield each object with its bytes, in parts; use them before the next object is asked for.

    At most :data:`BUFFER_BYTES` are held in memory, apart from those in use.

    :param limit: read no more bytes of an object than this. Required for objects whose size is not known.
    :raises SourceError: an object is gone or is another than the one that was listed.
    """
    with closing(_fetched(_parts(files, access, limit))) as parts:
        for file, of_file in groupby(parts, key=lambda part: part[0]):
            yield file, (data for _, data in of_file)


def _parts(files: Sequence[SourceFile], access: Access, limit: int | None) -> Iterator[_Part]:
    for file in files:
        known = [size for size in (file.size, limit) if size is not None]
        end, whole = min(known), _Object(file, access)
        step = end if file.size is None else PART_BYTES
        for start in range(0, end, step) if end else (0,):
            yield _Part(whole, start, min(start + step, end), start + step >= end)


def _fetched(parts: Iterator[_Part]) -> Generator[tuple[SourceFile, bytes], None, None]:
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
