"""Bodies of S3 objects in files: gigabytes are received, stored, sliced and sent without loading them."""

from __future__ import annotations

import hashlib
import uuid
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK = 1 << 20


class StoredFile:
    """A file of the body folder. It is deleted when this object is garbage."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Not at the end of the process, when everything is garbage.
        weakref.finalize(self, path.unlink, missing_ok=True).atexit = False


@dataclass(frozen=True)
class _Segment:
    file: StoredFile
    start: int
    length: int


class StoredBody:
    """Immutable bytes in files, with the part of the interface of `bytes` that moto uses.

    :param segments: the parts, in order.
    :param md5: the hex digest, if known.
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
            raise ValueError("a stored body can only be sliced with step 1")
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


def joined(bodies: list[StoredBody]) -> StoredBody:
    """Concatenate bodies without copying."""
    return StoredBody(tuple(segment for body in bodies for segment in body.segments))


class ContentMismatchError(Exception):
    """A body has another hash than its request says."""


class BodyFolder:
    """The folder of the bodies.

    :param path: the folder; it must exist.
    :param min_file_size: smaller bodies stay in memory, in bytes.
    """

    def __init__(self, path: Path, min_file_size: int) -> None:
        self.path = path
        self.min_file_size = min_file_size
        self._live: weakref.WeakValueDictionary[str, StoredFile] = weakref.WeakValueDictionary()

    def receive(self, stream: BinaryIO, sha256: str | None = None) -> StoredBody:
        """Write a whole stream to a new file.

        :param stream: the bytes.
        :param sha256: the hash that they must have, in hex; None allows any.
        :raises ContentMismatchError: they have another one.
        """
        file = self.file(uuid.uuid4().hex)
        digest = hashlib.md5(usedforsecurity=False)
        signed = hashlib.sha256()
        length = 0
        with file.path.open("xb") as target:
            while chunk := stream.read(_CHUNK):
                target.write(chunk)
                digest.update(chunk)
                if sha256 is not None:
                    signed.update(chunk)
                length += len(chunk)
        if sha256 is not None and signed.hexdigest() != sha256.lower():
            raise ContentMismatchError
        return StoredBody((_Segment(file, 0, length),), digest.hexdigest())

    def body(self, parts: list[tuple[str, int, int]]) -> StoredBody:
        """Return a body of parts of files: name, start and length in bytes."""
        return StoredBody(tuple(_Segment(self.file(name), start, length) for name, start, length in parts))

    def remove_unused(self) -> None:
        """Delete the files that no body uses, which a killed server left."""
        live = {file.path.name for ref in self._live.valuerefs() if (file := ref()) is not None}
        for path in self.path.iterdir():
            if path.name not in live:
                path.unlink(missing_ok=True)

    def file(self, name: str) -> StoredFile:
        """Return the file of a name."""
        found = self._live.get(name)
        if found is None:
            found = self._live[name] = StoredFile(self.path / name)
        return found
