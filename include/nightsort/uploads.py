"""Local files, and many small texts, on their way to where the spec wants them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nightsort.storage import Access

PART_BYTES: Final = 8 * 2**20
"""Size of a part of a large object; S3 takes 10,000 parts, so that this carries 80 GB."""

PARTS_AT_ONCE: Final = 4
"""Parts in memory and on their way: one stream to S3 carries some 50 to 100 MB a second, a machine more."""

FILES_AT_ONCE: Final = 32
"""Small objects on their way at once: S3 takes some 30 ms to answer, and a core sends some 1,000 a second."""

_FILES_TOGETHER: Final = 1_024
_BYTES_TOGETHER: Final = 16 * 2**20


def upload(local: Path, uri: str, access: Access, *, move: bool = False) -> None:
    """Bring a local file to a URI.

    :param local: the file.
    :param uri: the full key or path; folders of a local path are created.
    :param move: the file is not needed where it is: on one disk it then need not be written again.
    """
    target = access.path(uri)
    if not uri.startswith("s3://"):
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.move if move else shutil.copyfile)(local, target.path)
        return
    target.fs.put_file(str(local), target.path, chunksize=PART_BYTES, max_concurrency=PARTS_AT_ONCE)


def upload_texts(texts: Iterable[tuple[str, bytes]], prefix: str, access: Access) -> None:
    """Bring texts to files of their own, many at once where each takes its time.

    :param texts: names of files and what is in them; few are in memory at a time.
    :param prefix: ends in ``/``; the folder of a local path is created.
    """
    target = access.path(prefix)
    if not prefix.startswith("s3://"):
        target.mkdir(parents=True, exist_ok=True)
        for name, text in texts:
            (target / name).write_bytes(text)
        return
    folder = target.path.rstrip("/")
    together: dict[str, bytes] = {}
    size = 0
    for name, text in texts:
        together[f"{folder}/{name}"] = text
        size += len(text)
        if len(together) == _FILES_TOGETHER or size > _BYTES_TOGETHER:
            target.fs.pipe(together, batch_size=FILES_AT_ONCE)
            together, size = {}, 0
    target.fs.pipe(together, batch_size=FILES_AT_ONCE)
