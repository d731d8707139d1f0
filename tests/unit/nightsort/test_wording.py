from __future__ import annotations

import pytest

from nightsort.wording import did_you_mean, first_line, number_of


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 batches"), (1, "1 batch"), (2, "2 batches"), (1200, "1,200 batches")]
)
def test_a_noun_agrees_with_its_number(number: int, text: str) -> None:
    assert number_of(number, "batch", "batches") == text


@pytest.mark.parametrize(("hours", "text"), [(1.0, "1 hour"), (2.5, "2.5 hours")])
def test_hours_are_written_without_needless_digits(hours: float, text: str) -> None:
    assert number_of(hours, "hour") == text


def test_the_known_name_that_is_most_like_a_given_one_is_asked_for() -> None:
    assert did_you_mean("treshold", ["mode", "threshold"]) == 'Did you mean "threshold"?'
    assert did_you_mean("xyz", ["mode", "threshold"]) == ""


@pytest.mark.parametrize(("message", "line"), [("damaged\nbyte 4", "damaged"), ("", "no reason given")])
def test_of_an_error_the_first_line_is_told(message: str, line: str) -> None:
    assert first_line(ValueError(message)) == line
