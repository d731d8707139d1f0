from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nightsort.comprehend.limits import MAX_REAL_TIME_BYTES
from nightsort.real_time.documents import Document, file_documents, line_documents
from nightsort.real_time.endpoint import RefusedDocumentError
from nightsort.storage import plain_access

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("content", ["x" * MAX_REAL_TIME_BYTES, "é" * (MAX_REAL_TIME_BYTES // 2), b"%PDF"])
def test_what_a_request_may_hold_passes(content: str | bytes) -> None:
    Document("a", 0, content).check()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "EMPTY_DOCUMENT"),
        (b"", "EMPTY_DOCUMENT"),
        ("x" * (MAX_REAL_TIME_BYTES + 1), "TEXT_SIZE_LIMIT_EXCEEDED"),
        ("é" * (MAX_REAL_TIME_BYTES // 2 + 1), "TEXT_SIZE_LIMIT_EXCEEDED"),
        (b"x" * 10_000_001, "DOCUMENT_SIZE_EXCEEDED"),
    ],
)
def test_what_comprehend_would_refuse_is_refused_with_its_reason(content: str | bytes, code: str) -> None:
    with pytest.raises(RefusedDocumentError) as refused:
        Document("a", 0, content).check()
    assert refused.value.code == code
    assert "xx" not in str(refused.value), "no message holds a text"


def test_lines_are_those_of_a_job_and_files_of_one_name_stay_apart(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a.txt").write_bytes("one\r\n\ntwo\u2028\x0bof two\nlast".encode())
    (tmp_path / "b" / "a.txt").write_bytes(b"\xff\n")
    found = [*line_documents(f"{tmp_path}/", plain_access())]
    assert [(document.place, document.content) for document in found] == [
        (("a.txt", 0), "one"),
        (("a.txt", 1), ""),
        (("a.txt", 2), "two\u2028\x0bof two"),
        (("a.txt", 3), "last"),
        (("b/a.txt", 0), "\ufffd"),
    ]
    assert found[0].characters == 3


def test_a_file_is_one_document_as_text_or_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7 \xff")
    (tmp_path / "empty").write_bytes(b"")
    for as_bytes, content in ((True, b"%PDF-1.7 \xff"), (False, "%PDF-1.7 \ufffd")):
        first, empty = file_documents(f"{tmp_path}/", plain_access(), as_bytes=as_bytes)
        assert (first.place, first.content) == (("a.pdf", 0), content)
        assert not empty.content
    assert first.characters == 10
    (alone,) = file_documents(f"{tmp_path}/a.pdf", plain_access(), as_bytes=True)
    assert (alone.file, alone.characters) == ("a.pdf", 0)
