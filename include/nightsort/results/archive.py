"""One member of Comprehend's ``output.tar.gz`` as a stream, in bounded memory, whatever the archive holds.

``tarfile`` reads the headers; its own walk over an archive is not used, because it reads extended headers
(PAX, GNU long names) whole, of whatever size the archive declares. Nothing is ever extracted to a path, so
names and links in an archive cannot reach a file. What an archive may unpack to is limited, so that a few
bytes that stand for very many (a "bomb") cost seconds and not a night.
"""

from __future__ import annotations

import gzip
import posixpath
import tarfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from nightsort.comprehend.limits import MAX_JOB_DOCUMENTS
from nightsort.errors import NightsortError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upath import UPath

CHUNK_BYTES = 1 << 20
"""Size of the pieces that a member is read in."""

LEAST_UNPACKED_BYTES = 64 << 20
"""What every archive may unpack to."""

UNPACKED_BYTES_PER_DOCUMENT = 64 << 10
"""What it may unpack to for each document, on average (choice): the three labels that Comprehend returns with
5,000 characters each, the longest there are, take at most 60,000 bytes of UTF-8; usual are some hundred."""

_BLOCK = tarfile.BLOCKSIZE
_MAX_EXTENDED_HEADER = 1 << 20
_EXTENDED = (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME)
_SKIPPED_HEADERS = (tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGLINK)
_PLAIN_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_WITHOUT_CONTENT = (
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
)
_LONGEST_NAME_SHOWN = 100
_MOST_DIGITS = 20


class ArchiveError(NightsortError):
    """An archive that does not hold what a Comprehend archive holds: which one, what is wrong, what to do."""

    # The download may have been cut off, or the file may not be complete yet.
    retryable = True


class DamagedArchiveError(ArchiveError):
    """The bytes are no complete gzip file with a tar inside."""


class MemberMissingError(ArchiveError):
    """No member of the name that is looked for."""


class MemberTwiceError(ArchiveError):
    """More than one member of the name that is looked for."""


class MemberNotAFileError(ArchiveError):
    """The member is a link, a folder or a device, not a plain file."""


class ArchiveTooLargeError(ArchiveError):
    """It unpacks to more than any output about so many documents does."""


def most_unpacked(documents: int) -> int:
    """Return how many bytes the output about so many documents may unpack to."""
    return LEAST_UNPACKED_BYTES + documents * UNPACKED_BYTES_PER_DOCUMENT


@contextmanager
def opened(source: UPath | IO[bytes]) -> Iterator[IO[bytes]]:
    """Give a path, or a stream that is already open, as a stream; only what was opened here is closed."""
    if hasattr(source, "open"):
        with source.open("rb") as stream:
            yield stream
    else:
        yield source


class _Unpacked:
    """The tar inside a gzip file, as far as it may be read."""

    def __init__(self, unpacked: gzip.GzipFile, most_bytes: int, where: str) -> None:
        self._unpacked = unpacked
        self._left = self._most = most_bytes
        self._where = where

    def read(self, size: int) -> bytes:
        content = self._unpacked.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise ArchiveTooLargeError(
                f"{self._where}: unpacks to more than {self._most:,} bytes, which no output about this many "
                "documents does. Look at what wrote it; if it is Comprehend's output all the same, shorten "
                "the labels"
            )
        return content


def read_member(
    source: UPath | IO[bytes], name: str, *, most_bytes: int = most_unpacked(MAX_JOB_DOCUMENTS)
) -> Iterator[bytes]:
    """Stream the content of the one member with a base name, at the archive's root or in any folder of it.

    The archive is read to its end, so that damage behind the member is found as well.

    :param source: the ``tar.gz``, as a path or a binary stream.
    :param name: base name of the member.
    :param most_bytes: what the whole archive may unpack to, see :func:`most_unpacked`.
    :raises ArchiveError: damaged, too large, or not exactly one such member, or it is not a plain file.
    """
    where = str(source) if hasattr(source, "open") else str(getattr(source, "name", "archive"))
    with opened(source) as stream, gzip.GzipFile(fileobj=stream) as unpacked:
        try:
            yield from _member(_Unpacked(unpacked, most_bytes, where), name, where)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DamagedArchiveError(
                f"{where}: not a complete gzip file ({error}). It was cut off or is no output.tar.gz; "
                "fetch it again, or have the job run again"
            ) from error


def _member(tar: _Unpacked, name: str, where: str) -> Iterator[bytes]:
    found = False
    others: list[str] = []
    for info in _headers(tar, where):
        if posixpath.basename(info.name) != name:
            others.append(info.name[:_LONGEST_NAME_SHOWN])
            del others[5:]
            for _ in _content(tar, info.size, where):
                pass
            continue
        if found:
            raise MemberTwiceError(
                f"{where}: holds more than one {name}, so it is not one job's output; have the job run again"
            )
        if info.type not in _PLAIN_FILES:
            raise MemberNotAFileError(
                f"{where}: {name} is a link, a folder or a sparse file, so this is not Comprehend's output"
            )
        found = True
        yield from _content(tar, info.size, where)
    if not found:
        held = ", ".join(repr(other) for other in others) or "nothing"
        raise MemberMissingError(
            f"{where}: has no {name}; it holds {held}. Give the output.tar.gz that the job's or the "
            "classifier's OutputDataConfig names"
        )


def _headers(tar: _Unpacked, where: str) -> Iterator[tarfile.TarInfo]:
    """Give each member's header; the caller reads its content before it asks for the next one."""
    extended: dict[bytes, bytes] = {}
    while True:
        block = tar.read(_BLOCK)
        if not block.strip(b"\0"):
            # The end: two blocks of zeros, padding. Read on, for the checksum at the end of the gzip file.
            while tar.read(CHUNK_BYTES):
                pass
            return
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise DamagedArchiveError(f"{where}: not a tar inside the gzip file ({error})") from error
        if info.type in _EXTENDED:
            extended |= _extended_header(tar, info, where)
            continue
        if info.type in _SKIPPED_HEADERS:
            for _ in _content(tar, info.size, where):
                pass
            continue
        _apply(extended, info)
        extended = {}
        if info.size < 0:
            raise DamagedArchiveError(f"{where}: a tar header declares a negative size")
        yield info


def _extended_header(tar: _Unpacked, info: tarfile.TarInfo, where: str) -> dict[bytes, bytes]:
    if not 0 <= info.size <= _MAX_EXTENDED_HEADER:
        raise DamagedArchiveError(
            f"{where}: a tar header of {info.size} bytes; no Comprehend archive has one"
        )
    content = b"".join(_content(tar, info.size, where))
    if info.type == tarfile.GNUTYPE_LONGNAME:
        return {b"path": content.partition(b"\0")[0]}
    return dict(_pax_records(content, where))


def _pax_records(content: bytes, where: str) -> Iterator[tuple[bytes, bytes]]:
    """Give the records that matter here: ``<length in all> <key>=<value>``, a line feed at the end."""
    start, last = 0, len(content.rstrip(b"\0"))
    while start < last:
        digits = content[start : start + _MOST_DIGITS].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        record = content[start : start + length]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if not equals or len(record) < length:
            raise DamagedArchiveError(f"{where}: a tar header that is no list of PAX records")
        if key in (b"path", b"size"):
            yield key, value
        elif key.startswith(b"GNU.sparse"):
            yield b"sparse", b""
        start += length


def _apply(extended: dict[bytes, bytes], info: tarfile.TarInfo) -> None:
    if path := extended.get(b"path"):
        info.name = path.decode("utf-8", "surrogateescape")
    if (size := extended.get(b"size", b"")).isdigit() and len(size) < _MOST_DIGITS:
        info.size = int(size)
    if b"sparse" in extended:
        info.type = tarfile.GNUTYPE_SPARSE
    if info.type in _WITHOUT_CONTENT:
        info.size = 0


def _content(tar: _Unpacked, size: int, where: str) -> Iterator[bytes]:
    """Give a member's bytes and step over the padding behind them."""
    left = max(size, 0)
    while left:
        chunk = tar.read(min(left, CHUNK_BYTES))
        if not chunk:
            raise DamagedArchiveError(
                f"{where}: cut off inside a member ({left} bytes are missing); fetch it again, "
                "or have the job run again"
            )
        left -= len(chunk)
        yield chunk
    tar.read(-size % _BLOCK)
