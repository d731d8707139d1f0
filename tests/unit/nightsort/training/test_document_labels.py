"""Labels as numbers say what the labels themselves say."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from nightsort.training.document_labels import DocumentLabels, LabelEncoder, hash_labels

SETS = st.lists(st.lists(st.sampled_from("vwxyz"), min_size=1, unique=True), max_size=8)
FLAGS = st.lists(st.booleans(), min_size=8, max_size=8).map(np.array)
ALL = np.ones(5, dtype=bool)


def read(sets: list[list[str]]) -> tuple[DocumentLabels, list[str]]:
    numbers = LabelEncoder()
    numbers.encode(pa.array([["z"], ["w"]], pa.list_(pa.string())), "|")
    # The column of a batch may begin anywhere in a longer one.
    column = pa.array([["v"], *sets], pa.list_(pa.string())).slice(1)
    labels, _ = numbers.encode(column, "|")
    return labels, numbers.names


def names_of(labels: DocumentLabels, names: list[str]) -> list[list[str]]:
    return [[names[n] for n in row] for row in labels.column().to_pylist()]


@given(SETS)
def test_labels_stand_by_name_in_each_document(sets: list[list[str]]) -> None:
    labels, names = read(sets)

    assert names_of(labels, names) == [sorted(labels) for labels in sets]
    assert labels.cells(pa.array(names), "|").to_pylist() == ["|".join(sorted(labels)) for labels in sets]


@given(SETS, FLAGS)
def test_pairs_are_all_labels_of_the_documents(sets: list[list[str]], flags: np.ndarray) -> None:
    labels, names = read(sets)

    documents, numbers = labels.pairs(flags[: len(sets)])

    pairs = [(document, names[number]) for document, number in zip(documents, numbers, strict=True)]
    assert pairs == [(n, name) for n, found in enumerate(sets) if flags[n] for name in sorted(found)]


@given(SETS, FLAGS, st.sets(st.sampled_from("vwxyz")))
def test_some_labels_of_some_documents(sets: list[list[str]], flags: np.ndarray, some: set[str]) -> None:
    labels, names = read(sets)
    wanted = np.array([name in some for name in names], dtype=bool)

    having = labels.have_any(wanted)
    chosen = having & flags[: len(sets)]

    assert having.tolist() == [bool(some & set(found)) for found in sets]
    expected = [sorted(some & set(found)) for n, found in enumerate(sets) if chosen[n]]
    assert names_of(labels.select(chosen, wanted), names) == expected


@given(SETS, SETS)
def test_hashes_tell_sets_of_labels_apart_however_they_are_numbered(
    sets: list[list[str]], others: list[list[str]]
) -> None:
    hashes = [
        dict(zip(map(frozenset, found), labels.hashes(hash_labels(names)).tolist(), strict=True))
        for found in (sets, others)
        for labels, names in [read(found)]
    ]

    both = hashes[0] | hashes[1]
    assert all(both[found] == of_set for of in hashes for found, of_set in of.items())
    assert len(set(both.values())) == len(both)
