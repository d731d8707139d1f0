"""A header row is told from a document: by its label, its text and the names in the spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from nightsort.training.header_rows import looks_like_header
from nightsort.training.training_files import TrainingFileWriter

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("label", "text"),
        ("Category", "Comment Text"),
        ("class", "comment_text"),
        ("sentiment", "SentimentText"),
        ("Kategorie", "Nachricht"),
        ("étiquette", "texte"),
        ("target", "v2"),
        ("v1", "body"),
        ("Rating", "Review Text"),
        ("label", "id;text;date"),
    ],
)
def test_a_header_row_is_recognised(label: str, text: str) -> None:
    assert looks_like_header(label, text)


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("refund", "Where is my money?"),
        ("praise", "great review"),
        ("label", "The text of this label is a sentence."),
        ("bug", "crash"),
        ("spam", "text " * 40),
        ("category", ""),
    ],
)
def test_a_document_is_not(label: str, text: str) -> None:
    assert not looks_like_header(label, text)


def test_names_that_the_spec_gives_to_columns_are_recognised() -> None:
    assert not looks_like_header("sparte", "anliegen")
    assert looks_like_header("sparte", "anliegen", columns=frozenset({"sparte", "anliegen"}))


def test_a_document_is_read_back_from_among_all(tmp_path: Path) -> None:
    texts = [f'text "{n}", ä' for n in range(12)]
    with TrainingFileWriter(tmp_path, None) as writer:
        sizes = writer.add(pa.array(["a, b"] * 12), pa.array(texts)).tolist()
        offsets = [sum(sizes[:n]) for n in range(12)]

        assert [writer.text(offset, size) for offset, size in zip(offsets, sizes, strict=True)] == texts
