"""S3 objects' bytes in files: gigabytes are received, kept, cut and sent without being in memory."""

from __future__ import annotations

import hashlib
import os
import uuid
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK = 1 << 20


class StoredFile:
    """A file of the body folder; it may go when nobody holds this object any more."""

    def __init__(self, path: Path) -> None:
        self.path = path


@dataclass(frozen=True)
class _Segment:
    file: StoredFile
    start: int
    length: int


class StoredBody:
    """Bytes that lie in files, immutable like `bytes` and with as much of its interface as moto uses.

    :param segments: the pieces, in order.
    :param md5: the hex digest, where it is known.
    """

    def __init__(self, segments: tuple[_Segment, ...], md5: str | None = None) -> None:
        self.segments = segments
        self._length = sum(segment.length for segment in segments)
        self._md5 = md5

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, cut: slice) -> StoredBody:
        start, stop, step = cut.indices(self._length)
        if step != 1:
            raise ValueError("a stored body can be cut in one piece only")
        pieces = []
        for segment in self.segments:
            first, last = max(start, 0), min(stop, segment.length)
            if first < last:
                pieces.append(_Segment(segment.file, segment.start + first, last - first))
            start, stop = start - segment.length, stop - segment.length
        return StoredBody(tuple(pieces))

    def __iter__(self) -> Iterator[bytes]:
        for segment in self.segments:
            with segment.file.path.open("rb") as file:
                file.seek(segment.start)
                left = segment.length
                while left and (chunk := file.read(min(left, _CHUNK))):
                    left -= len(chunk)
                    yield chunk

    def __bytes__(self) -> bytes:
        return b"".join(self)

    @property
    def md5(self) -> str:
        """The hex MD5 digest, an S3 ETag."""
        if self._md5 is None:
            digest = hashlib.md5(usedforsecurity=False)
            for chunk in self:
                digest.update(chunk)
            self._md5 = digest.hexdigest()
        return self._md5

    def described(self) -> list[list[Any]]:
        """Return the pieces as JSON values, for :meth:`BodyFolder.restore`."""
        return [[segment.file.path.name, segment.start, segment.length] for segment in self.segments]


def joined(bodies: list[StoredBody]) -> StoredBody:
    """Return bodies one after the other as one, without copying."""
    return StoredBody(tuple(segment for body in bodies for segment in body.segments))


class BodyFolder:
    """The folder that bodies are in.

    :param path: the folder; it must exist.
    :param least: bodies of fewer bytes stay in memory.
    """

    def __init__(self, path: Path, least: int) -> None:
        self.path = path
        self.least = least
        self._live: weakref.WeakValueDictionary[str, StoredFile] = weakref.WeakValueDictionary()

    def receive(self, stream: BinaryIO) -> StoredBody:
        """Write a stream to a new file, up to its end."""
        file = self._file(uuid.uuid4().hex)
        digest = hashlib.md5(usedforsecurity=False)
        length = 0
        with file.path.open("xb") as target:
            while chunk := stream.read(_CHUNK):
                target.write(chunk)
                digest.update(chunk)
                length += len(chunk)
        return StoredBody((_Segment(file, 0, length),), digest.hexdigest())

    def restore(self, description: list[list[Any]], md5: str | None = None) -> StoredBody:
        """Return the body that :meth:`StoredBody.described` described."""
        return StoredBody(
            tuple(_Segment(self._file(name), start, length) for name, start, length in description), md5
        )

    def abandoned(self) -> list[str]:
        """Return the names of the files that no body has any more."""
        # First the names, then who lives: a file made in between is not taken for abandoned.
        names = os.listdir(self.path)
        live = {file.path.name for ref in self._live.valuerefs() if (file := ref()) is not None}
        return [name for name in names if name not in live]

    def remove(self, names: list[str]) -> None:
        """Delete files that were :meth:`abandoned`."""
        for name in names:
            (self.path / name).unlink(missing_ok=True)

    def _file(self, name: str) -> StoredFile:
        return self._live.setdefault(name, StoredFile(self.path / name))
