"""Storage and SQL connections, given by the caller, and uploads.

The domain opens no connections by itself. Airflow passes paths bound to a connection, the command line passes
plain ones, and a test a folder; the code between is the same.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from upath import UPath

from nightsort.errors import NightsortError
from nightsort.layout import S3, local_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

Progress = Callable[[str, int], None]
"""Called now and then with what is being done (one line for a person) and the number of documents done."""

S3_OPTIONS: Final[dict[str, Any]] = {"config_kwargs": {"max_pool_connections": 32}}
"""How s3fs is opened. Its default of 10 connections makes parallel requests wait: with 30 ms for an answer,
245 small objects a second are written with 10 connections, 610 with 32."""

UPLOAD_PART_BYTES: Final = 8 * 2**20
"""Size of a part of a large object; S3 takes 10,000 parts, so an object may have 80 GB."""

_OTHER_PROTOCOL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+(::|:/)|data:")

_PARALLEL_PARTS: Final = 4
"""One stream to S3 carries some 50 to 100 MB a second, a machine more."""

_PARALLEL_FILES: Final = 32
"""S3 takes some 30 ms to answer, and a core sends some 1,000 small objects a second."""

_GROUP_FILES: Final = 1_024
_GROUP_BYTES: Final = 16 * 2**20


class StorageError(NightsortError):
    """A place in the storage that is not there, or that Nightsort does not open; the message names it."""


class MissingObjectError(StorageError, FileNotFoundError):
    """An object that Nightsort or Comprehend wrote, and that is gone; the message names it."""


@contextmanager
def must_exist(path: object) -> Iterator[None]:
    """Name the object that is read in the block if it is missing. S3's own error names none.

    :param path: the object.
    :raises MissingObjectError: it is missing.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise MissingObjectError(f"{path} is gone: it was written, and deleted since") from error


@dataclass(frozen=True)
class Access:
    """Object storage and databases, as the caller reaches them.

    :param path: turns a URI (``s3://bucket/key``, ``file:///x``, a local path) into a path with the UPath
        interface.
    :param connect: opens the DBAPI connection of a connection id, closed at the end of the ``with``; ``None``
        where sources by SQL are not possible.
    """

    path: Callable[[str], UPath]
    connect: Callable[[str], AbstractContextManager[Any]] | None = None

    def file(self, uri: str) -> tuple[Any, str]:
        """Return the file system of a URI and the path in it, in which each character counts as it stands.

        A path object would read parts of a user's name as something else: ``::`` as a chain of file systems,
        ``?versionId=`` as a version.

        :param uri: of any object or folder, whatever its name.
        :returns: the file system, and the path.
        """
        if not uri.startswith(S3):
            path = local_path(uri)
            return self.path(path).fs, path
        bucket, _, key = uri.removeprefix(S3).partition("/")
        root = self.path(f"{S3}{bucket}/")
        fs: Any = root.fs
        if hasattr(fs, "split_path"):
            fs.split_path = partial(_split_path, type(fs).split_path, fs)
        return fs, f"{root.path.rstrip('/')}/{key}"


def _split_path(split_path: Callable[..., tuple[str, str, Any]], fs: Any, path: str) -> tuple[str, str, None]:
    """Split a path of S3 into bucket and key, and leave ``?versionId=`` in the key."""
    beginning, mark, end = path.partition("?versionId=")
    bucket, key, _ = split_path(fs, beginning)
    return bucket, f"{key}{mark}{end}", None


def plain_access() -> Access:
    """Return access with the environment's settings (``AWS_ENDPOINT_URL``, …) and without databases."""
    return Access(path=lambda uri: open_path(uri, S3_OPTIONS))


def open_path(uri: str, s3_options: dict[str, Any], *, local: bool = True) -> UPath:
    """Return the path of a URI on S3 or on local disk; nothing else is opened.

    :param uri: ``s3://bucket/key``, ``file:///x`` or a local path.
    :param s3_options: how s3fs is opened.
    :param local: whether local files may be opened.
    :raises StorageError: the URI is of another kind.
    """
    if uri.startswith(S3):
        on_s3: UPath = UPath(uri, **s3_options)
        return on_s3
    if _OTHER_PROTOCOL.match(uri) and not uri.startswith("file:///"):
        raise StorageError(f"{uri} cannot be opened; use s3:// (in lower case) or a local path")
    if not local:
        raise StorageError(f"{uri} is a local path, but the spec names places on S3 only; use s3://")
    return UPath(local_path(uri))


def upload(local: Path, uri: str, access: Access, *, move: bool = False) -> None:
    """Upload a local file.

    :param local: the file.
    :param uri: the full key or path; folders of a local path are created.
    :param move: the local file may go: on the same disk it is then moved and not copied.
    """
    target = access.path(uri)
    if not uri.startswith(S3):
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.move if move else shutil.copyfile)(local, target.path)
        return
    target.fs.put_file(str(local), target.path, chunksize=UPLOAD_PART_BYTES, max_concurrency=_PARALLEL_PARTS)


def upload_whole(local: Path, uri: str, access: Access) -> None:
    """Upload a local file that appears whole: S3 does so by itself, a local disk by renaming.

    :param local: the file.
    :param uri: the full key or path.
    """
    if uri.startswith(S3):
        upload(local, uri, access)
        return
    folder, _, name = uri.rpartition("/")
    hidden = f"{folder}/.{name}.part"
    upload(local, hidden, access)
    os.replace(access.path(hidden).path, access.path(uri).path)


def download(uri: str, local: Path, access: Access) -> None:
    """Copy a file to local disk.

    :param uri: the full key or path.
    :param local: the file that is written.
    :raises FileNotFoundError: it does not exist.
    """
    fs, path = access.file(uri)
    fs.get_file(path, str(local))


def remove_file(uri: str, access: Access) -> None:
    """Remove a file; one that is gone already is no error.

    :param uri: the full key or path.
    """
    fs, path = access.file(uri)
    with suppress(FileNotFoundError):
        fs.rm_file(path)


def names_below(uri: str, access: Access) -> list[str]:
    """Return the names of files and folders directly below a folder, sorted; those of folders end in ``/``.

    :param uri: ends in ``/``; a folder that does not exist has none.
    """
    fs, path = access.file(uri)
    fs.invalidate_cache()
    try:
        found = fs.ls(path.rstrip("/"), detail=True)
    except FileNotFoundError:
        return []
    names = ((entry["name"].rstrip("/").rpartition("/")[2], entry["type"]) for entry in found)
    return sorted(f"{name}/" if kind == "directory" else name for name, kind in names if name)


def upload_texts(texts: Iterable[tuple[str, bytes]], prefix: str, access: Access) -> None:
    """Upload each text to a file of its own, many in parallel.

    :param texts: names of files and their contents; few are in memory at a time.
    :param prefix: ends in ``/``; the folder of a local path is created.
    """
    target = access.path(prefix)
    if not prefix.startswith(S3):
        target.mkdir(parents=True, exist_ok=True)
        for name, text in texts:
            (target / name).write_bytes(text)
        return
    folder = target.path.rstrip("/")
    group: dict[str, bytes] = {}
    size = 0
    for name, text in texts:
        group[f"{folder}/{name}"] = text
        size += len(text)
        if len(group) == _GROUP_FILES or size > _GROUP_BYTES:
            target.fs.pipe(group, batch_size=_PARALLEL_FILES)
            group, size = {}, 0
    target.fs.pipe(group, batch_size=_PARALLEL_FILES)
