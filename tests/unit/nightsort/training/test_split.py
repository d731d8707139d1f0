"""The split: every label is tested, and what was trained on is never tested later."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from nightsort.arrow.hashing import Hashes, hash_texts
from nightsort.training.document_labels import DocumentLabels
from nightsort.training.labelled_documents import DocumentBlock
from nightsort.training.split import choose_test

Document = tuple[str, frozenset[int]]

DOCUMENTS = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=4),
    st.frozensets(st.integers(0, 4), min_size=1, max_size=3),
    min_size=1,
    max_size=40,
).map(lambda documents: list(documents.items()))
SHARES = st.sampled_from([0.01, 0.1, 0.3, 0.5])


def blocks(hashes: Hashes, sets: list[list[int]], *, size: int = 7) -> list[DocumentBlock]:
    """Documents with these hashes and labels, some at a time."""
    nothing = np.empty(0, dtype=np.int32)
    return [
        DocumentBlock(
            slice(start, start + len(found)),
            hashes[start : start + len(found)],
            hashes[start : start + len(found)],
            nothing,
            nothing,
            DocumentLabels.from_column(pa.array(found, pa.list_(pa.int32()))),
        )
        for start in range(0, len(sets), size)
        for found in [sets[start : start + size]]
    ]


def held_back(documents: list[Document], share: float) -> set[str]:
    """The texts that are held back for the test."""
    hashes, _ = hash_texts(pa.array([text for text, _ in documents]))
    parts = blocks(hashes, [sorted(labels) for _, labels in documents])
    flags = choose_test(parts, np.ones(len(documents), dtype=bool), 5, share)
    return {text for (text, _), flag in zip(documents, flags, strict=True) if flag}


@given(DOCUMENTS, SHARES)
def test_every_label_has_a_test_document(documents: list[Document], share: float) -> None:
    tests = held_back(documents, share)

    labels_tested = {label for text, labels in documents if text in tests for label in labels}
    assert labels_tested == {label for _, labels in documents for label in labels}


@given(DOCUMENTS, SHARES, st.randoms())
def test_the_order_does_not_matter(documents: list[Document], share: float, random: object) -> None:
    shuffled = list(documents)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert held_back(shuffled, share) == held_back(documents, share)


@given(DOCUMENTS, SHARES, st.data())
def test_while_documents_are_only_added_nothing_trained_on_is_ever_held_back(
    documents: list[Document], share: float, data: st.DataObject
) -> None:
    before = documents[: data.draw(st.integers(1, len(documents)))]

    trained_before = {text for text, _ in before} - held_back(before, share)
    assert not trained_before & held_back(documents, share)


@given(DOCUMENTS, SHARES)
def test_without_the_share_only_the_lowest_of_a_label_is_held_back(
    documents: list[Document], share: float
) -> None:
    limit = share * 2.0**64
    hash_of = dict(
        zip(
            [text for text, _ in documents],
            hash_texts(pa.array([t for t, _ in documents]))[0].tolist(),
            strict=True,
        )
    )
    of_label: dict[int, list[int]] = defaultdict(list)
    for text, labels in documents:
        for label in labels:
            of_label[label].append(hash_of[text])

    lowest = {min(hashes) for hashes in of_label.values()}
    assert held_back(documents, share) == {t for t, h in hash_of.items() if h < limit or h in lowest}


def test_the_share_of_many_documents_is_what_the_spec_says() -> None:
    documents: list[Document] = [(f"document {number}", frozenset({number % 5})) for number in range(20_000)]

    for share in (0.1, 0.2, 0.5):
        assert abs(len(held_back(documents, share)) / 20_000 - share) < 0.01


def test_a_lower_share_only_moves_documents_into_the_training() -> None:
    documents: list[Document] = [(f"document {number}", frozenset({number % 5})) for number in range(2_000)]

    assert held_back(documents, 0.1) < held_back(documents, 0.2)


def test_documents_that_do_not_count_are_on_neither_side() -> None:
    documents = blocks(np.array([5, 9, 7], dtype=np.uint64), [[0], [0], [1]])

    assert choose_test(documents, np.array([False, True, True]), 2, 0.1).tolist() == [False, True, True]
