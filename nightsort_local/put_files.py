"""Copy a user's files into the local S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nightsort.layout import S3
from nightsort.wording import number_of, one_line
from nightsort_local.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path

    from nightsort.storage import Access


def put_files(source: Path, uri: str, access: Access) -> int:
    """Copy a file, or a folder with all that is in it. Files whose name begins with a dot are left out.

    :param source: the file or the folder.
    :param uri: a full key for a file, or a prefix that ends in ``/``. The bucket is created if needed.
    :param access: how to reach the bucket.
    :returns: the number of files.
    :raises StackError: if the file, the folder or the URI cannot be used.
    """
    bucket, _, prefix = uri.removeprefix(S3).partition("/")
    shown = one_line(str(source))
    if not uri.startswith(S3) or not bucket:
        raise StackError(f"{uri} is not a place in S3: write it as s3://bucket/prefix/.")
    if not source.exists():
        raise StackError(f"{shown} does not exist.")
    if source.is_dir() and prefix and not prefix.endswith("/"):
        raise StackError(f"{shown} is a folder, so {uri} must end in /: write {uri}/.")
    targets = _targets(source, prefix)
    if not targets:
        raise StackError(f"{shown} holds no files.")
    try:
        root = access.path(f"{S3}{bucket}")
        root.mkdir(exist_ok=True)
        root.fs.put([str(file) for file in targets], [f"{bucket}/{key}" for key in targets.values()])
    except (OSError, ValueError) as error:
        raise StackError(
            f"{number_of(len(targets), 'file')} could not be copied to {uri}: {one_line(str(error))}"
        ) from error
    return len(targets)


def _targets(source: Path, prefix: str) -> dict[Path, str]:
    """Return the key of each file."""
    if source.is_file():
        return {source: f"{prefix}{source.name}" if prefix.endswith("/") or not prefix else prefix}
    files = (file for file in sorted(source.rglob("*")) if file.is_file())
    relative = ((file, file.relative_to(source)) for file in files)
    return {
        file: f"{prefix}{path.as_posix()}"
        for file, path in relative
        if not any(part.startswith(".") for part in path.parts)
    }
