"""One member of Comprehend's ``output.tar.gz`` as a stream, in bounded memory, whatever the archive holds.

Nothing is ever extracted to a path, so names and links in an archive cannot reach a file. The size that an
archive may unpack to is limited, so that a few bytes that stand for very many (a "bomb") cost seconds and not
a night.
"""

from __future__ import annotations

import gzip
import math
import posixpath
import tarfile
import zlib
from contextlib import nullcontext
from typing import IO, TYPE_CHECKING, Any, cast

from nightsort.comprehend.limits import MAX_JOB_DOCUMENTS
from nightsort.errors import NightsortError
from nightsort.storage import must_exist

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upath import UPath

CHUNK_BYTES = 1 << 20
"""Size of the pieces that a member is read in."""

MIN_UNPACKED_BYTES = 64 << 20
"""Every archive may unpack to this size."""

UNPACKED_BYTES_PER_DOCUMENT = 64 << 10
"""An archive may unpack to this size for each document, on average (choice): the three labels that Comprehend
returns, with 5,000 characters each, take at most 60,000 bytes of UTF-8; usual are some hundred bytes."""

_MAX_HEADER_BYTES = 2 * tarfile.RECORDSIZE
"""tarfile reads whole records, and keeps all headers of a member in memory. Some versions take quadratic time
for them: 20 kB take about a second."""

_NAMES_SHOWN, _NAME_LENGTH_SHOWN = 5, 100


class ArchiveError(NightsortError):
    """An archive that is not the output of Comprehend: which one, what is wrong, what to do."""

    # The download may have been cut off, or the file may not be complete yet.
    retryable = True


class DamagedArchiveError(ArchiveError):
    """The bytes are not a complete gzip file with a tar inside."""


def max_unpacked_bytes(documents: int) -> int:
    """Return how many bytes the output of a job may unpack to.

    :param documents: how many documents the job has.
    :returns: the limit in bytes.
    """
    return MIN_UNPACKED_BYTES + documents * UNPACKED_BYTES_PER_DOCUMENT


def read_member(
    source: UPath | IO[bytes], name: str, *, max_bytes: int = max_unpacked_bytes(MAX_JOB_DOCUMENTS)
) -> Iterator[bytes]:
    """Stream the content of the one member with a base name, at the archive's root or in any folder of it.

    The archive is read to its end, so that damage behind the member is found as well.

    :param source: the ``tar.gz``: a path, or a binary stream, which is not closed.
    :param name: base name of the member.
    :param max_bytes: limit for the size of the whole archive unpacked, see :func:`max_unpacked_bytes`.
    :returns: the content in pieces.
    :raises MissingObjectError: it is gone.
    :raises ArchiveError: it is damaged or too large, or does not hold exactly one plain file of this name.
    """
    if hasattr(source, "open"):
        where = str(source)
        with must_exist(source):
            opened = source.open("rb")
    else:
        where, opened = str(getattr(source, "name", "archive")), nullcontext(source)
    with opened as packed:
        try:
            yield from _member(_Unpacked(packed, max_bytes), name)
        except ArchiveError as error:
            raise type(error)(f"{where}: {error}") from error.__cause__
        # tarfile raises ValueError and RecursionError for headers that nobody writes.
        except (
            EOFError,
            gzip.BadGzipFile,
            zlib.error,
            tarfile.TarError,
            ValueError,
            RecursionError,
        ) as error:
            raise DamagedArchiveError(
                f"{where}: not a complete gzip file with a tar inside ({error}). It was cut off or is not an "
                "output.tar.gz; fetch it again, or run the job again"
            ) from error


class _Unpacked(gzip.GzipFile):
    """The tar inside a gzip file, with a limit for its size, and one for the headers of a member."""

    def __init__(self, packed: IO[bytes], max_bytes: int) -> None:
        super().__init__(fileobj=packed)
        self._left = self._max = max_bytes
        self._header_left: float = _MAX_HEADER_BYTES

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        self._left -= len(content)
        self._header_left -= len(content)
        if self._left < 0:
            raise ArchiveError(
                f"unpacks to more than {self._max:,} bytes, too much for this number of documents. Check "
                "what wrote it; if it is Comprehend's output, shorten the labels"
            )
        if self._header_left < 0:
            raise DamagedArchiveError(f"has tar headers of more than {_MAX_HEADER_BYTES:,} bytes")
        return content

    def members(self, tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
        """Yield the members; the caller reads the content of each before it asks for the next one."""
        self._header_left = _MAX_HEADER_BYTES
        while (info := tar.next()) is not None:
            self._header_left = math.inf
            yield info
            self._header_left = _MAX_HEADER_BYTES
            # tarfile would keep every member in memory.
            cast("Any", tar).members.clear()
        # tarfile stops at the end of the tar; only the rest has the checksum of the gzip file.
        self._header_left = math.inf
        while self.read(CHUNK_BYTES):
            pass


def _member(unpacked: _Unpacked, name: str) -> Iterator[bytes]:
    found = False
    others: list[str] = []
    with unpacked, tarfile.open(fileobj=unpacked, mode="r|") as tar:
        for info in unpacked.members(tar):
            wanted = posixpath.basename(info.name) == name
            if info.issparse() or (wanted and not info.isreg()):
                raise ArchiveError(
                    f"{name} is a link or a folder, or there is a sparse file: not Comprehend's output"
                )
            if wanted and found:
                raise ArchiveError(f"holds more than one {name}: not one job's output; run the job again")
            found = found or wanted
            if not wanted and len(others) < _NAMES_SHOWN:
                others.append(info.name[:_NAME_LENGTH_SHOWN])
            if not info.isreg() and info.type in tarfile.SUPPORTED_TYPES:
                continue
            # Read what is not wanted, too: to step over a size that is only declared takes tarfile for ever.
            content = tar.extractfile(info)
            while content and (piece := content.read(CHUNK_BYTES)):
                if wanted:
                    yield piece
    if not found:
        raise ArchiveError(
            f"has no {name}; it holds {', '.join(map(repr, others)) or 'nothing'}. Use the output.tar.gz "
            "that the OutputDataConfig of the job or the classifier names"
        )
