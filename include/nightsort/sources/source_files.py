"""The source of a day, and the objects behind its URI: which they are, and in which order."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final, TypeVar

from nightsort.classifier_spec.day_template import DAY, has_day, render
from nightsort.errors import NightsortError

if TYPE_CHECKING:
    from nightsort.classifier_spec.source import Source
    from nightsort.storage import Access

SourceT = TypeVar("SourceT", bound="Source")

log = logging.getLogger(__name__)

CHUNK_BYTES = 3_000_000
"""Size of one read: large enough for columns to pay off, small enough for the caches of a processor."""

_WILDCARD: Final = re.compile(r"[*?\[]")
_MARKER: Final = re.compile(r"(^|/)[._]")


class SourceError(NightsortError):
    """A source that cannot be read as its spec says; the text names what, where and the remedy."""


class SourceGoneError(SourceError):
    """An object that was listed, or is known to exist, is gone.

    :param uri: the object.
    """

    def __init__(self, uri: str) -> None:
        super().__init__(
            f"{uri} was listed but is gone; do not change a source while it is read; run this again"
        )
        self.uri = uri


@dataclass(frozen=True)
class SourceFile:
    """One object of a source.

    :param uri: where it is.
    :param name: its path below the folder that holds the documents of all days, see :func:`list_files`.
    :param size: its length in bytes when it was listed; ``None`` where it is not known.
    :param version: the ETag, which changes when another object takes its place; ``None`` where the storage
        has none.
    """

    uri: str
    name: str
    size: int | None = field(default=None, compare=False)
    version: str | None = field(default=None, compare=False)


class NoFilesError(SourceError):
    """A source without any file, where the spec says that there has to be one."""


def source_of_day(source: SourceT, day: date | None, uri: str | None = None) -> SourceT:
    """Return the source of one day, with the day in its URI or query.

    :param uri: takes the place of the source's own URI.
    :raises SourceError: the source needs a day and none is given, or is a query and a URI is given.
    """
    if uri is not None:
        if source.uri is None:
            raise SourceError(
                f"{uri} cannot take the place of a query; give the spec's source a uri and a format"
            )
        source = source.model_copy(update={"uri": uri})
    template = source.template
    if not has_day(template):
        day = date.min
    elif day is None:
        raise SourceError(f"the source {template} has {DAY}, but no day was given; give one, as YYYY-MM-DD")
    return source.model_copy(update={"uri" if source.uri is not None else "sql": render(template, day)})


def list_files(uri: str, access: Access, *, named_below: str | None = None) -> list[SourceFile]:
    """List the objects of a URI, sorted by name: a single file, all below a prefix, or all that match a glob.

    Objects whose name, or a folder of theirs below the prefix, begins with ``.`` or ``_`` are markers of
    other tools (``_SUCCESS``, ``.DS_Store``) and no documents: they are left out.

    :param named_below: the folder that the names begin behind, where it is not the URI's own; an object that
        is not below it is named by its whole URI.
    :raises SourceError: a single file does not exist, or a name is not UTF-8.
    """
    wildcard = _WILDCARD.search(uri)
    prefix = uri[: uri.rfind("/", 0, wildcard.start() if wildcard else None) + 1]
    fs, path = access.file(prefix if wildcard else uri)
    fs.invalidate_cache()
    scheme = uri[: uri.index("://") + 3] if "://" in uri else ""
    home = _folder(access.file(prefix if named_below is None else named_below)[1])
    if not wildcard and not uri.endswith("/"):
        return [_single_file(fs, path, uri, _name(path, home, scheme))]
    root = _folder(path)
    listed = _files_below(fs, root, uri[len(prefix) :] if wildcard else None)
    if not listed and wildcard:
        _check_brackets(fs, root, uri, prefix)
    kept = [name for name in listed if not _MARKER.search(name)]
    if len(kept) < len(listed):
        log.info("%s: %d objects whose names begin with . or _ are left out", uri, len(listed) - len(kept))
    return [
        _source_file(fs, scheme + root + name, _name(root + name, home, scheme), listed[name])
        for name in kept
    ]


def _folder(path: str) -> str:
    return f"{path.rstrip('/')}/"


def _name(path: str, home: str, scheme: str) -> str:
    return path[len(home) :] if path.startswith(home) else scheme + path


def _check_brackets(fs: Any, root: str, uri: str, prefix: str) -> None:
    """Check that a ``[`` which matches nothing is no part of a folder's or a file's name."""
    first = uri[len(prefix) :].partition("/")[0]
    if "[" in first and fs.exists(root + first):
        raise SourceError(f"{prefix}{first} exists, but [ begins a set of characters; write [[] for a [")


def _single_file(fs: Any, path: str, uri: str, name: str) -> SourceFile:
    if fs.isdir(path):
        raise SourceError(f"{uri} is a folder; end it with / to read all that is in it")
    try:
        details = fs.info(path)
    except FileNotFoundError:
        raise SourceError(
            f"{uri} does not exist; correct the URI (a prefix that ends in / or a glob may be without files)"
        ) from None
    return _source_file(fs, uri, name, details)


def _files_below(fs: Any, root: str, glob: str | None) -> dict[str, dict[str, Any]]:
    """Return what the file system says of each file below a folder, by name, sorted."""
    found: dict[str, dict[str, Any]] = (
        fs.find(root, detail=True) if glob is None else fs.glob(root + glob, detail=True)
    )
    files = {}
    for key, details in sorted(found.items()):
        if key.startswith(root) and not key.endswith("/") and _kind(fs, details) != "directory":
            name = key[len(root) :]
            _check_name(name, root)
            files[name] = details
    return files


def _kind(fs: Any, details: dict[str, Any]) -> str:
    if not details.get("islink"):
        return str(details["type"])
    return "directory" if fs.isdir(details["name"]) else "file" if fs.isfile(details["name"]) else "other"


def _source_file(fs: Any, uri: str, name: str, details: dict[str, Any]) -> SourceFile:
    if _kind(fs, details) != "file":
        raise SourceError(f"{uri} is a pipe, a device or a link to nowhere; read plain files only")
    return SourceFile(uri, name, details["size"], details.get("ETag"))


def _check_name(name: str, root: str) -> None:
    """Check that a file's name can be written down; on a local disk it need not be text at all."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise SourceError(f"{root} holds a file whose name is not UTF-8, {name!r}; rename it") from None
