"""How well and how fast the local Comprehend learns.

    .venv/bin/python benchmarks/local_comprehend.py accuracy --data FOLDER
    .venv/bin/python benchmarks/local_comprehend.py size

``accuracy`` compares it with TF-IDF + logistic regression and hashing + SGD on the same documents: both
samples of the local stack, Airflow's user interface in six languages, and with ``--data`` the public sets
Banking77 and GoEmotions (see ``benchmarks/public_datasets.py`` for the folder). Scores are judged before and
after calibration. ``size`` trains from made documents up to the limits of the service.
"""

from __future__ import annotations

import csv
import multiprocessing
import os
import resource
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, cast

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from scipy import sparse

from benchmarks import labelled_texts
from benchmarks.peers import LOGISTIC_REGRESSION, SGD, best_of_peers, carried, macro_f1
from nightsort.comprehend.limits import LANGUAGES, Mode
from nightsort_local.local_aws.learning.calibration import LabelCurves
from nightsort_local.local_aws.learning.labelled_csv import read_csv
from nightsort_local.local_aws.learning.metrics import predicted_labels
from nightsort_local.local_aws.learning.text_classifier import TextClassifier, train
from nightsort_local.local_aws.learning.text_features import count_terms
from nightsort_local.local_aws.s3.location import S3Location
from nightsort_local.local_aws.work.training_data import read_labelled_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from benchmarks.labelled_texts import LabelledTexts
    from nightsort_local.local_aws.learning.examples import Example, Unusable
    from nightsort_local.local_aws.learning.labelled_data import LabelledData
    from nightsort_local.local_aws.work.object_store import ObjectStore

SIZES: tuple[tuple[Mode, int, int], ...] = (
    ("MULTI_CLASS", 77, 100_000),
    ("MULTI_CLASS", 400, 100_000),
    ("MULTI_CLASS", 1_000, 1_000_000),
    ("MULTI_LABEL", 100, 1_000_000),
)
"""Mode, labels and training documents."""

TESTED = 20_000
BINS = 15

app = typer.Typer(add_completion=False)
console = Console()


@app.command()
def accuracy(
    names: Annotated[list[str] | None, typer.Argument(help="Which sets; default all.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder with banking77/ and goemotions/.")] = None,
) -> None:
    """Compare macro-F1 with the peers', and scores before and after calibration."""
    table = _table(
        "Macro-F1 and calibration",
        "data",
        "labels",
        "documents",
        "ours",
        LOGISTIC_REGRESSION,
        SGD,
        "ours - best",
        "train s",
        "docs/CPU s",
        "ECE",
        "Brier",
    )
    for name, load in _sets(data).items():
        if not names or name in names:
            console.log(name)
            table.add_row(name, *_accuracy(load()))
    console.print(table)


@app.command()
def size(
    numbers: Annotated[list[int] | None, typer.Argument(help="Which numbers of labels; default all.")] = None,
) -> None:
    """Train up to the limits; each in a process of its own, whose peak memory is told."""
    table = _table(
        "Size",
        "mode",
        "labels",
        "documents",
        "read s",
        "train s",
        "docs/CPU s",
        "macro-F1",
        "peak MB",
        "model MB",
    )
    for mode, labels, documents in SIZES:
        if numbers and labels not in numbers:
            continue
        console.log(f"{mode}, {labels} labels, {documents:,} documents")
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool, tempfile.TemporaryDirectory(prefix="ns-bench-") as folder:
            _write(Path(folder), mode, labels, documents)
            table.add_row(mode, str(labels), f"{documents:,}", *pool.apply(_size, (folder, mode)))
    console.print(table)


def learn(texts: LabelledTexts) -> Iterator[tuple[TextClassifier, list[str], float]]:
    """Train on each part of a set; give the classifier, the texts to test, and the seconds it took."""
    for learnt, tested in texts.parts:
        begin = time.perf_counter()
        counts = count_terms(text for _, text in learnt)
        classifier = train(texts.mode, texts.labels, counts, carried(learnt, texts.labels).tocsc())
        yield classifier, [text for _, text in tested], time.perf_counter() - begin


def decided(classifier: TextClassifier, texts: list[str]) -> sparse.csr_matrix:
    """Decide as a caller of Comprehend would."""
    return predicted_labels(classifier.mode, len(classifier.labels), *classifier.classify(texts))


def _sets(data: Path | None) -> dict[str, Callable[[], LabelledTexts]]:
    found: dict[str, Callable[[], LabelledTexts]] = {}
    if data is not None:
        found["banking77"] = partial(labelled_texts.public_set, data, "banking77", "MULTI_CLASS")
        found["goemotions"] = partial(labelled_texts.public_set, data, "goemotions", "MULTI_LABEL")
    for name in ("aws-services", "aws-topics"):
        found[name] = partial(labelled_texts.sample, name)
    for language in LANGUAGES:
        found[f"interface-{language}"] = partial(labelled_texts.interface_texts, language)
    return found


def _accuracy(texts: LabelledTexts) -> list[str]:
    actual = sparse.vstack([carried(tested, texts.labels) for _, tested in texts.parts], format="csr")
    answers, before, after = [], [], []
    training = classifying = 0.0
    for classifier, tested, seconds in learn(texts):
        training += seconds
        begin = time.process_time()
        answers.append(decided(classifier, tested))
        classifying += time.process_time() - begin
        plain = replace(classifier, curves=LabelCurves.straight(len(classifier.labels)))
        counts = count_terms(tested)
        before.append(plain.scores(counts))
        after.append(classifier.scores(counts))
    ours = macro_f1(actual, sparse.vstack(answers, format="csr"))
    peers = best_of_peers(texts)
    documents = len(texts.parts[0][0]), actual.shape[0]
    errors = [
        [measure(np.concatenate(scores), actual.toarray() != 0) for scores in (before, after)]
        for measure in (calibration_error, brier)
    ]
    return [
        str(len(texts.labels)),
        " / ".join(f"{number:,}" for number in documents),
        f"{ours:.4f}",
        *(f"{peers[name]:.4f}" for name in (LOGISTIC_REGRESSION, SGD)),
        f"{ours - max(peers.values()):+.4f}",
        f"{training / len(texts.parts):.1f}",
        f"{actual.shape[0] / classifying:,.0f}",
        *(f"{old:.3f} → {new:.3f}" for old, new in errors),
    ]


def calibration_error(scores: NDArray[np.float64], actual: NDArray[np.bool_]) -> float:
    """Return the expected calibration error of each document's best label, in bins of equal width."""
    best = scores.argmax(axis=1)
    rows = np.arange(len(scores))
    sure, right = scores[rows, best], actual[rows, best]
    places = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = np.bincount(places, weights=sure - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(scores))


def brier(scores: NDArray[np.float64], actual: NDArray[np.bool_]) -> float:
    """Return the Brier score: the squared errors of a document's scores, summed over the labels."""
    return float(((scores - actual) ** 2).sum(axis=1).mean())


class _Folder:
    """A folder in place of S3."""

    def list(self, uri: str) -> list[tuple[S3Location, int]]:
        return [(S3Location("", uri), Path(uri).stat().st_size)]

    @contextmanager
    def open(self, location: S3Location) -> Iterator[BinaryIO]:
        with Path(location.key).open("rb") as stream:
            yield stream


def _write(folder: Path, mode: Mode, labels: int, documents: int) -> None:
    for seed, (name, number) in enumerate((("train", documents), ("test", TESTED)), 1):
        with (folder / name).open("w", newline="", encoding="utf-8") as stream:
            rows = islice(labelled_texts.made_texts(labels, mode, seed), number)
            csv.writer(stream).writerows(("|".join(found), text) for found, text in rows)


def read_labelled(file: str, mode: Mode) -> LabelledData:
    """Read a CSV as the local Comprehend does; several labels are joined by "|"."""

    def read(stream: BinaryIO, name: str) -> Iterator[Example | Unusable]:
        return read_csv(stream, name, mode, "|")

    return read_labelled_data(cast("ObjectStore", _Folder()), [(file, read)])


def _size(folder: str, mode: Mode) -> list[str]:
    times = [time.perf_counter()]
    data = read_labelled(str(Path(folder, "train")), mode)
    times.append(time.perf_counter())
    classifier = train(mode, data.labels, data.counts, data.carries)
    times.append(time.perf_counter())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
    classifier.save(Path(folder, "model.npz"))
    with Path(folder, "test").open(newline="", encoding="utf-8") as stream:
        texts = [text for _, text in csv.reader(stream)]
    begin = time.process_time()
    blocks = [decided(classifier, texts[start : start + 4_096]) for start in range(0, len(texts), 4_096)]
    classifying = time.process_time() - begin
    found = macro_f1(
        read_labelled(str(Path(folder, "test")), mode).carries.tocsr(), sparse.vstack(blocks, format="csr")
    )
    return [
        *(f"{late - early:.0f}" for early, late in pairwise(times)),
        f"{len(texts) / classifying:,.0f}",
        f"{found:.4f}",
        f"{peak:,.0f}",
        f"{os.path.getsize(Path(folder, 'model.npz')) / 1e6:,.0f}",
    ]


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 else "right", no_wrap=True)
    return table


if __name__ == "__main__":
    app()
