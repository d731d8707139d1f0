from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nightsort.classifier_spec.model import Problem, SpecError
from nightsort_airflow.ui.views.spec import spec_text

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "line",
    [
        "password: abc",
        "  api_key: 'abc'",
        "SLACK_WEBHOOK_URL: https://h/abc",
        "my-secret: abc",
        "Token : abc",
    ],
)
def test_what_may_be_a_secret_is_not_shown(tmp_path: Path, line: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"name: tickets\n{line}\nmode: MULTI_CLASS\n")
    text = spec_text(file, None)
    assert text is not None
    assert "abc" not in text
    assert "name: tickets" in text
    assert "mode: MULTI_CLASS" in text


def test_a_broken_spec_is_shown_and_one_that_is_gone_is_not(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("name: x")
    assert spec_text(None, SpecError(file, [Problem("", "broken")])) == "name: x"
    assert spec_text(tmp_path / "gone.yaml", None) is spec_text(None, None) is None
