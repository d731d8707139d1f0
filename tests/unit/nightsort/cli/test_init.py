"""What nightsort init promises: a spec that is valid and reads the file, and what was seen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from nightsort.classifier_spec.model import load_spec
from tests.unit.nightsort.test_cli import run

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "Where is my parcel? It is {label}: I have not got it, and it was sent on the {n}th."


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "labelled.csv"
    rows = [f'{label},"{TEXT.format(n=n, label=label)}"' for n in range(30) for label in ("late", "lost")]
    path.write_text("team,message\n" + "\n".join(rows) + "\nlost,\n")
    return path


def test_the_spec_is_valid_and_trains_as_it_stands(tmp_path: Path, labelled: Path) -> None:
    file = tmp_path / "parcels.yaml"
    shown = run(
        "init", "parcels", labelled, "--output", file, "--work-uri", f"{tmp_path}/work",
        "--incoming", f"{tmp_path}/in/{{day}}/", "--role", "arn:aws:iam::210987654321:role/Mine",
        "--schedule", "0 2 * * *",
    ).output  # fmt: skip

    spec = load_spec(file)
    assert (spec.name, spec.mode, spec.language) == ("parcels", "MULTI_CLASS", "en")
    assert (spec.labelled.text_column, spec.labelled.label_column) == ("message", "team")
    assert spec.incoming.text_column == "message"
    assert (spec.schedule, spec.data_access_role_arn) == (
        "0 2 * * *",
        "arn:aws:iam::210987654321:role/Mine",
    )
    assert "60 documents with 2 labels: MULTI_CLASS. Language: en." in shown
    assert "2 columns separated by commas, a header row" in shown
    assert "blank" in shown
    assert "Change in it" not in shown
    assert "parcel?" not in shown + file.read_text()
    result = json.loads(run("prepare-training", file, "--json").stdout)
    assert result["documents_read"] == 61


def test_what_is_not_said_is_an_example_that_passes_and_is_named(
    tmp_path: Path, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSORT_SPECS", str(tmp_path / "specs"))
    shown = run("init", "parcels", labelled).output

    file = tmp_path / "specs" / "parcels.yaml"
    assert "Change in it: incoming.uri, work_uri, data_access_role_arn." in shown
    assert file.read_text().count("# CHANGE THIS") == 3
    assert "parcels" in run("validate-spec", "parcels").output


def test_no_file_is_overwritten(tmp_path: Path, labelled: Path) -> None:
    file = tmp_path / "parcels.yaml"
    file.write_text("mine")

    assert "exists already" in run("init", "parcels", labelled, "--output", file, code=2).stderr
    assert file.read_text() == "mine"


def test_what_cannot_be_a_spec_is_refused_and_leaves_no_file(tmp_path: Path, labelled: Path) -> None:
    file = tmp_path / "x.yaml"
    told = run("init", "My Parcels", labelled, "--output", file, code=2).stderr

    assert "name" in told
    assert "my-parcels" in told
    assert not file.exists()


def test_without_a_terminal_the_labelled_documents_are_needed(tmp_path: Path) -> None:
    told = run("init", "parcels", "--output", tmp_path / "x.yaml", code=2).stderr

    assert "name the labelled documents: nightsort init NAME LABELLED" in told


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("just a line\nand another\n", "plain lines without labels"),
        ("id,text\n1,one and one\n2,two and two\n", "--label-column"),
    ],
)
def test_files_without_labels_are_refused_with_the_remedy(tmp_path: Path, rows: str, expected: str) -> None:
    (tmp_path / "x.txt").write_text(rows)

    told = run("init", "parcels", tmp_path / "x.txt", "--output", tmp_path / "x.yaml", code=2).stderr

    assert expected in told


def test_a_name_where_there_is_no_header_row_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("one and one,a\ntwo and two,b\none more,a\n")

    told = run(
        "init",
        "parcels",
        tmp_path / "x.csv",
        "--output",
        tmp_path / "x.yaml",
        "--label-column",
        "team",
        code=2,
    ).stderr

    assert 'x.csv has no column "team"; its columns are: column_1, column_2' in " ".join(told.split())


def test_several_labels_are_recognised(tmp_path: Path) -> None:
    rows = [
        {"comment": TEXT.format(n=n, label="x"), "tags": ["a", "b"] if n % 2 else ["c"]} for n in range(60)
    ]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))

    shown = run("init", "parcels", tmp_path / "x.jsonl", "--output", tmp_path / "x.yaml").output

    spec = load_spec(tmp_path / "x.yaml")
    assert (spec.mode, spec.label_delimiter, spec.labelled.label_column) == ("MULTI_LABEL", "|", "tags")
    assert "60 documents with 3 labels, several joined by '|': MULTI_LABEL" in shown


def test_small_labels_are_mentioned_in_the_spec(tmp_path: Path, labelled: Path) -> None:
    with labelled.open("a") as file:
        file.write("odd,Is this the right place for it?\n")
    run("init", "parcels", labelled, "--output", tmp_path / "x.yaml")

    assert (
        "# 1 label has fewer than 11 documents: leave_out trains without" in (tmp_path / "x.yaml").read_text()
    )
