"""Local files on their way to where the spec wants them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from include.nightsort.access import Access

PART_BYTES = 8 * 2**20
"""What is sent at once; S3 takes 10,000 parts, so that this carries 80 GB and never more than some parts
in memory."""


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
    with local.open("rb") as source, target.open(mode="wb", block_size=PART_BYTES) as sink:
        shutil.copyfileobj(source, sink, PART_BYTES)
