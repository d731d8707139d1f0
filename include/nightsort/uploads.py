"""Local files on their way to where the spec wants them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from include.nightsort.access import Access

PART_BYTES = 8 * 2**20
"""What is sent at once; S3 takes 10,000 parts, so that this carries 80 GB and never more than some parts
in memory."""


def upload(local: Path, uri: str, access: Access) -> None:
    """Copy a local file to a URI, in parts.

    :param local: the file to copy.
    :param uri: the full key or path; folders of a local path are created.
    """
    target = access.path(uri)
    options: dict[str, Any] = {}
    if uri.startswith("s3://"):
        options["block_size"] = PART_BYTES
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
    with local.open("rb") as source, target.open("wb", **options) as sink:
        shutil.copyfileobj(source, sink, PART_BYTES)
