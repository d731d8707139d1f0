"""A user's files get into the local S3 with one command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nightsort.storage import plain_access
from nightsort_local.errors import StackError
from nightsort_local.put_files import put_files
from tests.integration.local_aws_server import local_aws

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nightsort.storage import Access


@pytest.fixture(scope="module")
def access() -> Iterator[Access]:
    with local_aws() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield plain_access()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("docs.csv", "2026-11-20/a b.csv", "2026-11-21/ümlaut.csv", ".DS_Store", ".git/config"):
        file = tmp_path / "mine" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name, encoding="utf-8")
    return tmp_path / "mine"


def keys(access: Access, bucket: str) -> list[str]:
    return sorted(path.removeprefix(f"{bucket}/") for path in access.path(f"s3://{bucket}").fs.find(bucket))


def test_a_folder_is_copied_with_all_that_is_in_it_into_a_new_bucket(access: Access, folder: Path) -> None:
    assert put_files(folder, "s3://new-bucket/tickets/", access) == 3
    assert keys(access, "new-bucket") == [
        "tickets/2026-11-20/a b.csv",
        "tickets/2026-11-21/ümlaut.csv",
        "tickets/docs.csv",
    ]
    copied = access.path("s3://new-bucket/tickets/2026-11-21/ümlaut.csv")
    assert copied.read_text(encoding="utf-8") == "2026-11-21/ümlaut.csv"


def test_a_second_time_replaces_and_a_bucket_that_is_there_is_used(access: Access, folder: Path) -> None:
    for _ in range(2):
        assert put_files(folder, "s3://again", access) == 3
    assert len(keys(access, "again")) == 3


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("s3://one-file/a/", "a/docs.csv"),
        ("s3://one-file/other.csv", "other.csv"),
        ("s3://one-file", "docs.csv"),
    ],
)
def test_a_file_goes_to_a_prefix_or_to_a_key(access: Access, folder: Path, uri: str, key: str) -> None:
    assert put_files(folder / "docs.csv", uri, access) == 1
    assert key in keys(access, "one-file")


@pytest.mark.parametrize(
    ("source", "uri", "said"),
    [
        ("mine", "s3://bucket/prefix", r"is a folder, so .* must end in /: write s3://bucket/prefix/"),
        ("mine", "bucket/prefix/", "write it as s3://bucket/prefix/"),
        ("mine", "s3:///prefix/", "write it as s3://bucket/prefix/"),
        ("nothing", "s3://bucket/prefix/", "nothing does not exist"),
        ("mine/.git", "s3://bucket/UPPER/", ""),
        ("empty", "s3://bucket/prefix/", "empty holds no files"),
        ("mine", "s3://No_Bucket!/prefix/", "could not be copied to s3://No_Bucket!/prefix/: "),
    ],
)
def test_what_cannot_be_copied_is_said_with_the_remedy(
    access: Access, folder: Path, source: str, uri: str, said: str
) -> None:
    (folder.parent / "empty").mkdir()
    if not said:
        assert put_files(folder.parent / source, uri, access) == 1
        return
    with pytest.raises(StackError, match=said):
        put_files(folder.parent / source, uri, access)
