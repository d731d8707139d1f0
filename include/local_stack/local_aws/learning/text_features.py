"""Text as sparse counts of hashed terms: fixed memory for any vocabulary, and the same for every language."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from sklearn.feature_extraction import FeatureHasher
from sklearn.preprocessing import normalize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

BUCKETS = 2**20
"""Hash buckets of the terms. 2**18 cost half a point of macro-F1 on GoEmotions by collisions."""

STEM = 4
"""Characters of the stem. Words cut to it stand for their inflections in all six languages at little cost:
+1.2 points of macro-F1 on Banking77 and +1.4 on GoEmotions over words and pairs of words alone."""

ENDING = 3
"""Characters of the ending, which tells what kind of word an unknown word is: +1 point of macro-F1 on short
texts in six languages, nothing lost elsewhere. All trigrams of a word gave more on these, but took one point
from longer English texts and twice the time."""

_TOKENS = re.compile(r"\w+|[^\w\s]")

_HASHER = FeatureHasher(n_features=BUCKETS, input_type="string", alternate_sign=False, dtype=np.float32)


def terms(text: str) -> list[str]:
    """Return a text's words and punctuation marks, its pairs of neighbours, its words' stems and endings."""
    words = _TOKENS.findall(text.lower())
    pairs = [f"{left} {right}" for left, right in pairwise(words)]
    stems = ["^" + word[:STEM] for word in words if len(word) > STEM]
    endings = [word[-ENDING:] + "$" for word in words if len(word) > ENDING]
    return [*words, *pairs, *stems, *endings]


def count_terms(texts: Iterable[str]) -> sparse.csr_matrix:
    """Return one row of term counts per text, over all :data:`BUCKETS` columns."""
    return _HASHER.transform(terms(text) for text in texts)


class TermWeights:
    """TF-IDF with sublinear term frequency over the columns that training kept.

    Args:
        columns: the buckets that are kept, ascending.
        idf: inverse document frequency of each.
    """

    def __init__(self, columns: NDArray[np.int32], idf: NDArray[np.float32]) -> None:
        self.columns = columns
        self.idf = idf
        self._position = np.full(BUCKETS, -1, dtype=np.int32)
        self._position[columns] = np.arange(len(columns), dtype=np.int32)

    @classmethod
    def learn(cls, counts: sparse.csr_matrix, most: int) -> TermWeights:
        """Keep the terms that more than one document has, the most frequent first, at most `most`.

        Where no two documents share a term, all are kept.
        """
        documents = np.bincount(counts.indices, minlength=BUCKETS)
        kept = np.flatnonzero(documents > min(1, documents.max() - 1))
        if len(kept) > most:
            kept = np.sort(kept[np.argsort(-documents[kept], kind="stable")[:most]])
        idf = np.log((1 + counts.shape[0]) / (1 + documents[kept])) + 1
        return cls(kept.astype(np.int32), idf.astype(np.float32))

    def apply(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        """Return the weighted rows, each of length 1 (or empty)."""
        position = self._position[counts.indices]
        kept = position >= 0
        position = position[kept]
        data = (np.log(counts.data[kept]) + 1) * self.idf[position]
        ends = np.concatenate(([0], np.cumsum(kept)))[counts.indptr]
        shape = (counts.shape[0], len(self.columns))
        weighted = sparse.csr_matrix((data.astype(np.float32), position, ends.astype(np.int32)), shape=shape)
        return normalize(weighted, copy=False)


def stack(blocks: Sequence[sparse.csr_matrix]) -> sparse.csr_matrix:
    """Return the blocks' rows as one matrix."""
    if not blocks:
        return sparse.csr_matrix((0, BUCKETS), dtype=np.float32)
    return sparse.vstack(blocks, format="csr")
