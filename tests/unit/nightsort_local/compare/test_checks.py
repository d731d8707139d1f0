"""The list of assumptions: its names, its prices, and its table in the documentation."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from nightsort_local.compare.checks import (
    CHECKS,
    UNCHECKED,
    WITH_ENDPOINT,
    WITH_MORE_TRAININGS,
    chosen,
    most_usd,
)
from nightsort_local.compare.ledger import CLASSIFIER, JOB, Ledger, Made
from nightsort_local.compare.material import JOBS, TRAININGS
from nightsort_local.compare.run import forecast_usd

PAGE = (Path(__file__).parents[4] / "docs" / "compare.md").read_text(encoding="utf-8")


def test_the_page_has_the_list_in_its_order() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \| (.+) \| ([^|]+) \| ([^|]*) \|$", PAGE, re.MULTILINE)
    assert [
        (name, assumes.replace("\\|", "|"), matters, option) for _, name, assumes, matters, option in rows
    ] == [
        (check.name, check.assumes, check.matters, f"`{check.option}`" if check.option else "")
        for check in CHECKS
    ]
    assert [int(number) for number, *_ in rows] == list(range(1, len(CHECKS) + 1))


@pytest.mark.parametrize(("assumption", "why"), UNCHECKED)
def test_the_page_says_what_has_no_check(assumption: str, why: str) -> None:
    assert f"| {assumption} | {why} |" in PAGE


def test_names_are_unique_and_short_enough_for_aws() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    names = [Ledger("01234567", generation=99).name(what) for what in (*TRAININGS, *JOBS, "endpoint")]
    assert [name for name in names if not re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", name)] == []
    assert max(map(len, names)) <= 40


def test_every_training_and_job_has_a_check() -> None:
    assert {name for check in CHECKS for name in check.all_trainings} == set(TRAININGS)
    assert {name for check in CHECKS for name in check.jobs} == set(JOBS)


def test_the_checks_without_options_are_within_the_default_limit() -> None:
    usd = most_usd(chosen(frozenset()), Ledger("0"))
    assert 4 < usd <= 5
    assert most_usd(chosen(frozenset({WITH_ENDPOINT})), Ledger("0")) > usd
    assert most_usd(chosen(frozenset({WITH_MORE_TRAININGS})), Ledger("0")) > usd + 8
    figures = [float(figure) for figure in re.findall(r"at most (\d+\.\d\d) USD", PAGE)]
    assert figures == [
        pytest.approx(most_usd(chosen(options), Ledger("0")), abs=0.006)
        for options in (
            frozenset[str](),
            frozenset({WITH_ENDPOINT}),
            frozenset({WITH_MORE_TRAININGS}),
            frozenset({WITH_ENDPOINT, WITH_MORE_TRAININGS}),
        )
    ]


def test_what_is_paid_and_still_there_is_not_forecast_again() -> None:
    ledger, checks = Ledger("0"), chosen(frozenset())
    whole = forecast_usd(ledger, checks)
    for made, usd in (
        (Made(CLASSIFIER, ledger.name("classes"), "v1"), 2.0),
        (Made(JOB, ledger.name("lines")), 0.1),
    ):
        ledger.put(made)
        ledger.spent[made.key] = usd
    left = forecast_usd(ledger, checks)
    assert left == pytest.approx(whole - TRAININGS["classes"].most_usd - JOBS["lines"].most_usd + 2.1)
    ledger.generation += 1
    assert forecast_usd(ledger, checks) == pytest.approx(whole + 2.1), "it was deleted: it is paid for again"
    ledger.observed = {check.name: {} for check in checks}
    assert forecast_usd(ledger, checks) == pytest.approx(2.1)


def test_the_trainings_have_what_their_checks_ask_for() -> None:
    rows = list(csv.reader(TRAININGS["classes"].data.decode().splitlines()))
    labels = [label for label, _ in rows]
    assert (labels[0], labels.count("label"), labels.count("PRAISE")) == ("label", 1, 3)
    assert any('"' in text and "," in text for _, text in rows)
    assert len(rows) == TRAININGS["classes"].documents
