"""What the reader of Comprehend's archives promises: one member as a stream, a clear error for all else."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from nightsort.comprehend import limits
from nightsort.results.archive import (
    ArchiveError,
    DamagedArchiveError,
    max_unpacked_bytes,
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


def test_an_archive_as_a_path_is_named_in_the_error(tmp_path: Path) -> None:
    path = UPath(tmp_path / "output.tar.gz")
    path.write_bytes(tar_gz(("report.pdf.out", b"{}")))
    with pytest.raises(ArchiveError, match=r"output\.tar\.gz: has no predictions\.jsonl.*'report\.pdf\.out'"):
        list(read_member(path, NAME))


def test_no_member_at_all() -> None:
    with pytest.raises(ArchiveError, match="it holds nothing"):
        read(tar_gz())


def test_two_members_of_the_name() -> None:
    with pytest.raises(ArchiveError, match="more than one predictions"):
        read(tar_gz((NAME, CONTENT), ("again/" + NAME, CONTENT)))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_what_is_no_plain_file_is_refused(kind: bytes) -> None:
    member = tarfile.TarInfo(NAME)
    member.type = kind
    member.linkname = "/etc/passwd"
    with pytest.raises(ArchiveError):
        read(tar_gz(member))


def test_a_sparse_file_is_refused() -> None:
    member = tarfile.TarInfo(NAME)
    member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" * 18}
    with pytest.raises(ArchiveError):
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
    with pytest.raises(DamagedArchiveError, match="unexpected end of data"):
        read(gzip.compress(whole[:5_000]))


@pytest.mark.parametrize("content", [b"no gzip at all", b"\x1f\x8b", gzip.compress(b"no tar" * 200, mtime=0)])
def test_what_is_no_archive_is_damaged(content: bytes) -> None:
    with pytest.raises(DamagedArchiveError):
        read(content)


def test_a_huge_declared_size_is_not_believed() -> None:
    member = tarfile.TarInfo(NAME)
    member.size = 2**40
    with pytest.raises(DamagedArchiveError, match="unexpected end of data"):
        read(gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + CONTENT))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_huge_extended_header_is_refused_and_not_read_into_memory(kind: bytes) -> None:
    member = tarfile.TarInfo("header")
    member.type = kind
    member.size = 200_000_000
    archive = gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(member.size))
    tracemalloc.start()
    try:
        with pytest.raises(DamagedArchiveError, match="tar headers of more than"):
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


@pytest.mark.parametrize("what", ["the member", "another member", "no end of the archive"])
def test_a_bomb_is_given_up_in_bounded_memory(what: str) -> None:
    """Some 100 kB that stand for 100 MB, where the job had one document."""
    zeros = bytes(100_000_000)
    if what == "the member":
        archive = tar_gz((NAME, zeros))
    elif what == "another member":
        archive = tar_gz(("other.jsonl", zeros), (NAME, CONTENT))
    else:
        archive = gzip.compress(gzip.decompress(tar_gz((NAME, CONTENT))) + zeros)
    del zeros
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match=r"more than 67,174,400 bytes.*shorten the labels"):
            for _ in read_member(io.BytesIO(archive), NAME, max_bytes=max_unpacked_bytes(1)):
                pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


def test_the_longest_labels_that_there_are_fit_into_the_limit() -> None:
    label = "\U00010348" * limits.MAX_LABEL_CHARACTERS
    entries = [{"Name": label, "Score": 0.333333333333}] * limits.MAX_RETURNED_CLASSES
    line = json.dumps({"File": "x" * 255, "Line": "999999", "Labels": entries}, ensure_ascii=False)
    assert max_unpacked_bytes(1_000_000) > 1_000_000 * len(line.encode())


def test_several_gzip_members_are_one_file() -> None:
    tar = gzip.decompress(tar_gz((NAME, CONTENT)))
    parts = [gzip.compress(tar[start : start + 700]) for start in range(0, len(tar), 700)]
    assert read(b"".join(parts)) == CONTENT
    assert read(b"".join(parts) + bytes(512)) == CONTENT


@pytest.mark.parametrize("garbage", [b"x", b"\x1f\x8b", b"garbage" * 100, gzip.compress(b"x", mtime=0)[:-3]])
def test_garbage_behind_the_archive_is_damage(garbage: bytes) -> None:
    with pytest.raises(DamagedArchiveError, match="not a complete gzip file"):
        read(tar_gz((NAME, CONTENT)) + garbage)


def test_cut_off_at_any_byte_it_is_damaged() -> None:
    archive = tar_gz((NAME, CONTENT))
    for length in range(1, len(archive)):
        with pytest.raises(DamagedArchiveError):
            read(archive[:length])


def test_cut_off_at_any_block_before_it_was_packed_no_row_is_lost_in_silence() -> None:
    """Without the two blocks of zeros at its end a tar still says all that it holds."""
    tar = gzip.decompress(tar_gz((NAME, CONTENT)))
    content_ends = 512 + -(-len(CONTENT) // 512) * 512
    for length in range(0, len(tar), 512):
        archive = gzip.compress(tar[:length], 1)
        if length >= content_ends:
            assert read(archive) == CONTENT
        else:
            with pytest.raises(ArchiveError):
                read(archive)


@pytest.mark.parametrize("folder", ["../../", "/etc/", "/", "..\\..\\", "a/../", "./", "C:"])
def test_names_that_point_elsewhere_write_nothing(
    tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with suppress(ArchiveError):
        assert read(tar_gz((folder + NAME, CONTENT))) == CONTENT
    assert list(tmp_path.iterdir()) == []
    assert not Path("/etc", NAME).exists()
    assert not (tmp_path / "../.." / NAME).exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", NAME])
def test_a_link_is_never_followed(
    tmp_path: Path, kind: bytes, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    link = tarfile.TarInfo("elsewhere")
    # Some writers give a link the size of what it points to; its content is not there all the same.
    link.type, link.linkname, link.size = kind, target, 700
    assert read(tar_gz(link, (NAME, CONTENT))) == CONTENT
    inside = tarfile.TarInfo("elsewhere/" + NAME)
    inside.type, inside.linkname = kind, target
    with pytest.raises(ArchiveError):
        read(tar_gz(link, inside))
    assert list(tmp_path.iterdir()) == []


def test_an_archive_in_the_archive_is_not_looked_into() -> None:
    inner = tar_gz((NAME, CONTENT))
    with pytest.raises(ArchiveError, match="'output\\.tar\\.gz'"):
        read(tar_gz(("output.tar.gz", inner)))
    assert read(tar_gz(("output.tar.gz", inner), (NAME, b"x"))) == b"x"


@pytest.mark.parametrize(
    "records",
    [
        b"9999999999 path=x\n",
        b"0 path=x\n",
        b"3 =\n",
        b"no list of records",
        b"-5 path=x\n",
        b"1" * 1_000_000,
        b"12 path=a/b\n" + b"1" * 500_000 + b" path=x\n",
    ],
)
def test_pax_records_that_are_none_are_damage_found_in_no_time(records: bytes) -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, len(records)
    padded = records + bytes(-len(records) % 512)
    with pytest.raises(DamagedArchiveError):
        read(gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + padded, 1))


def test_many_pax_records_are_refused_and_not_read_into_memory() -> None:
    whole = gzip.decompress(tar_gz((NAME, CONTENT)))
    headers = bytearray()
    for number in range(40):
        record = b"%07d key-%05d=" % (1_000_000, number)
        record += b"x" * (1_000_000 - len(record) - 1) + b"\n"
        header = tarfile.TarInfo("pax")
        header.type, header.size = tarfile.XHDTYPE, len(record)
        headers += header.tobuf(tarfile.GNU_FORMAT) + record + bytes(-len(record) % 512)
    archive = gzip.compress(bytes(headers) + whole, 1)
    del headers
    tracemalloc.start()
    try:
        with pytest.raises(DamagedArchiveError, match="tar headers of more than"):
            read(archive)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize("length", [5_000, 100_000])
def test_a_very_long_name_does_not_fill_the_message(length: int) -> None:
    with pytest.raises(ArchiveError) as caught:
        read(tar_gz(("x" * length, b""), tar_format=tarfile.GNU_FORMAT))
    assert len(str(caught.value)) < 500


MEMBERS = st.builds(
    tarfile.TarInfo,
    st.sampled_from([NAME, "../" + NAME, "/" + NAME, "other", "a" * 120 + "/" + NAME, "\udcff", ""]),
)
KINDS = st.sampled_from([*b"0123456\x007LKSVNMDxgX"]).map(lambda kind: bytes([kind]))


# 150 archives of every kind of member: 1 s.
@settings(max_examples=150)
@given(
    st.lists(st.tuples(MEMBERS, KINDS, st.integers(0, 3) | st.sampled_from([600, 2**33, -1])), max_size=4),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.booleans(),
)
def test_whatever_the_members_the_content_is_that_of_one_file_or_there_is_a_named_error(
    members: list[tuple[tarfile.TarInfo, bytes, int]], tar_format: Literal[1, 2], end: bool
) -> None:
    packed = b""
    for number, (info, kind, size) in enumerate(members):
        info.type, info.size, info.linkname = kind, size, "/etc/passwd"
        packed += info.tobuf(tar_format, errors="surrogateescape")
        packed += bytes([65 + number]) * min(max(size, 0), 600)
        packed += bytes(-len(packed) % 512)
    try:
        content = read(gzip.compress(packed + bytes(1024) * end, 1))
    except ArchiveError:
        return
    assert len(set(content)) <= 1


# 300 times four archives: 1.5 s; headers are read anew after each of them, so more find nothing else.
@settings(max_examples=300)
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
