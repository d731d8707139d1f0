"""The objects behind a source's URI: which they are, and in which order."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from nightsort.errors import NightsortError

if TYPE_CHECKING:
    from nightsort.storage import Access

log = logging.getLogger(__name__)

CHUNK_BYTES = 3_000_000
"""How much is read at once: enough for columns to pay off, little enough for the caches of a processor."""

_WILDCARD = re.compile(r"[*?\[]")
_COMPRESSIONS: Final = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd", ".bz2": "bzip2", ".xz": "xz"}


class SourceError(NightsortError):
    """A source that cannot be read as its spec says; the text names what, where and the remedy."""


@dataclass(frozen=True)
class SourceFile:
    """One object of a source.

    :param uri: where it is.
    :param name: its path below the source's prefix; for a single file its base name.
    :param size: its length in bytes when it was listed; ``None`` where nobody looked.
    :param version: what tells it from an object that took its place, where the storage says so (ETag).
    """

    uri: str
    name: str
    size: int | None = field(default=None, compare=False)
    version: str | None = field(default=None, compare=False)

    @property
    def compression(self) -> str | None:
        """``gzip``, ``zstd``, ``bzip2`` or ``xz`` by the end of the name, else ``None``."""
        return _COMPRESSIONS.get(PurePosixPath(self.name).suffix.lower())


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
        try:
            return [_listed(uri, uri[len(prefix) :], path.fs, path.fs.info(path.path))]
        except FileNotFoundError:
            raise SourceError(
                f"{uri} does not exist; mend the URI (a prefix that ends in / or a glob may be without files)"
            ) from None
    root = str(path.fs._strip_protocol(path.path)).rstrip("/") + "/"
    found: dict[str, dict[str, Any]] = (
        path.fs.glob(root + uri[len(prefix) :], detail=True) if wildcard else path.fs.find(root, detail=True)
    )
    scheme = uri[: uri.index("://") + 3] if "://" in uri else ""
    listed = {
        key[len(root) :]: about
        for key, about in sorted(found.items())
        if key.startswith(root) and not key.endswith("/") and _kind(path.fs, about) != "directory"
    }
    for name in listed:
        _check_name(name, root)
    kept = [name for name in listed if not any(part.startswith((".", "_")) for part in name.split("/"))]
    if len(kept) < len(listed):
        log.info("%s: %d objects whose names begin with . or _ are left out", uri, len(listed) - len(kept))
    start = f"{scheme}{root}"
    return [_listed(start + name, name, path.fs, listed[name]) for name in kept]


def _kind(fs: Any, about: dict[str, Any]) -> str:
    if not about.get("islink"):
        return str(about["type"])
    return "directory" if fs.isdir(about["name"]) else "file" if fs.isfile(about["name"]) else "other"


def _listed(uri: str, name: str, fs: Any, about: dict[str, Any]) -> SourceFile:
    if _kind(fs, about) != "file":
        raise SourceError(f"{uri} is a pipe, a device or a link to nowhere; read plain files only")
    return SourceFile(uri, name, about["size"], about.get("ETag"))


def _check_name(name: str, root: str) -> None:
    """Check that a file's name can be written down; on a local disk it need not be text at all."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise SourceError(f"{root} holds a file whose name is not UTF-8, {name!r}; rename it") from None
