"""Specs are found where NIGHTSORT_SPECS says, and a file that is no spec says so."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from nightsort.classifier_spec import loading
from nightsort.classifier_spec.loading import DEFAULT_SPEC_FOLDER, read_yaml, spec_files, spec_folders
from nightsort.classifier_spec.model import load_spec
from nightsort.classifier_spec.problems import Problem, SpecError


def test_the_default_folder_is_include_classifiers() -> None:
    assert spec_folders({}) == [DEFAULT_SPEC_FOLDER]
    assert DEFAULT_SPEC_FOLDER.parts[-2:] == ("include", "classifiers")


def test_of_an_installed_wheel_the_default_folder_lies_in_airflows_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(loading, "DEFAULT_SPEC_FOLDER", tmp_path / "site-packages" / "classifiers")
    monkeypatch.setenv("HOME", "/home/ada")
    assert spec_folders({"AIRFLOW_HOME": "/opt/airflow"}) == [Path("/opt/airflow/include/classifiers")]
    assert spec_folders({}) == [Path("/home/ada/airflow/include/classifiers")]


def test_folders_are_separated_by_colons() -> None:
    assert spec_folders({"NIGHTSORT_SPECS": "/a:/b/c: :"}) == [Path("/a"), Path("/b/c")]
    assert spec_folders({"NIGHTSORT_SPECS": ""}) == [DEFAULT_SPEC_FOLDER]


def test_files_are_sorted_and_others_ignored(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.txt", "d.yaml.bak"):
        (tmp_path / name).touch()

    assert [file.name for file in spec_files(tmp_path)] == ["a.yml", "b.yaml"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty; copy another spec into it"),
        (b"# nothing\n", "is empty"),
        (b"- a\n- b\n", "holds no keys"),
        (b"name: a\nmode: [\n", "line 3, column 1: "),
        (b"name: a\nmode: X\nname: b\n", 'line 3, column 1: the key "name" occurs twice'),
        (b"labelled:\n  uri: a\n  uri: b\n", 'line 3, column 3: the key "uri" occurs twice'),
        (b"name: \xff\n", "UTF-8"),
        (b"uri: *day\n", "need quotes"),
    ],
)
def test_a_file_that_is_no_spec_says_why(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(content)

    with pytest.raises(SpecError) as caught:
        load_spec(file)

    assert str(caught.value).startswith(f"{file}: ")
    assert says in str(caught.value)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read: No such file"):
        read_yaml(tmp_path / "x.yaml")


def test_merged_keys_are_no_double_keys(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("base: &b {a: 1}\none: {<<: *b, c: 2}\n")

    assert read_yaml(file)["one"] == {"a": 1, "c": 2}


def test_an_error_survives_the_way_between_processes() -> None:
    error = SpecError(Path("x.yaml"), [Problem("name", "is missing")])

    assert str(pickle.loads(pickle.dumps(error))) == "x.yaml: name: is missing"  # noqa: S301 (our own bytes)
