"""Documents per line and per file are read in their order."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, cast

from nightsort.sources import text_files
from nightsort.sources.source_files import SourceFile, list_files
from nightsort.sources.streams import open_files
from nightsort.sources.text_files import read_files, read_lines
from nightsort.storage import plain_access

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_last_line_needs_no_line_end() -> None:
    (part,) = read_lines([(SourceFile("x", "x"), io.BytesIO(b"a\nb"))])

    assert part.texts.to_pylist() == [b"a\n", b"b"]


def test_a_text_of_a_batch_may_begin_like_another_kind_of_file() -> None:
    opened = [(SourceFile("x", "x"), cast("IO[bytes]", io.BytesIO(b"%PDF-1.7 is what I cannot open")))]

    (part,) = read_files(opened, labelled=False)

    assert part.texts.to_pylist() == [b"%PDF-1.7 is what I cannot open"]


def test_many_files_come_in_the_order_of_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "FILES_PER_BATCH", 7)
    for number in range(50):
        (tmp_path / f"{number:02d}.txt").write_text(f"text {number}")

    access = plain_access()
    parts = list(read_files(open_files(list_files(f"{tmp_path}/", access), access), labelled=False))

    assert [text for part in parts for text in part.texts.to_pylist()] == [
        f"text {n}".encode() for n in range(50)
    ]
    assert max(len(part.rows) for part in parts) == 7
