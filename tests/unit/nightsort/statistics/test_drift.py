"""Quiet nights are quiet, a shift is told, and the verdict says with which numbers.

The nights are drawn from the labels of the sample. Seeds are fixed, and the numbers of repetitions are such
that a rule that is a little worse fails.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.statistics.drift import (
    LEAST_DOCUMENTS,
    LEAST_NIGHTS,
    TRAILING_NIGHTS,
    Night,
    Verdict,
    judge,
    shifts,
)
from nightsort_local.sample_corpus import aws_services

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Shares = npt.NDArray[np.float64]

SEED = 20_261_130


@pytest.fixture(scope="module")
def shares() -> Shares:
    """The share of each label of the sample, by which its nights come."""
    sample = aws_services()
    labels = Counter(document.labels[0] for night in sample.incoming.values() for document in night)
    counts = np.array(list(labels.values()), float)
    shares: Shares = counts / counts.sum()
    return shares


def night(counts: npt.NDArray[np.int64]) -> Night:
    return Night([f"label-{place}" for place in range(len(counts))], counts.tolist())


def flagged(
    repetitions: int,
    before: Callable[[np.random.Generator, int], Shares],
    tonight: Callable[[np.random.Generator], Shares],
    documents: int,
    nights_before: int = TRAILING_NIGHTS,
) -> float:
    """Return which part of simulated nights drifted."""
    chance = np.random.default_rng(SEED)
    found = 0
    for _ in range(repetitions):
        nights = [
            night(chance.multinomial(documents, before(chance, number))) for number in range(nights_before)
        ]
        found += judge(night(chance.multinomial(documents, tonight(chance))), nights).drifted is True
    return found / repetitions


def doubled(shares: Shares, label: int) -> Shares:
    shifted = shares.copy()
    shifted[label] *= 2
    others = np.arange(len(shares)) != label
    shifted[others] *= (1 - shifted[label]) / shifted[others].sum()
    return shifted


@pytest.mark.parametrize("documents", [320, 2_000, 50_000])
def test_at_most_one_quiet_night_in_a_hundred_is_flagged(shares: Shares, documents: int) -> None:
    assert flagged(1_500, lambda *_: shares, lambda _: shares, documents) <= 0.01


@pytest.mark.parametrize("documents", [LEAST_DOCUMENTS, 2_000])
def test_so_it_is_from_the_first_night_that_is_judged(shares: Shares, documents: int) -> None:
    assert flagged(4_000, lambda *_: shares, lambda _: shares, documents, LEAST_NIGHTS) <= 0.01


def test_a_label_whose_share_doubles_is_flagged_nine_times_in_ten_at_2000_documents(shares: Shares) -> None:
    def tonight(chance: np.random.Generator) -> Shares:
        return doubled(shares, int(chance.integers(len(shares))))

    assert flagged(1_500, lambda *_: shares, tonight, 2_000) >= 0.9
    # The share of few nights is less certain.
    assert flagged(1_500, lambda *_: shares, tonight, 2_000, LEAST_NIGHTS) >= 0.8


@pytest.mark.parametrize("documents", [2_000, 50_000])
def test_nights_that_differ_more_than_by_chance_are_quiet_too(shares: Shares, documents: int) -> None:
    """Each night has shares of its own, around the same ones."""

    def own(chance: np.random.Generator, _: int = 0) -> Shares:
        found: Shares = chance.dirichlet(shares * 2_000)
        return found

    assert flagged(700, own, own, documents) <= 0.02


def test_weekends_are_quiet_where_all_weekends_are_alike(shares: Shares) -> None:
    weekend = shares.copy()
    weekend[:6] *= 1.5
    weekend /= weekend.sum()

    def before(_: np.random.Generator, number: int) -> Shares:
        return weekend if number % 7 in (5, 6) else shares

    for tonight in (shares, weekend):
        assert flagged(300, before, lambda _, tonight=tonight: tonight, 50_000) <= 0.01  # type: ignore[misc]


def test_a_night_that_drifted_does_not_hide_the_next_one(shares: Shares) -> None:
    shifted = doubled(shares, 3)

    def before(_: np.random.Generator, number: int) -> Shares:
        return shifted if number < 2 else shares

    assert flagged(200, before, lambda _: shifted, 10_000) >= 0.9


EVEN = Night(["a", "b", "c"], [100, 200, 300])


def sentence(tonight: Night, before: list[Night]) -> str:
    verdict = judge(tonight, before)
    assert verdict.drifted is None
    return verdict.sentence


def test_nothing_is_said_below_a_least_number_of_documents() -> None:
    small = Night(["a", "b"], [100, 99])
    assert sentence(small, [EVEN] * 28) == (
        "Drift is not judged: 199 documents of the night, and at least 200 are needed."
    )
    assert judge(Night(["a", "b"], [100, 100]), [EVEN] * 28).drifted is not None


def test_nothing_is_said_with_fewer_nights_than_a_week() -> None:
    small = Night(["a"], [LEAST_DOCUMENTS - 1])
    assert sentence(EVEN, [EVEN] * (LEAST_NIGHTS - 1) + [small] * 5) == (
        "Drift is not judged: 6 nights of this version before, with 200 or more documents, and at least 7 "
        "are needed."
    )


def test_nothing_is_said_where_there_is_one_label() -> None:
    one = Night(["a"], [500])
    assert sentence(one, [one] * 28) == "Drift is not judged: all but a few documents have the same label."


def test_it_says_how_many_documents_and_nights_and_which_labels() -> None:
    chance = np.random.default_rng(SEED)
    before = [night(chance.multinomial(1_000, [0.5, 0.3, 0.2])) for _ in range(40)]
    verdict = judge(Night(["label-0", "label-1", "new <b>"], [300, 300, 400]), before)
    assert verdict.drifted
    assert (verdict.documents, verdict.nights, verdict.trailing_documents) == (1_000, 28, 28_000)
    assert verdict.sentence.startswith(
        "The labels of 1,000 documents are distributed otherwise than in the 28 nights before, with 28,000 "
        f"documents: chi-square {verdict.chi_square:.1f}"
    )
    assert "with 3 degrees of freedom" in verdict.sentence
    assert ". Most changed: new <b> 40.0% (usually 0.0%), " in verdict.sentence


def named(verdict: Verdict) -> list[tuple[str, str, str]]:
    """The labels that a sentence names, with their share in the night and the usual one as written."""
    told = verdict.sentence.partition("Most changed: ")[2].removesuffix(".")
    return re.findall(r"(\S+) ([\d.]+)% \(usually ([\d.]+)%\)", told)


COUNTS = st.lists(st.integers(0, 2_000), min_size=2, max_size=8)


@given(COUNTS, COUNTS, st.integers(1, 50))
def test_a_label_whose_share_is_as_usual_is_not_named(
    tonight: list[int], usual: list[int], times: int
) -> None:
    """Two labels that both have in the same part of their documents, beside some that may have changed."""
    same = ["same-0", "same-1"]

    def with_same(counts: list[int]) -> Night:
        others = [f"other-{place}" for place in range(len(counts))]
        return Night([*same, *others], [sum(counts), sum(counts) * times, *counts])

    verdict = judge(with_same(tonight), [with_same(usual)] * 10)
    told = named(verdict)
    assert bool(told) == bool(verdict.drifted)
    for label, share, expected in told:
        assert label not in same
        assert share != expected


def test_the_change_of_a_rare_label_is_written_with_the_digits_that_show_it() -> None:
    labels = [f"label-{place}" for place in range(1_000)]
    verdict = judge(Night(labels, [1_040, 960] * 500), [Night(labels, [960, 1_040] * 500)] * 10)
    assert ("label-0", "0.104", "0.096") in named(verdict)


def test_a_label_cannot_turn_the_sentence_around() -> None:
    verdict = judge(Night(["\u202eabc", "b"], [600, 400]), [Night(["\u202eabc", "b"], [400, 600])] * 10)
    assert "Most changed: \\u202eabc 60.0% (usually 40.0%)" in verdict.sentence


def test_the_figures_are_those_of_scipys_test_of_homogeneity() -> None:
    from scipy.stats import chi2_contingency

    before = [Night(["a", "b"], [600, 400]) for _ in range(10)]
    verdict = judge(Night(["a", "b"], [560, 440]), before)
    right = chi2_contingency([[560, 440], [6_000, 4_000]], correction=False)
    assert verdict.chi_square == pytest.approx(right.statistic)
    assert verdict.p_value == pytest.approx(right.pvalue)
    assert verdict.degrees_of_freedom == 1
    assert verdict.dispersion == 1.0


def test_labels_with_few_documents_count_together() -> None:
    """Of 100 labels with one document each a night has other ones each time: that is no shift."""
    before = [
        Night(["common", *(f"rare-{number}-{place}" for place in range(100))], [900] + [1] * 100)
        for number in range(28)
    ]
    verdict = judge(Night(["common", *(f"new-{place}" for place in range(100))], [900] + [1] * 100), before)
    assert (verdict.drifted, verdict.degrees_of_freedom) == (False, 1)


def test_a_rare_label_alone_is_no_group_of_its_own() -> None:
    common = [Night(["a", "b", "c"], [500, 500, 0]) for _ in range(28)]
    verdict = judge(Night(["a", "b", "c"], [500, 500, 1]), common)
    assert (verdict.drifted, verdict.degrees_of_freedom) == (False, 1)


def test_bands_hold_the_usual_share_and_widen_with_the_dispersion() -> None:
    tonight = Night(["a", "b"], [150, 850])
    (a, b) = shifts(tonight, [Night(["a", "b"], [100, 900])] * 10)
    assert (a.label, a.documents, a.share, a.usual) == ("a", 150, 0.15, 0.1)
    assert a.high < a.share < 0.2
    assert a.low < a.usual < a.high
    assert b.low == pytest.approx(1 - a.high)
    wide, _ = shifts(tonight, [Night(["a", "b"], [100, 900])] * 10, dispersion=4.0)
    assert wide.high - wide.low == pytest.approx(2 * (a.high - a.low))
    assert shifts(tonight, []) == []


def test_a_verdict_is_json() -> None:
    import json

    verdict = judge(EVEN, [EVEN] * 28)
    assert Verdict(**json.loads(json.dumps(verdict.to_dict()))) == verdict
