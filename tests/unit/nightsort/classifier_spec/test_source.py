"""A source whose keys do not fit together is refused with the key and the remedy."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from nightsort.classifier_spec.problems import describe
from nightsort.classifier_spec.source import LabelledSource, Source


def refused(kind: type[Source], **keys: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(keys)
    models: dict[str, type[BaseModel]] = {"": kind, "labelled": LabelledSource}
    return [f"{problem.key}: {problem.message}" for problem in describe(caught.value.errors(), models)]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, "uri: is missing; give a uri (with its format) or sql (with its conn_id)"),
        ({"uri": "s3://bucket/x", "format": "csv", "sql": "SELECT 1"}, "sql: uri and sql are both given"),
        ({"uri": "s3://bucket/x"}, "format: is missing; say what the files hold"),
        ({"uri": "s3://bucket/x", "format": "csv", "conn_id": "db"}, "conn_id: belongs to sql"),
        ({"uri": "s3://bucket", "format": "csv"}, "names a whole bucket"),
        ({"uri": "s3://bucket/", "format": "csv"}, "names a whole bucket"),
        ({"uri": "s3://bucket/{date}/", "format": "csv"}, "the only placeholder is {day}"),
        ({"uri": "s3://bucket/{day", "format": "csv"}, "the only placeholder is {day}"),
        ({"uri": " s3://bucket/x", "format": "csv"}, "begins or ends with a space"),
        ({"uri": "", "format": "csv"}, "uri: is empty"),
        ({"uri": "http://bucket/x", "format": "csv"}, "http:// cannot be read"),
        ({"sql": "SELECT 1"}, "conn_id: is missing"),
        ({"sql": " ", "conn_id": "db"}, "sql: is empty"),
        ({"sql": "SELECT {today}", "conn_id": "db"}, "{today} is an unknown placeholder"),
        ({"sql": "SELECT 1", "conn_id": "db", "format": "csv"}, "format: belongs to uri"),
        (
            {"uri": "a.csv", "format": "csv", "columns": ["a"]},
            "columns: the header row already names the columns",
        ),
        ({"uri": "a.csv", "format": "csv", "header": False}, "columns: is missing: there is no header row"),
        (
            {"uri": "a.csv", "format": "csv", "header": False, "columns": ["label", "body"]},
            'text_column: "text" is not among columns (label, body)',
        ),
        (
            {"uri": "a.csv", "format": "csv", "header": False, "columns": ["text", "text"]},
            'columns: "text" occurs twice',
        ),
        (
            {"uri": "a.csv", "format": "csv", "header": False, "columns": ["text", ""]},
            "columns: has an empty name",
        ),
        ({"uri": "a.csv", "format": "csv", "id_column": "text"}, '"text" is also id_column'),
        (
            {"uri": "a", "format": "tsv", "delimiter": ";"},
            "delimiter: does not go with format tsv",
        ),
        ({"uri": "a", "format": "jsonl", "delimiter": ";"}, "delimiter: does not go with format jsonl"),
        ({"uri": "a", "format": "lines", "escape": "\\"}, "escape: does not go with format lines"),
        (
            {"uri": "a", "format": "parquet", "encoding": "cp1252"},
            "encoding: does not go with format parq",
        ),
        ({"sql": "SELECT 1", "conn_id": "db", "encoding": "cp1252"}, "encoding: belongs to uri"),
        ({"uri": "a", "format": "csv", "delimiter": "||"}, 'delimiter: "||" cannot separate fields'),
        ({"uri": "a", "format": "csv", "delimiter": ""}, 'delimiter: "" cannot separate fields'),
        ({"uri": "a", "format": "csv", "delimiter": '"'}, "cannot separate fields"),
        ({"uri": "a", "format": "csv", "delimiter": "a"}, "cannot separate fields"),
        (
            {"uri": "a", "format": "csv", "delimiter": "\\t"},
            r'";"  or  delimiter: "\t"',
        ),
        ({"uri": "a", "format": "csv", "escape": '"'}, 'escape: "\\"" cannot escape quotes'),
        ({"uri": "a", "format": "csv", "escape": "|", "delimiter": "|"}, "escape: is also the delimiter"),
        ({"uri": "a", "format": "csv", "escape": ","}, "escape: is also the delimiter"),
        (
            {"uri": "a", "format": "csv", "encoding": "utf-88"},
            '"utf-88" is not an encoding of text',
        ),
        ({"uri": "a", "format": "csv", "encoding": "rot13"}, "is not an encoding of text"),
        ({"uri": "a", "format": "csv", "encoding": "base64"}, "is not an encoding of text"),
        ({"uri": "a", "format": "csv", "encoding": "idna"}, "is not an encoding of text"),
        ({"uri": "a", "format": "csv", "encoding": "a\x00b"}, "is not an encoding of text"),
        ({"uri": "a", "format": "csv", "encoding": 1252}, "encoding: must be text, but YAML reads 1252"),
        ({"uri": "a", "format": "jsonl", "header": True}, "header: does not go with format jsonl"),
        ({"uri": "a", "format": "parquet", "columns": ["text"]}, "columns: does not go with format parquet"),
        (
            {"uri": "a", "format": "lines", "text_column": "text"},
            "text_column: does not go with format lines",
        ),
        ({"uri": "a", "format": "files", "id_column": "id"}, "id_column: does not go with format files"),
        (
            {"uri": "a", "format": "augmented_manifest"},
            "format: augmented_manifest is for labelled documents; use jsonl with text_column: source",
        ),
        ({"uri": "a", "format": "csv", "label_column": "x"}, "label_column: belongs to labelled, not here"),
    ],
)
def test_keys_that_do_not_fit_together_are_refused(keys: dict[str, Any], expected: str) -> None:
    messages = refused(Source, **keys)

    assert len(messages) == 1
    assert expected in messages[0]


@pytest.mark.parametrize(
    "keys",
    [
        {"format": "csv", "delimiter": ";", "escape": "\\", "encoding": "cp1252"},
        {"format": "csv", "delimiter": "\t"},
        {"format": "csv", "delimiter": "\x01"},
        {"format": "tsv", "escape": "\\"},
        {"format": "jsonl", "encoding": "UTF-16"},
        {"format": "lines", "encoding": "Latin 1"},
        {"format": "files", "encoding": "iso-8859-15"},
        {"format": "parquet"},
    ],
)
def test_a_dialect_can_be_named_where_it_means_something(keys: dict[str, Any]) -> None:
    assert Source(uri="a", **keys).format == keys["format"]


def test_lines_cannot_be_labelled() -> None:
    assert "format: lines cannot have labels" in refused(LabelledSource, uri="a", format="lines")[0]


def test_the_label_may_not_be_the_text() -> None:
    assert 'text_column: "label" is also label_column' in "".join(
        refused(LabelledSource, uri="a", format="csv", text_column="label")
    )


def test_files_have_no_label_column() -> None:
    assert "label_column: does not go with format files" in "".join(
        refused(LabelledSource, uri="a/", format="files", label_column="label")
    )


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"format": "augmented_manifest"}, "attribute: is missing; lines with the key topic-metadata"),
        (
            {"format": "augmented_manifest", "attribute": "a-metadata"},
            'itself, without "-metadata"',
        ),
        ({"format": "jsonl", "attribute": "topic"}, "attribute: belongs to format augmented_manifest"),
        (
            {"format": "augmented_manifest", "attribute": "topic", "text_column": "body"},
            "text_column: does not go with format augmented_manifest",
        ),
        (
            {"format": "augmented_manifest", "attribute": "topic", "label_column": "topic"},
            "label_column: does not go with format augmented_manifest",
        ),
    ],
)
def test_an_augmented_manifest_needs_its_attribute_and_no_columns(
    keys: dict[str, Any], expected: str
) -> None:
    assert expected in "".join(refused(LabelledSource, uri="a", **keys))


def test_an_augmented_manifest_may_have_ids() -> None:
    assert LabelledSource(uri="a", format="augmented_manifest", attribute="topic", id_column="id").labelled


def test_only_a_labelled_source_is_labelled() -> None:
    assert not Source(uri="a", format="csv").labelled
    assert LabelledSource(uri="a", format="csv").labelled
