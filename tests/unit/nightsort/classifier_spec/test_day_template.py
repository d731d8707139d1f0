"""A day in a URI or a query: any format of strftime, and braces that are doubled."""

from __future__ import annotations

from datetime import date
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.classifier_spec.day_template import (
    any_day,
    before_day,
    comes_back,
    has_day,
    render,
    tells_days_apart,
    template_problem,
)

DAY = date(2026, 1, 5)
DAYS = st.dates(date(1970, 1, 1), date(2100, 1, 1))


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("s3://b/{day}/", "s3://b/2026-01-05/"),
        ("s3://b/{day:%Y/%m/%d}/", "s3://b/2026/01/05/"),
        ("s3://b/year={day:%Y}/month={day:%m}/day={day:%d}/*.csv", "s3://b/year=2026/month=01/day=05/*.csv"),
        ("{day:%Y%m%d}.csv", "20260105.csv"),
        ("{day:%G-W%V}/{day:%j}", "2026-W02/005"),
        ("{day:%-d.%-m.%y}", "5.1.26"),
        ("{day:100%% of %Y}", "100% of 2026"),
        ("SELECT '{{\"a\": 1}}', '{{1,2}}' = '{day}'", "SELECT '{\"a\": 1}', '{1,2}' = '2026-01-05'"),
        ("{{day}}", "{day}"),
        ("{{{day}}}", "{2026-01-05}"),
        ("no day", "no day"),
    ],
)
def test_the_day_takes_its_place(template: str, text: str) -> None:
    assert template_problem(template) is None
    assert render(template, DAY) == text


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{date}", "{date} is an unknown placeholder; the only placeholder is {day}"),
        ("a/{day", "{day is an unknown placeholder"),
        ("a}", "} is an unknown placeholder"),
        ("'{1,2}'", "write {{ and }} for braces"),
        ("{ds}/{day}", "{ds} is an unknown placeholder"),
        ("{day:}", "is the same on every day"),
        ("{day:YYYY/MM/DD}", "is the same on every day; write for instance {day:%Y/%m/%d}"),
        ("{day:%H:%M}", "is the same on every day"),
        ("{day:%Y-%Q}", "a directive that strftime does not know"),
        ("{day:%Y%n}", "a directive that strftime does not know"),
        ("{DAY}", "{DAY} is an unknown placeholder"),
    ],
)
def test_what_means_nothing_is_refused(template: str, says: str) -> None:
    assert says in (template_problem(template) or "")


@given(st.text("ab/{}%", max_size=12), DAYS)
def test_doubled_braces_are_the_text_itself(text: str, day: date) -> None:
    template = text.replace("{", "{{").replace("}", "}}")

    assert template_problem(template) is None
    assert not has_day(template)
    assert render(template, day) == text == before_day(template)


@given(st.text("a{}:%Yd y", max_size=14), DAYS)
def test_whatever_has_no_problem_is_rendered(text: str, day: date) -> None:
    if template_problem(text) is None:
        render(text, day)


@given(st.sampled_from(["{day}", "{day:%Y/%m/%d}", "{day:%-d/%B}", "{day:%G-W%V}", "x{day:%y%j}"]), DAYS)
def test_a_glob_of_any_day_matches_each_day(template: str, day: date) -> None:
    text = render(template, day)

    assert all(map(fnmatchcase, text.split("/"), any_day(template).split("/")))
    assert len(text.split("/")) == len(any_day(template).split("/"))


def test_days_that_share_a_text_are_known() -> None:
    assert tells_days_apart("{day}")
    assert tells_days_apart("{day:%d}")
    assert not tells_days_apart("{day:%Y-%m}")
    assert not tells_days_apart("fixed")
    assert comes_back("{day:%d}")
    assert comes_back("{day:%m-%d}")
    assert not comes_back("{day:%Y/%j}")
