"""One member of Comprehend's ``output.tar.gz`` as a stream, in bounded memory, whatever the archive holds.

``tarfile`` reads the headers; its own walk over an archive is not used, because it reads extended headers
(PAX, GNU long names) whole, of whatever size the archive declares. Nothing is ever extracted to a path, so
names and links in an archive cannot reach a file.
"""

from __future__ import annotations

import gzip
import posixpath
import re
import tarfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upath import UPath

CHUNK_BYTES = 1 << 20
"""Size of the pieces that a member is read in."""

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
_PAX_RECORD = re.compile(rb"\d+ ([^=\n]+)=([^\n]*)\n")


class ArchiveError(ValueError):
    """An archive that does not hold what a Comprehend archive holds: which one, what is wrong, what to do."""


class DamagedArchiveError(ArchiveError):
    """The bytes are no complete gzip file with a tar inside."""


class MemberMissingError(ArchiveError):
    """No member of the name that is looked for."""


class MemberTwiceError(ArchiveError):
    """More than one member of the name that is looked for."""


class MemberNotAFileError(ArchiveError):
    """The member is a link, a folder or a device, not a plain file."""


@contextmanager
def opened(source: UPath | IO[bytes]) -> Iterator[IO[bytes]]:
    """Give a path, or a stream that is already open, as a stream; only what was opened here is closed."""
    if hasattr(source, "open"):
        with source.open("rb") as stream:
            yield stream
    else:
        yield source


def read_member(source: UPath | IO[bytes], name: str) -> Iterator[bytes]:
    """Stream the content of the one member with a base name, at the archive's root or in any folder of it.

    The archive is read to its end, so that damage behind the member is found as well.

    :param source: the ``tar.gz``, as a path or a binary stream.
    :param name: base name of the member.
    :raises ArchiveError: damaged, or not exactly one such member, or it is not a plain file.
    """
    where = str(source) if hasattr(source, "open") else str(getattr(source, "name", "archive"))
    with opened(source) as stream, gzip.GzipFile(fileobj=stream) as tar:
        try:
            yield from _member(tar, name, where)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DamagedArchiveError(
                f"{where}: not a complete gzip file ({error}). It was cut off or is no output.tar.gz; "
                "fetch it again, or have the job run again"
            ) from error


def _member(tar: gzip.GzipFile, name: str, where: str) -> Iterator[bytes]:
    found = False
    others: list[str] = []
    for info in _headers(tar, where):
        if posixpath.basename(info.name) != name:
            others.append(info.name)
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


def _headers(tar: gzip.GzipFile, where: str) -> Iterator[tarfile.TarInfo]:
    """Give each member's header; the caller reads its content before it asks for the next one."""
    extended: dict[str, bytes] = {}
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


def _extended_header(tar: gzip.GzipFile, info: tarfile.TarInfo, where: str) -> dict[str, bytes]:
    if not 0 <= info.size <= _MAX_EXTENDED_HEADER:
        raise DamagedArchiveError(
            f"{where}: a tar header of {info.size} bytes; no Comprehend archive has one"
        )
    content = b"".join(_content(tar, info.size, where))
    if info.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": content.rstrip(b"\0")}
    return {key.decode("utf-8", "replace"): value for key, value in _PAX_RECORD.findall(content)}


def _apply(extended: dict[str, bytes], info: tarfile.TarInfo) -> None:
    if path := extended.get("path"):
        info.name = path.decode("utf-8", "surrogateescape")
    if (size := extended.get("size", b"")).isdigit() and len(size) < 20:
        info.size = int(size)
    if any(key.startswith("GNU.sparse") for key in extended):
        info.type = tarfile.GNUTYPE_SPARSE
    if info.type in _WITHOUT_CONTENT:
        info.size = 0


def _content(tar: gzip.GzipFile, size: int, where: str) -> Iterator[bytes]:
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
