"""Storage and SQL connections, given by the caller, and uploads.

The domain opens no connections by itself. Airflow passes paths bound to a connection, the command line passes
plain ones, and a test a folder; the code between is the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from upath import UPath

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

Progress = Callable[[str, int], None]
"""Called now and then with what is being done (one line for a person) and the number of documents done."""

S3_OPTIONS: Final[dict[str, Any]] = {"config_kwargs": {"max_pool_connections": 32}}
"""How s3fs is opened. Its default of 10 connections makes parallel requests wait: with 30 ms for an answer,
245 small objects a second are written with 10 connections, 610 with 32."""

UPLOAD_PART_BYTES: Final = 8 * 2**20
"""Size of a part of a large object; S3 takes 10,000 parts, so an object may have 80 GB."""

_PARALLEL_PARTS: Final = 4
"""One stream to S3 carries some 50 to 100 MB a second, a machine more."""

_PARALLEL_FILES: Final = 32
"""S3 takes some 30 ms to answer, and a core sends some 1,000 small objects a second."""

_GROUP_FILES: Final = 1_024
_GROUP_BYTES: Final = 16 * 2**20


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


def plain_access() -> Access:
    """Return access with the environment's settings (``AWS_ENDPOINT_URL``, …) and without databases."""
    return Access(path=lambda uri: UPath(uri, **(S3_OPTIONS if uri.startswith("s3://") else {})))


def upload(local: Path, uri: str, access: Access, *, move: bool = False) -> None:
    """Upload a local file.

    :param local: the file.
    :param uri: the full key or path; folders of a local path are created.
    :param move: the local file may go: on the same disk it is then moved and not copied.
    """
    target = access.path(uri)
    if not uri.startswith("s3://"):
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.move if move else shutil.copyfile)(local, target.path)
        return
    target.fs.put_file(str(local), target.path, chunksize=UPLOAD_PART_BYTES, max_concurrency=_PARALLEL_PARTS)


def upload_texts(texts: Iterable[tuple[str, bytes]], prefix: str, access: Access) -> None:
    """Upload each text to a file of its own, many in parallel.

    :param texts: names of files and their contents; few are in memory at a time.
    :param prefix: ends in ``/``; the folder of a local path is created.
    """
    target = access.path(prefix)
    if not prefix.startswith("s3://"):
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
