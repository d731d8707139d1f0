"""Problems of a spec are told in a person's words."""

from __future__ import annotations

from pathlib import Path

from nightsort.classifier_spec.problems import Problem, SpecError, shown


def test_an_error_has_one_line_per_problem() -> None:
    error = SpecError(Path("x.yaml"), [Problem("name", "is missing"), Problem("", "is odd")])

    assert str(error) == "x.yaml: name: is missing\nx.yaml: is odd"


def test_values_are_shown_as_they_were_written_and_not_at_length() -> None:
    assert shown("a b") == '"a b"'
    assert shown(None) == "null"
    assert len(shown("x" * 500)) == 80
