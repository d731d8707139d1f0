"""Texts are cleaned as for a nightly batch, and refused for the same reasons."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from nightsort.comprehend.limits import MAX_REAL_TIME_BYTES
from nightsort.sources.cleaning import clean_texts
from nightsort_airflow.serving.texts import REFUSED, checked_texts

ANY = st.text(st.characters(codec=None, exclude_categories=())) | st.binary()


@given(st.lists(ANY, min_size=1, max_size=5))
def test_each_text_has_its_place_and_a_good_one_can_be_sent(texts: list[str | bytes]) -> None:
    checked = checked_texts(texts)
    assert len(checked) == len(texts)
    for cleaned, reason in checked:
        assert reason in (None, *REFUSED.values())
        if reason is None:
            assert 0 < len(cleaned.encode()) <= MAX_REAL_TIME_BYTES
            assert "\n" not in cleaned


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_a_job_gets_the_same_text(texts: list[str]) -> None:
    nightly = clean_texts(pa.array(texts, pa.string())).texts.to_pylist()
    assert [cleaned for cleaned, _ in checked_texts(texts)] == nightly


def test_the_reasons() -> None:
    texts: list[str | bytes] = ["", "\ud800", b"\xff", "x" * 10_001, "x" * 10_000, "é" * 5_001]
    reasons = [reason for _, reason in checked_texts(texts)]
    large = REFUSED[3]
    assert reasons == ["has no visible character", "is not UTF-8", "is not UTF-8", large, None, large]
