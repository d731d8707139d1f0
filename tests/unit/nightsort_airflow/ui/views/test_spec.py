from __future__ import annotations

from typing import TYPE_CHECKING

from nightsort.classifier_spec.model import Problem, SpecError
from nightsort_airflow.ui.views.spec import spec_text

if TYPE_CHECKING:
    from pathlib import Path


def test_what_may_be_a_secret_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("name: tickets\nnotifiers: [{x: y, arguments: {token: abc}}]\nmode: MULTI_CLASS\n")
    text = "name: tickets\nnotifiers: [{x: y, arguments: {token: ***}}]\nmode: MULTI_CLASS\n"
    assert spec_text(file, None) == text
    file.write_text("name: tickets\nnotifiers: [{token: abc}\nmode: MULTI_CLASS\n")
    assert spec_text(file, None) == "name: tickets\nnotifiers: ***\nmode: MULTI_CLASS\n"


def test_a_broken_spec_is_shown_and_one_that_is_gone_is_not(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("name: x")
    assert spec_text(None, SpecError(file, [Problem("", "broken")])) == "name: x"
    assert spec_text(tmp_path / "gone.yaml", None) is spec_text(None, None) is None
