"""A header row is told from a document: by its label, its text and the names in the spec."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import yaml

from nightsort.classifier_spec.model import load_spec
from nightsort.storage import plain_access
from nightsort.training.checks import TrainingDataError
from nightsort.training.header_rows import looks_like_header
from nightsort.training.prepare import prepare_training_data
from nightsort.training.training_files import TrainingFileWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
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


ROWS = [(label, f"document {number} of {label}") for number in range(30) for label in ("billing", "bug")]


def lines(rows: Sequence[tuple[str, ...]], delimiter: str = ",", quote: str = "") -> str:
    return "".join(delimiter.join(f"{quote}{cell}{quote}" for cell in row) + "\n" for row in rows)


def objects(rows: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"label": label, "text": text} for label, text in rows]


WITHOUT_HEADER = {"format": "csv", "header": False, "columns": ["label", "text"]}
HALVES = (ROWS[::2], ROWS[1::2])

LAYOUTS: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "header: false of a file with one": (
        WITHOUT_HEADER,
        {"a.csv": lines([("label", "text"), *ROWS])},
        "label",
    ),
    "the same, in capitals": (WITHOUT_HEADER, {"a.csv": lines([("LABEL", "TEXT"), *ROWS])}, "LABEL"),
    "the same, quoted": (
        WITHOUT_HEADER,
        {"a.csv": lines([("Class", "Document"), *ROWS], quote='"')},
        "Class",
    ),
    "the same, after a byte order mark": (
        WITHOUT_HEADER,
        {"a.csv": "\ufeff" + lines([("class", "document"), *ROWS])},
        "class",
    ),
    "the same, with two words each": (
        WITHOUT_HEADER,
        {"a.csv": lines([("product_category", "Customer Message"), *ROWS])},
        "product_category",
    ),
    "the same, with an id": (
        {**WITHOUT_HEADER, "columns": ["id", "label", "text"]},
        {"a.csv": lines([("id", "label", "text"), *((str(n), *row) for n, row in enumerate(ROWS))])},
        "label",
    ),
    "header: false of many files with one each": (
        WITHOUT_HEADER,
        {f"{n:02}.csv": lines([("intent", "utterance"), *ROWS[n::20]]) for n in range(20)},
        "intent",
    ),
    "header: false of files whose headers differ": (
        WITHOUT_HEADER,
        {
            "a.csv": lines([("label", "text"), *HALVES[0]]),
            "b.csv": lines([("category", "body"), *HALVES[1]]),
        },
        "category",
    ),
    "header: false of one file among some without": (
        WITHOUT_HEADER,
        {"a.csv": lines(HALVES[0]), "b.csv": lines([("label", "text"), *HALVES[1]])},
        "label",
    ),
    "files with headers that were joined": (
        {"format": "csv"},
        {"a.csv": lines([("label", "text"), *HALVES[0], ("label", "text"), *HALVES[1]])},
        "label",
    ),
    "tabs": (
        {**WITHOUT_HEADER, "delimiter": "\t"},
        {"a.tsv": lines([("target", "sentence"), *ROWS], delimiter="\t")},
        "target",
    ),
    "a JSON list": (
        {"format": "jsonl"},
        {"a.json": json.dumps(objects([("label", "text"), *ROWS]))},
        "label",
    ),
    "JSON lines": (
        {"format": "jsonl"},
        {"a.jsonl": "".join(json.dumps(row) + "\n" for row in objects([("label", "text"), *ROWS]))},
        "label",
    ),
}


@pytest.mark.parametrize("mode", ["MULTI_CLASS", "MULTI_LABEL"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_header_row_is_found_before_it_is_paid_for(tmp_path: Path, layout: str, mode: str) -> None:
    source, files, label = LAYOUTS[layout]
    (tmp_path / "labelled").mkdir()
    for name, content in files.items():
        (tmp_path / "labelled" / name).write_text(content, encoding="utf-8")
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        yaml.safe_dump(
            {
                "name": "tickets",
                "mode": mode,
                "labelled": {"uri": f"{tmp_path}/labelled/", **source},
                "incoming": {"uri": "s3://bucket/incoming/{day}/", "format": "lines"},
                "work_uri": str(tmp_path / "work"),
                "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
            }
        )
    )

    with pytest.raises(TrainingDataError, match=f'"{label}".* looks? like the name of a column'):
        prepare_training_data(load_spec(spec), plain_access())
