"""A text is counted by its words, pairs of words and pieces of words, whatever is counted with it."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction import FeatureHasher

from nightsort_local.local_aws.learning import text_features
from nightsort_local.local_aws.learning.text_features import BUCKETS, count_terms

if TYPE_CHECKING:
    from scipy import sparse

HASHER = FeatureHasher(n_features=BUCKETS, input_type="string", alternate_sign=False, dtype=np.float32)


def terms(text: str) -> list[str]:
    """All terms of a text, written down one by one."""
    words = re.findall(r"\w+|[^\w\s]", text.lower())
    pieces = [
        "~" + f"<{word}>"[place : place + 3] for word in words if len(word) > 3 for place in range(len(word))
    ]
    return [*words, *(f"{left} {right}" for left, right in pairwise(words)), *pieces]


def counted(texts: list[str]) -> sparse.csr_matrix:
    return HASHER.transform([terms(text) for text in texts])


def test_terms_are_words_pairs_and_pieces_of_words() -> None:
    assert terms("Don't overs") == [
        "don", "'", "t", "overs",
        "don '", "' t", "t overs",
        "~<ov", "~ove", "~ver", "~ers", "~rs>",
    ]  # fmt: skip
    assert (count_terms(["Don't overs"]) != counted(["Don't overs"])).nnz == 0


SENTENCES = st.lists(st.sampled_from(["refund", "of", "my", "été", "!", "Payment", "\u2028"])).map(" ".join)


@pytest.mark.parametrize("block", [1, 5, 2**20])
@given(texts=st.lists(SENTENCES | st.text(), max_size=6))
def test_each_text_has_the_counts_of_its_terms(texts: list[str], block: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(text_features, "_BLOCK_WORDS", block)
        found = count_terms(texts)
    assert (found.shape, found.dtype) == ((len(texts), BUCKETS), np.float32)
    assert found.has_sorted_indices
    if texts:
        assert (found != counted(texts)).nnz == 0
