"""What files look like, before anybody has described them."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nightsort.sources.first_look import FirstLook, look_at
from nightsort.sources.source_files import SourceError
from nightsort.storage import plain_access

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [("bug", "It does not start, and I do not know why."), ("praise", "Well done, thank you!")]


def table(delimiter: str = ",", header: str | None = "team,body") -> str:
    rows = [delimiter.join((label, f'"{text}"')) for label, text in ROWS]
    first = [] if header is None else [header.replace(",", delimiter)]
    return "\n".join([*first, *rows]) + "\n"


def seen(folder: Path, name: str, content: bytes | str) -> FirstLook:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return look_at(str(path), plain_access())


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        (table(), {"format": "csv"}),
        (table(";"), {"format": "csv", "delimiter": ";"}),
        (table("|"), {"format": "csv", "delimiter": "|"}),
        (table("\t"), {"format": "tsv"}),
        (table(header=None), {"format": "csv", "header": False, "columns": ["column_1", "column_2"]}),
        (
            'team,body\nbug,"She said \\"no, thanks\\"."\npraise,"\\"Yes\\", he said"\n',
            {"format": "csv", "escape": "\\"},
        ),
        ("\ufeff" + table(), {"format": "csv"}),
        (table().replace("\n", "\r\n"), {"format": "csv"}),
        ("a first line\nanother one\n", {"format": "lines"}),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_texts(tmp_path: Path, content: str, keys: dict[str, Any], packed: bool) -> None:
    data = content.encode()
    look = seen(tmp_path, "x.csv.gz" if packed else "x", gzip.compress(data) if packed else data)

    assert look.keys == keys
    if len(keys) == 1 and keys["format"] == "csv":
        assert look.columns == {"team": ["bug", "praise"], "body": [text for _, text in ROWS]}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be"])
def test_utf_16_needs_no_key(tmp_path: Path, encoding: str) -> None:
    assert seen(tmp_path, "x.csv", table().encode(encoding)).keys == {"format": "csv"}


def test_what_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"x\.csv looks like a PDF file"):
        seen(tmp_path, "x.csv", b"%PDF-1.7\n")


def test_a_line_for_excel_is_no_row(tmp_path: Path) -> None:
    look = seen(tmp_path, "x.csv", "sep=;\n" + table(";"))

    assert look.keys == {"format": "csv", "delimiter": ";"}
    assert look.columns["team"] == ["bug", "praise"]


def test_an_array_that_the_sample_cuts_off(tmp_path: Path) -> None:
    look = seen(tmp_path, "x.json", json.dumps([{"team": "a", "body": "x" * 900}] * 3_000))

    assert (look.keys, set(look.columns)) == ({"format": "jsonl"}, {"team", "body"})


def test_a_file_of_windows_is_recognised(tmp_path: Path) -> None:
    look = seen(tmp_path, "x.csv", "team,body\nPrämie,Für mich nicht\nRückgabe,Schön\n".encode("cp1252"))

    assert look.keys == {"format": "csv", "encoding": "cp1252"}
    assert look.columns["team"] == ["Prämie", "Rückgabe"]


@pytest.mark.parametrize("layout", ["lines", "array", "pretty", "joined"])
def test_json_in_any_layout_with_nested_keys(tmp_path: Path, layout: str) -> None:
    objects = [{"team": label, "payload": {"body": text}} for label, text in ROWS]
    content = {
        "lines": "\n".join(map(json.dumps, objects)),
        "array": json.dumps(objects),
        "pretty": json.dumps(objects, indent=2),
        "joined": "".join(map(json.dumps, objects)),
    }[layout]

    look = seen(tmp_path, "x.json", content)

    assert look.keys == {"format": "jsonl"}
    assert look.columns == {"team": ["bug", "praise"], "payload.body": [text for _, text in ROWS]}


def test_an_augmented_manifest_is_recognised_by_its_metadata(tmp_path: Path) -> None:
    lines = [
        {"source": text, "topic": 0, "topic-metadata": {"class-name": label, "type": "groundtruth/x"}}
        for label, text in ROWS
    ]

    look = seen(tmp_path, "output.manifest", "\n".join(map(json.dumps, lines)))

    assert look.keys == {"format": "augmented_manifest", "attribute": "topic"}
    assert look.columns["label"] == [["bug"], ["praise"]]


@pytest.mark.parametrize(
    "metadata",
    [None, "text", {}, {"class-map": None}, {"class-map": ["a"]}, {"failure-reason": "no worker"}],
    ids=repr,
)
def test_a_line_without_labels_does_not_stop_the_look_at_a_manifest(tmp_path: Path, metadata: Any) -> None:
    lines = [
        {"source": "first", "topic-metadata": metadata},
        {"source": "second", "topic-metadata": {"class-name": "bug"}},
    ]

    look = seen(tmp_path, "output.manifest", "\n".join(map(json.dumps, lines)))

    assert look.keys == {"format": "augmented_manifest", "attribute": "topic"}
    assert look.columns["label"] == [None, ["bug"]]


def test_of_several_labelling_jobs_the_one_with_labels_counts(tmp_path: Path) -> None:
    line: dict[str, Any] = {
        "source": "x",
        "names": {},
        "names-metadata": {"entities": []},
        "topic-metadata": None,
    }
    good = line | {"topic-metadata": {"class-map": {"0": "bug", "1": "late"}}}

    look = seen(tmp_path, "output.manifest", f"{json.dumps(line)}\n{json.dumps(good)}\n")

    assert look.keys == {"format": "augmented_manifest", "attribute": "topic"}
    assert look.columns["label"] == [None, ["bug", "late"]]


@pytest.mark.parametrize(
    "metadata", [None, 5, ["a"], "a", {}, {"class-map": ["a"]}, {"class-map": None}, {"entities": []}]
)
def test_metadata_without_labels_are_keys_like_others(tmp_path: Path, metadata: Any) -> None:
    look = seen(tmp_path, "x.jsonl", json.dumps({"source": "x", "topic-metadata": metadata}))

    assert look.keys == {"format": "jsonl"}


@pytest.mark.parametrize("name", ["x", "x.parquet"])
def test_parquet_whatever_its_name(tmp_path: Path, name: str) -> None:
    pq.write_table(pa.table({"team": ["bug"], "body": ["text"]}), tmp_path / name)

    assert look_at(str(tmp_path / name), plain_access()).keys == {"format": "parquet"}


def test_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"team": ["bug"], "body": ["text"]}), tmp_path / "x.parquet")

    look = look_at(str(tmp_path / "x.parquet"), plain_access())

    assert (look.keys, look.columns) == ({"format": "parquet"}, {"team": ["bug"], "body": ["text"]})


def test_a_folder_for_each_label(tmp_path: Path) -> None:
    for label, text in ROWS:
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.txt").write_text(text)

    look = look_at(f"{tmp_path}/", plain_access())

    assert (look.keys, look.files) == ({"format": "files"}, 2)


def test_documents_of_windows_are_recognised(tmp_path: Path) -> None:
    for number, text in enumerate(["plain", "für mich"]):
        (tmp_path / "bug").mkdir(exist_ok=True)
        (tmp_path / "bug" / f"{number}.txt").write_bytes(text.encode("cp1252"))

    assert look_at(f"{tmp_path}/", plain_access()).keys == {"format": "files", "encoding": "cp1252"}


@pytest.mark.parametrize("name", ["part-{}", "{}.txt"])
def test_tables_without_a_folder_for_a_label_are_tables(tmp_path: Path, name: str) -> None:
    for number in range(2):
        (tmp_path / name.format(number)).write_text(table())

    look = look_at(f"{tmp_path}/", plain_access())

    assert (look.keys, look.files) == ({"format": "csv"}, 2)


def test_empty_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.csv").write_text(table())

    assert look_at(f"{tmp_path}/", plain_access()).columns["team"] == ["bug", "praise"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x is empty"),
        (b"\n \n", "x is empty"),
        (gzip.compress(b"", mtime=0), "x is empty"),
        (b"<!doctype html>\n<p>Sign in", "looks like a page of HTML"),
    ],
)
def test_what_holds_no_documents_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        seen(tmp_path, "x", content)


def test_a_first_row_with_all_names_that_a_person_gave_is_a_header_row(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('"1. the ""text""",the label; x\nfoo bar,a\n')

    look = look_at(str(tmp_path / "x.csv"), plain_access(), named=["the label; x"])

    assert list(look.columns) == ['1. the "text"', "the label; x"]


@pytest.mark.parametrize(
    ("rows", "header"),
    [
        ("label,text\na,b c d\n", True),
        ("Kategorie,Nachricht\na,b c d\n", True),
        ("v1,v2\nham,Are you coming?\n", True),
        ("ham,Are you coming?\nspam,You have won!\n", False),
        ("ham,ok\nspam,won\nham,no\n", False),
        ("a,a\n1,2\n", False),
    ],
)
def test_a_header_row(tmp_path: Path, rows: str, header: bool) -> None:
    assert seen(tmp_path, "x.csv", rows).keys.get("header", True) == header


def test_of_a_large_file_the_beginning_is_read(tmp_path: Path) -> None:
    look = seen(tmp_path, "x.csv", "team,body\n" + "".join(f"a,text {n}\n" for n in range(200_000)))

    assert look.keys == {"format": "csv"}
    assert len(look.columns["team"]) < 2_000


def test_no_file_is_an_error_that_names_the_place(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"{tmp_path}/ holds no file"):
        look_at(f"{tmp_path}/", plain_access())
