"""What the reader of Comprehend's archives promises: one member as a stream, a clear error for all else."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.nightsort.job_output.archives import (
    ArchiveError,
    DamagedArchiveError,
    MemberMissingError,
    MemberNotAFileError,
    MemberTwiceError,
    read_member,
)

NAME = "predictions.jsonl"
CONTENT = b'{"File": "a.txt"}\n' * 1_000


def tar_gz(*members: tuple[str, bytes] | tarfile.TarInfo, tar_format: int = tarfile.DEFAULT_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tar_format) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def read(archive: bytes) -> bytes:
    return b"".join(read_member(io.BytesIO(archive), NAME))


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("folder", ["", "output/", "a/b/c/", "very-long-folder-name/" * 6])
def test_the_member_is_found_at_the_root_and_in_folders(folder: str, tar_format: int) -> None:
    assert read(tar_gz((folder + NAME, CONTENT), tar_format=tar_format)) == CONTENT


def test_a_path_that_only_pax_can_write_is_found() -> None:
    name = "ünïcode/" * 40 + NAME
    assert read(tar_gz((name, CONTENT), tar_format=tarfile.PAX_FORMAT)) == CONTENT


def test_other_members_are_stepped_over() -> None:
    folder = tarfile.TarInfo("output")
    folder.type = tarfile.DIRTYPE
    link = tarfile.TarInfo("output/latest")
    link.type = tarfile.SYMTYPE
    link.linkname = "../../etc/passwd"
    archive = tar_gz(folder, ("._" + NAME, b"\0" * 700), link, (NAME, CONTENT), ("notes.txt", b"x"))
    assert read(archive) == CONTENT


def test_an_empty_member_is_empty() -> None:
    assert read(tar_gz((NAME, b""))) == b""


def test_an_archive_as_a_path_is_named_in_the_error(tmp_path) -> None:
    path = tmp_path / "output.tar.gz"
    path.write_bytes(tar_gz(("report.pdf.out", b"{}")))
    with pytest.raises(
        MemberMissingError, match=r"output\.tar\.gz: has no predictions\.jsonl.*'report\.pdf\.out'"
    ):
        list(read_member(path, NAME))


def test_no_member_at_all() -> None:
    with pytest.raises(MemberMissingError, match="it holds nothing"):
        read(tar_gz())


def test_two_members_of_the_name() -> None:
    with pytest.raises(MemberTwiceError, match="more than one predictions"):
        read(tar_gz((NAME, CONTENT), ("again/" + NAME, CONTENT)))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_what_is_no_plain_file_is_refused(kind: bytes) -> None:
    member = tarfile.TarInfo(NAME)
    member.type = kind
    member.linkname = "/etc/passwd"
    with pytest.raises(MemberNotAFileError):
        read(tar_gz(member))


def test_a_sparse_file_is_refused() -> None:
    member = tarfile.TarInfo(NAME)
    member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" * 18}
    with pytest.raises(MemberNotAFileError):
        read(tar_gz(member, tar_format=tarfile.PAX_FORMAT))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_archive_is_damaged(share: float) -> None:
    archive = tar_gz((NAME, os.urandom(50_000)))
    with pytest.raises(DamagedArchiveError, match="not a complete gzip file"):
        read(archive[: int(len(archive) * share)])


def test_damage_behind_the_member_is_found() -> None:
    archive = bytearray(tar_gz((NAME, CONTENT)))
    archive[-5] ^= 0xFF
    with pytest.raises(DamagedArchiveError, match="gzip"):
        read(bytes(archive))


def test_a_tar_that_was_cut_before_it_was_packed_is_damaged() -> None:
    whole = gzip.decompress(tar_gz((NAME, CONTENT)))
    with pytest.raises(DamagedArchiveError, match="cut off inside a member"):
        read(gzip.compress(whole[:5_000]))


@pytest.mark.parametrize("content", [b"no gzip at all", b"\x1f\x8b", gzip.compress(b"no tar" * 200)])
def test_what_is_no_archive_is_damaged(content: bytes) -> None:
    with pytest.raises(DamagedArchiveError):
        read(content)


def test_a_huge_declared_size_is_not_believed() -> None:
    member = tarfile.TarInfo(NAME)
    member.size = 2**40
    with pytest.raises(DamagedArchiveError, match="bytes are missing"):
        read(gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + CONTENT))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_huge_extended_header_is_refused_and_not_read_into_memory(kind: bytes) -> None:
    member = tarfile.TarInfo("header")
    member.type = kind
    member.size = 200_000_000
    archive = gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(member.size))
    tracemalloc.start()
    try:
        with pytest.raises(DamagedArchiveError, match="200000000 bytes"):
            read(archive)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


def test_a_large_member_streams_in_bounded_memory() -> None:
    archive = tar_gz((NAME, bytes(100_000_000)))
    tracemalloc.start()
    try:
        size = sum(map(len, read_member(io.BytesIO(archive), NAME)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == 100_000_000
    assert peak < 20_000_000


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=2_000), st.integers(0, 3_000), st.binary(min_size=1, max_size=40))
def test_whatever_the_bytes_only_named_errors_come_out(noise: bytes, place: int, splice: bytes) -> None:
    """Noise as a file, as a tar, and spliced into a good archive on either side of the compression."""
    good = tar_gz((NAME, CONTENT))
    unpacked = gzip.decompress(good)
    for archive in (
        noise,
        gzip.compress(noise),
        good[: place % len(good)] + splice + good[place % len(good) + len(splice) :],
        gzip.compress(unpacked[:place] + splice + unpacked[place + len(splice) :]),
    ):
        with suppress(ArchiveError):
            read(archive)
