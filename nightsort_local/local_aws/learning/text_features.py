"""Texts as sparse counts of hashed terms: fixed memory, the same rules for every language."""

from __future__ import annotations

import re
from array import array
from collections import defaultdict
from itertools import chain, count
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from sklearn.feature_extraction import FeatureHasher
from sklearn.preprocessing import normalize

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

BUCKETS = 2**20
"""Hash buckets of the terms. With 2**18, collisions cost half a point of macro-F1 on GoEmotions."""

PIECE = 3
"""Letters of a word piece. Longer words are also cut into pieces, which cover inflections, compounds and
endings in all six languages. Compared with stems of four letters, the macro-F1 is 2.5 points better on short
texts in these languages, half a point better on Banking77 and GoEmotions, and one point worse on the longer
texts of aws-services. With pieces of four letters, Italian was 1.6 points worse than a plain logistic
regression."""

_TOKENS = re.compile(r"\w+|[^\w\s]")

_BLOCK_WORDS = 2**20
"""About so many words are counted at a time; they take some 200 MB."""

_HASHER = FeatureHasher(n_features=BUCKETS, input_type="string", alternate_sign=False, dtype=np.float32)


def count_terms(texts: Iterable[str]) -> sparse.csr_matrix:
    """Count each text's words and punctuation marks, pairs of adjacent ones, and pieces of longer words.

    :returns: shape (texts, :data:`BUCKETS`), float32; the buckets of a text are sorted.
    """
    blocks: list[sparse.csr_matrix] = []
    vocabulary: defaultdict[str, int] = defaultdict(count().__next__)
    words, ends = array("i"), [0]
    for text in texts:
        words.extend(map(vocabulary.__getitem__, _TOKENS.findall(text.lower())))
        ends.append(len(words))
        if len(words) >= _BLOCK_WORDS:
            blocks.append(_count(list(vocabulary), np.array(words), np.array(ends)))
            vocabulary = defaultdict(count().__next__)
            words, ends = array("i"), [0]
    blocks.append(_count(list(vocabulary), np.array(words), np.array(ends)))
    return stack(blocks)


def _count(vocabulary: list[str], words: NDArray[np.int32], ends: NDArray[np.int64]) -> sparse.csr_matrix:
    """Count the terms of a block. Each distinct word and pair is hashed once, which saves half of the time.

    :param vocabulary: the distinct words.
    :param words: the place of each word in the vocabulary, text by text.
    :param ends: where each text ends in `words`, after a zero.
    """
    if not vocabulary:
        return sparse.csr_matrix((len(ends) - 1, BUCKETS), dtype=np.float32)
    text_of = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    # The last word of a text begins no pair.
    firsts = np.flatnonzero(text_of[:-1] == text_of[1:])
    size = len(vocabulary)
    keys = words[firsts].astype(np.int64) * size + words[firsts + 1]
    distinct, pairs = np.unique(keys, return_inverse=True)
    hashed = _HASHER.transform(
        chain(
            ([word, *_pieces(word)] for word in vocabulary),
            ([f"{vocabulary[key // size]} {vocabulary[key % size]}"] for key in distinct.tolist()),
        )
    )
    places = np.concatenate([words, size + pairs])
    occurrences = sparse.csr_matrix(
        (np.ones(len(places), dtype=np.float32), (np.concatenate([text_of, text_of[firsts]]), places)),
        shape=(len(ends) - 1, hashed.shape[0]),
    )
    counts = occurrences @ hashed
    counts.sort_indices()
    return counts


def _pieces(word: str) -> list[str]:
    marked = f"<{word}>"
    return ["~" + marked[n : n + PIECE] for n in range(len(marked) - PIECE + 1)] if len(word) > PIECE else []


class TermWeights:
    """TF-IDF with sublinear term frequency, over the terms that training kept.

    :param columns: the kept buckets, ascending; shape (kept terms,).
    :param idf: their inverse document frequencies; shape (kept terms,).
    """

    def __init__(self, columns: NDArray[np.int32], idf: NDArray[np.float32]) -> None:
        self.columns = columns
        self.idf = idf
        self._position = np.full(BUCKETS, -1, dtype=np.int32)
        self._position[columns] = np.arange(len(columns), dtype=np.int32)

    @classmethod
    def learn(cls, counts: sparse.csr_matrix, limit: int) -> TermWeights:
        """Keep the terms of at least two documents, up to `limit`, the most frequent first.

        If no two documents share a term, all terms are kept.

        :param counts: term counts; shape (documents, buckets).
        """
        documents = np.bincount(counts.indices, minlength=BUCKETS)
        kept = np.flatnonzero(documents > min(1, int(np.max(documents)) - 1))
        if len(kept) > limit:
            kept = np.sort(kept[np.argsort(-documents[kept], kind="stable")[:limit]])
        idf = np.log((1 + counts.shape[0]) / (1 + documents[kept])) + 1
        return cls(kept.astype(np.int32), idf.astype(np.float32))

    def apply(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        """Return the weighted rows, each of length 1 or empty.

        :param counts: term counts; shape (documents, buckets).
        :returns: shape (documents, kept terms), float32.
        """
        position = self._position[counts.indices]
        kept = position >= 0
        position = position[kept]
        data = (np.log(counts.data[kept]) + 1) * self.idf[position]
        ends = np.concatenate(([0], np.cumsum(kept)))[counts.indptr]
        shape = (counts.shape[0], len(self.columns))
        weighted = sparse.csr_matrix((data.astype(np.float32), position, ends.astype(np.int32)), shape=shape)
        return normalize(weighted, copy=False)


def stack(blocks: Sequence[sparse.csr_matrix]) -> sparse.csr_matrix:
    """Concatenate the rows of all blocks; each has shape (documents, buckets)."""
    if not blocks:
        return sparse.csr_matrix((0, BUCKETS), dtype=np.float32)
    return sparse.vstack(blocks, format="csr")
