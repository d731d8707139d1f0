"""The local Comprehend beside fastText and plain scikit-learn: how fast they are, and how good.

The samples are always there. ``NIGHTSORT_BENCHMARK_DATA`` names a folder with ``banking77/`` and
``goemotions/`` (see ``benchmarks/public_datasets.py``), neither of which is part of this repository.
Calibration and the limits of the service are in ``benchmarks/LOCAL_COMPREHEND.md``.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from threadpoolctl import threadpool_limits

from benchmarks import labelled_texts
from benchmarks.local_comprehend import decided, read_labelled
from benchmarks.measuring import PEERS_PYTHON, ROOT, Comparison, Contender
from benchmarks.peers import carried, macro_f1, one_each
from nightsort_local.local_aws.learning.text_classifier import train

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.labelled_texts import LabelledTexts, Row
    from nightsort.comprehend.limits import Mode

DATA_VARIABLE = "NIGHTSORT_BENCHMARK_DATA"
BLOCK = 4_096


def make_aws_services(folder: Path, size: int) -> None:
    """Write one of 36 labels for each document."""
    write_texts(labelled_texts.sample("aws-services"), folder, size)


def make_aws_topics(folder: Path, size: int) -> None:
    """Write any of 18 labels for each document."""
    write_texts(labelled_texts.sample("aws-topics"), folder, size)


def make_banking77(folder: Path, size: int) -> None:
    """Write one of 77 labels for each document."""
    write_texts(labelled_texts.public_set(_public_folder(), "banking77", "MULTI_CLASS"), folder, size)


def make_goemotions(folder: Path, size: int) -> None:
    """Write any of 28 labels for each document."""
    write_texts(labelled_texts.public_set(_public_folder(), "goemotions", "MULTI_LABEL"), folder, size)


def ours(folder: Path, size: int) -> dict[str, float]:
    """The local Comprehend, from the CSV on; one core."""
    data = _Data(folder)
    begin = time.perf_counter()
    labelled = read_labelled(str(folder / "train.csv"), data.mode)
    classifier = train(data.mode, labelled.labels, labelled.counts, labelled.carries)
    trained = time.perf_counter()
    texts = data.test_texts
    blocks = [decided(classifier, texts[start : start + BLOCK]) for start in range(0, len(texts), BLOCK)]
    return data.figures(
        labelled.labels, sparse.vstack(blocks, format="csr"), trained - begin, time.perf_counter() - trained
    )


def fasttext(folder: Path, size: int) -> dict[str, float]:
    """Train and classify with fastText: pairs of words, 25 rounds, learning rate 0.5; two cores."""
    return fasttext_after(folder, 25)


def fasttext_after(folder: Path, rounds: int) -> dict[str, float]:
    """Return the figures of fastText after so many rounds."""
    data = _Data(folder)
    files = [str(folder / "fasttext-train.txt"), str(folder / "fasttext-test.txt"), "found.txt"]
    command = [str(PEERS_PYTHON), "-m", "benchmarks.fasttext_peer", data.mode, *files, str(rounds)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    seconds = json.loads(done.stdout.splitlines()[-1])
    found = Path("found.txt").read_text(encoding="utf-8").split("\n")
    labels = data.labels
    rows: list[Row] = [(tuple(label for label in line.split() if label in labels), "") for line in found]
    return data.figures(labels, carried(rows, labels), seconds["train"], seconds["classify"])


def logistic_regression(folder: Path, size: int) -> dict[str, float]:
    """scikit-learn: TF-IDF of words and pairs, logistic regression with C = 10; one core."""
    data = _Data(folder)
    solver = "lbfgs" if data.mode == "MULTI_CLASS" else "liblinear"
    model = LogisticRegression(C=10, solver=solver, max_iter=200)
    return _plain(data, TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), model)


def sgd(folder: Path, size: int) -> dict[str, float]:
    """scikit-learn: hashed words and pairs, SGD with logistic loss; one core."""
    model = SGDClassifier(loss="log_loss", alpha=1e-5, random_state=0)
    return _plain(_Data(folder), HashingVectorizer(ngram_range=(1, 2), alternate_sign=False), model)


def _plain(data: _Data, vectorizer: Any, model: Any) -> dict[str, float]:
    labels = data.labels
    answers = carried(data.learnt, labels)
    begin = time.perf_counter()
    # So small products are slowed down by threads, a hundredfold on a busy machine.
    with threadpool_limits(1):
        learnt = vectorizer.fit_transform([text for _, text in data.learnt])
        if data.mode == "MULTI_LABEL":
            model = OneVsRestClassifier(model).fit(learnt, answers)
        else:
            model.fit(learnt, answers.argmax(axis=1).A1)
        trained = time.perf_counter()
        found = model.predict(vectorizer.transform(data.test_texts))
    classified = time.perf_counter()
    if data.mode == "MULTI_CLASS":
        found = one_each(found, len(labels))
    decisions = sparse.csr_matrix(found, dtype=np.int32)
    return data.figures(labels, decisions, trained - begin, classified - trained)


class _Data:
    """What `make` wrote."""

    def __init__(self, folder: Path) -> None:
        written = (folder / "mode.txt").read_text()
        self.mode: Mode = "MULTI_LABEL" if written == "MULTI_LABEL" else "MULTI_CLASS"
        self.learnt, self.tested = (list(self._read(folder / f"{part}.csv")) for part in ("train", "test"))

    @property
    def labels(self) -> list[str]:
        return sorted({label for found, _ in self.learnt for label in found})

    @property
    def test_texts(self) -> list[str]:
        return [text for _, text in self.tested]

    def figures(
        self, labels: Sequence[str], decisions: sparse.csr_matrix, training: float, classifying: float
    ) -> dict[str, float]:
        known = set(labels)
        actual = [(tuple(label for label in found if label in known), text) for found, text in self.tested]
        right = carried(actual, labels)
        return {
            "train_documents_per_second": len(self.learnt) / training,
            "classify_documents_per_second": len(self.tested) / classifying,
            "accuracy": float(((right != decisions).sum(axis=1) == 0).mean()),
            "macro_f1": macro_f1(right, decisions),
        }

    def _read(self, file: Path) -> Iterator[Row]:
        with file.open(newline="", encoding="utf-8") as stream:
            for cell, text in csv.reader(stream):
                yield tuple(cell.split("|")), text


def _public_folder() -> Path:
    return Path(os.environ[DATA_VARIABLE])


def write_texts(texts: LabelledTexts, folder: Path, size: int) -> None:
    """Write what :func:`ours` and its peers read."""
    ((learnt, tested),) = texts.parts
    (folder / "mode.txt").write_text(texts.mode)
    # In an order of its own: the samples are sorted by label.
    learnt = [learnt[place] for place in np.random.default_rng(0).permutation(len(learnt))[:size]]
    for part, rows in (("train", learnt), ("test", tested)):
        with (folder / f"{part}.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(("|".join(found), text) for found, text in rows)
    marked = [" ".join((*(f"__label__{label}" for label in found), *text.split())) for found, text in learnt]
    (folder / "fasttext-train.txt").write_text("\n".join(marked) + "\n", encoding="utf-8")
    plain = [" ".join(text.split()) for _, text in tested]
    (folder / "fasttext-test.txt").write_text("\n".join(plain) + "\n", encoding="utf-8")


def _comparison(name: str, make: Any, size: int, quick_size: int | None) -> Comparison:
    return Comparison(
        f"learning_{name}",
        f"Local Comprehend: training and classification, {name}",
        make=make,
        contenders=[
            Contender(ours),
            Contender(fasttext, peers=("fasttext-numpy2-wheel",)),
            Contender(logistic_regression, runs=1),
            Contender(sgd),
        ],
        sizes={size: 3},
        quick_size=quick_size,
    )


COMPARISONS = [
    _comparison("aws-services", make_aws_services, 6_000, 1_000),
    _comparison("aws-topics", make_aws_topics, 4_000, None),
]
if os.environ.get(DATA_VARIABLE):
    COMPARISONS += [
        _comparison("banking77", make_banking77, 10_003, None),
        _comparison("goemotions", make_goemotions, 43_410, None),
    ]
