"""The objects behind a source's URI: which they are, in which order, and their bytes, unpacked."""

from __future__ import annotations

import gzip
import logging
import re
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, cast

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import IOBase

    from include.nightsort.access import Access

log = logging.getLogger(__name__)

CHUNK_BYTES = 4_000_000
"""How much is read at once: large enough for columns to pay off, small enough to stay in few megabytes."""

_WILDCARD = re.compile(r"[*?\[]")


class SourceError(ValueError):
    """A source that cannot be read as its spec says; the text names what, where and the remedy."""


@dataclass(frozen=True)
class SourceFile:
    """One object of a source.

    :param uri: where it is.
    :param name: its path below the source's prefix; for a single file its base name.
    """

    uri: str
    name: str

    @property
    def compression(self) -> str | None:
        """``gzip`` or ``zstd`` by the end of the name, else ``None``."""
        match PurePosixPath(self.name).suffix.lower():
            case ".gz":
                return "gzip"
            case ".zst" | ".zstd":
                return "zstd"
        return None


def list_files(uri: str, access: Access) -> list[SourceFile]:
    """Return the objects of a URI, sorted by name: a single file, all below a prefix, or all that match a
    glob.

    Objects whose name, or a folder of theirs below the prefix, begins with ``.`` or ``_`` are markers of
    other tools (``_SUCCESS``, ``.DS_Store``) and no documents: they are left out.

    :raises SourceError: a single file is named and does not exist, or a name is not UTF-8.
    """
    wildcard = _WILDCARD.search(uri)
    prefix = uri[: uri.rfind("/", 0, wildcard.start() if wildcard else None) + 1]
    path = access.path(uri if not wildcard else prefix)
    path.fs.invalidate_cache()
    if wildcard is None and not uri.endswith("/"):
        if path.is_dir():
            raise SourceError(f"{uri} is a folder; end it with / to read all that is in it")
        if not path.exists():
            raise SourceError(
                f"{uri} does not exist; mend the URI (a prefix that ends in / or a glob may be without files)"
            )
        return [SourceFile(uri, uri[len(prefix) :])]
    root = str(path.fs._strip_protocol(path.path)).rstrip("/") + "/"
    found: list[str] = path.fs.glob(root + uri[len(prefix) :]) if wildcard else path.fs.find(root)
    scheme = uri[: uri.index("://") + 3] if "://" in uri else ""
    names = sorted(
        key[len(root) :] for key in map(str, found) if key.startswith(root) and not key.endswith("/")
    )
    if wildcard:
        names = (
            [name for name in names if not path.fs.isdir(root + name)] if scheme in ("", "file://") else names
        )
    for name in names:
        _check_name(name, root)
    kept = [name for name in names if not any(part.startswith((".", "_")) for part in name.split("/"))]
    if len(kept) < len(names):
        log.info("%s: %d objects whose names begin with . or _ are left out", uri, len(names) - len(kept))
    return [SourceFile(f"{scheme}{root}{name}", name) for name in kept]


def _check_name(name: str, root: str) -> None:
    """Check that a file's name can be written down; on a local disk it need not be text at all."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise SourceError(f"{root} holds a file whose name is not UTF-8, {name!r}; rename it") from None


@contextmanager
def open_file(file: SourceFile, access: Access) -> Iterator[IO[bytes]]:
    """Open an object for one pass, unpacked if its name ends in ``.gz``, ``.zst`` or ``.zstd``.

    :raises SourceError: the object is gone, or is damaged or cut off where it should be compressed data.
        The latter may come from any read within the ``with``.
    """
    try:
        raw = access.path(file.uri).open("rb")
    except FileNotFoundError:
        raise SourceError(
            f"{file.uri} was listed but is gone; nothing may change a source while it is read"
        ) from None
    with raw:
        try:
            match file.compression:
                case "gzip":
                    with gzip.open(raw) as unpacked:
                        yield cast("IO[bytes]", unpacked)
                case "zstd":
                    with pa.CompressedInputStream(cast("IOBase", raw), "zstd") as unpacked:
                        yield cast("IO[bytes]", unpacked)
                case _:
                    yield raw
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise _damaged(file) from error
        except OSError as error:
            if file.compression == "zstd" and ("ZSTD" in str(error) or "Truncated" in str(error)):
                raise _damaged(file) from error
            raise


def _damaged(file: SourceFile) -> SourceError:
    return SourceError(f"{file.uri} is cut off or is no {file.compression} file; upload it again")
