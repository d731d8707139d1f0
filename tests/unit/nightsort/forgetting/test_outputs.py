"""What is left of a job's output: everything about other documents, as the load reads it."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.forgetting.outputs import drop_results
from nightsort.results.archive import ArchiveError
from nightsort.results.columns import read_predictions
from nightsort.storage import plain_access

if TYPE_CHECKING:
    from pathlib import Path


def packed(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo("predictions.jsonl")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def after(folder: Path, content: bytes, places: dict[str, frozenset[int] | None]) -> tuple[int, bytes]:
    archive, scratch = folder / "job" / "output.tar.gz", folder / "scratch"
    archive.parent.mkdir(exist_ok=True)
    scratch.mkdir(exist_ok=True)
    archive.write_bytes(packed(content))
    dropped = drop_results(str(archive), places, plain_access(), scratch)
    with tarfile.open(archive) as tar:
        member = tar.extractfile("predictions.jsonl")
        assert member is not None
        return dropped, member.read()


def row(line: int | None, file: str = "b.txt") -> str:
    place = {"File": file, **({} if line is None else {"Line": str(line)})}
    return json.dumps({**place, "Classes": [{"Name": f"of {file} {line}", "Score": 0.5}]})


@given(st.lists(st.integers(0, 20), max_size=30), st.sets(st.integers(0, 20)), st.booleans())
def test_results_of_other_lines_stay_byte_for_byte(
    tmp_path_factory: Any, lines: list[int], forgotten: set[int], end: bool
) -> None:
    content = "\n".join(map(row, lines)).encode() + (b"\n" if end and lines else b"")
    folder = tmp_path_factory.mktemp("output")
    dropped, left = after(folder, content, {"b.txt": frozenset(forgotten)})
    kept = [line for line in lines if line not in forgotten]
    assert dropped == len(lines) - len(kept)
    assert left.split() == "\n".join(map(row, kept)).encode().split()
    found = [p["line"] for b in read_predictions(io.BytesIO(packed(left))) for p in b.predictions.to_pylist()]
    assert found == kept


@pytest.mark.parametrize(
    "piece",
    [
        '{"File": "b.txt", "Line": "7", "ErrorCode": "INTERNAL_SERVER_ERROR"}',
        '{"File": "b.txt", "Line": 7, "Labels": []}',
        '{"File": "b.txt", "Line": "7", "Classes": [{"Name": "cut',
        '{"File": "b.txt", "Line": "7", "Classes": [{“Name": "curly"}]}',
        row(7) + row(7),
    ],
)
def test_whatever_form_its_result_has_it_goes_and_its_neighbours_stay(tmp_path: Path, piece: str) -> None:
    for content in (f"{row(6)}\n{piece}\n{row(8)}\n", f"{row(6)} {piece}{row(8)}\n"):
        dropped, left = after(tmp_path, content.encode(), {"b.txt": frozenset({7})})
        assert dropped >= 1
        text = left.decode()
        assert '"7"' not in text
        assert '"Line": 7' not in text
        found = [
            p["line"] for b in read_predictions(io.BytesIO(packed(left))) for p in b.predictions.to_pylist()
        ]
        assert found == [6, 8]


def test_where_a_file_is_a_document_its_name_tells(tmp_path: Path) -> None:
    content = "\n".join([row(None, "T-17"), row(None, "T-18")]).encode()
    assert after(tmp_path, content, {"T-17": None}) == (1, row(None, "T-18").encode())


def test_lines_of_other_files_stay(tmp_path: Path) -> None:
    content = row(7, "other.txt").encode()
    assert after(tmp_path, content, {"b.txt": frozenset({7})}) == (0, content)


def test_a_damaged_output_is_an_error_and_stays(tmp_path: Path) -> None:
    archive = tmp_path / "output.tar.gz"
    archive.write_bytes(packed(row(7).encode())[:-20])
    with pytest.raises(ArchiveError):
        drop_results(str(archive), {"b.txt": frozenset({7})}, plain_access(), tmp_path)
    assert archive.exists()
