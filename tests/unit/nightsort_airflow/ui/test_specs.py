from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from nightsort_airflow.ui import specs
from tests.airflow_environment import SAMPLE_SPECS

if TYPE_CHECKING:
    from pathlib import Path


def test_specs_are_read_again_only_when_a_file_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSORT_SPECS", str(tmp_path))
    sample = (SAMPLE_SPECS / "aws-services.yaml").read_text()
    (tmp_path / "a.yaml").write_text(sample)
    files = specs.SpecFiles()
    first = files.load()
    assert [*first.specs] == ["aws-services"]
    assert files.load() is first
    (tmp_path / "a.yaml").write_text(sample.replace("name: aws-services", "name: other"))
    os.utime(tmp_path / "a.yaml", ns=(1, 1))
    assert [*files.load().specs] == ["other"]
    (tmp_path / "b.yaml").write_text("name: broken\n")
    assert len(files.load().errors) == 1


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("name: tickets\nmode: x\n", "tickets"),
        ("name: [1]\n", "file"),
        ("- 1\n", "file"),
        ("a: [", "file"),
        ("name: a/b\n", "file"),
        ("name: ''\n", "file"),
        ('name: "a\\0b"\n', "file"),
        ('name: "\\uD800"\n', "file"),
    ],
)
def test_a_broken_file_is_about_the_classifier_that_it_names(tmp_path: Path, text: str, name: str) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(text)
    assert specs.named_in(file) == name
    assert specs.named_in(tmp_path / "gone.yaml") == "gone"
    assert specs.named_in(tmp_path / "caf\udce9.yaml") == "caf\\udce9", "bytes that are no text"
