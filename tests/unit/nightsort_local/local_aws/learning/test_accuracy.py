"""It learns at least as well as what anybody would try first, in six languages, up to a thousand labels."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.labelled_texts import LabelledTexts, interface_texts, made_texts, sample, skewed
from benchmarks.peers import best_of_peers, carried, macro_f1
from nightsort.comprehend.limits import LANGUAGES, Mode
from nightsort_local.local_aws.learning.metrics import predicted_labels
from nightsort_local.local_aws.learning.text_classifier import TextClassifier, train
from nightsort_local.local_aws.learning.text_features import count_terms

if TYPE_CHECKING:
    from scipy import sparse


def ours(texts: LabelledTexts) -> float:
    found = []
    for learnt, tested in texts.parts:
        classifier = trained(texts.mode, texts.labels, learnt)
        actual = carried(tested, texts.labels)
        found.append(macro_f1(actual, decided(classifier, [text for _, text in tested])))
    return float(np.mean(found))


def trained(mode: Mode, labels: list[str], rows: list[tuple[tuple[str, ...], str]]) -> TextClassifier:
    return train(mode, labels, count_terms(text for _, text in rows), carried(rows, labels).tocsc())


def decided(classifier: TextClassifier, texts: list[str]) -> sparse.csr_matrix:
    return predicted_labels(classifier.mode, len(classifier.labels), *classifier.classify(texts))


@pytest.mark.parametrize("name", ["aws-services", "aws-topics"])
def test_it_is_within_a_point_of_the_best_peer(name: str) -> None:
    """A quarter of the labels, and for the peers the settings that are best on all of them."""
    whole = sample(name)
    known = set(whole.labels[::4])
    learnt, tested = (
        [(tuple(label for label in labels if label in known), text) for labels, text in rows]
        for rows in whole.parts[0]
    )
    part = replace(whole, parts=[([row for row in learnt if row[0]], [row for row in tested if row[0]])])
    peers = best_of_peers(part, strengths=[50], penalties=[1e-5])
    assert ours(part) > max(peers.values()) - 0.01


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_labels_of_few_documents_are_learnt_as_well_as_the_best_peer_does(seed: int) -> None:
    """36 labels of 150 down to one document; the peers try balanced weights, too."""
    cut = skewed(sample("aws-services"), seed)
    peers = best_of_peers(cut, strengths=[50], penalties=[1e-5], weights=[None, "balanced"])
    assert ours(cut) > max(peers.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_learns_each_language(language: str) -> None:
    texts = interface_texts(language)
    texts = replace(texts, parts=texts.parts[:2])
    most_frequent = 1 / len(texts.labels)
    assert ours(texts) > 3 * most_frequent


@pytest.mark.parametrize(
    ("mode", "labels", "least"),
    [
        pytest.param("MULTI_CLASS", 1_000, 0.3, marks=pytest.mark.slow),
        pytest.param("MULTI_LABEL", 100, 0.9, marks=pytest.mark.slow),
    ],
)
def test_as_many_labels_as_there_may_be_are_learnt(mode: Mode, labels: int, least: float) -> None:
    """From so few of these documents, chance alone gives a macro-F1 of 0.001 and 0.02."""
    rows = list(islice(made_texts(labels, mode, seed=1), 3_000))
    tested = list(islice(made_texts(labels, mode, seed=2), 1_000))
    names = sorted({label for found, _ in [*rows, *tested] for label in found})
    classifier = trained(mode, names, rows)
    answers = decided(classifier, [text for _, text in tested])
    assert len(names) > 0.9 * labels
    assert macro_f1(carried(tested, names), answers) > least
