"""Labelled texts to learn from: public sets, what comes with our requirements, and made ones."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import airflow
import botocore
import numpy as np
from sklearn.model_selection import StratifiedKFold

from nightsort_local import sample_corpus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nightsort.comprehend.limits import Mode

Row = tuple[tuple[str, ...], str]
"""The labels of a document, and its text."""


@dataclass(frozen=True)
class LabelledTexts:
    """Documents to learn from, and others to be tested on; `parts` has several such pairs of one set."""

    name: str
    mode: Mode
    parts: list[tuple[list[Row], list[Row]]]

    @property
    def labels(self) -> list[str]:
        """All labels, sorted."""
        return sorted({label for train, test in self.parts for labels, _ in train + test for label in labels})


def public_set(folder: Path, name: str, mode: Mode) -> LabelledTexts:
    """Read ``train.csv`` and ``test.csv``: labels joined by "|", and text, without header."""
    train, test = (list(_read(folder / name / f"{part}.csv", mode)) for part in ("train", "test"))
    return LabelledTexts(name, mode, [(train, test)])


def sample(name: str) -> LabelledTexts:
    """Return one of the local stack's samples: its labelled documents, and those of all its days."""
    mode: Mode = "MULTI_CLASS" if name == "aws-services" else "MULTI_LABEL"
    corpus = sample_corpus.aws_services() if name == "aws-services" else sample_corpus.aws_topics()
    incoming = [document for documents in corpus.incoming.values() for document in documents]
    train, test = (
        [(document.labels, document.text) for document in some] for some in (corpus.labelled, incoming)
    )
    return LabelledTexts(name, mode, [(train, test)])


def interface_texts(language: str) -> LabelledTexts:
    """Return the texts of Airflow's own user interface in a language; their label is the area they belong to.

    They are a thousand short texts at most: each is tested on once, in five parts.
    """
    folder = Path(airflow.__file__).parent / "ui/dist/i18n/locales" / language
    areas: dict[str, str] = {}
    for file in sorted(folder.glob("*.json")):
        # "tasks" has eight texts only.
        if file.stem != "tasks":
            for text in _leaves(json.loads(file.read_text(encoding="utf-8"))):
                areas.setdefault(text, file.stem)
    rows: list[Row] = [((area,), text) for text, area in areas.items()]
    folds = StratifiedKFold(5, shuffle=True, random_state=0).split(rows, [labels[0] for labels, _ in rows])
    parts = [([rows[n] for n in learnt], [rows[n] for n in tested]) for learnt, tested in folds]
    return LabelledTexts(f"interface-{language}", "MULTI_CLASS", parts)


def made_texts(labels: int, mode: Mode, seed: int) -> Iterator[Row]:
    """Make short documents without end: words as frequent as in any language, and four of each label's ten.

    Labels share some of their words, and these are filler elsewhere, so that not all can be told apart.
    """
    random = np.random.default_rng(seed)
    words = [f"w{number:x}" for number in range(50_000)]
    shares = 1 / np.arange(10, 50_010)
    own = np.random.default_rng(0).integers(1_000, 50_000, (labels, 10))
    while True:
        fillers = random.choice(50_000, (1_000, 10), p=shares / shares.sum())
        carried = random.integers(labels, size=(1_000, 3))
        numbers = np.ones(1_000, dtype=int) if mode == "MULTI_CLASS" else random.integers(1, 4, 1_000)
        telling = random.integers(10, size=(1_000, 3, 4))
        for filler, drawn, number, places in zip(fillers, carried, numbers, telling, strict=True):
            found = drawn[:number]
            text = [*own[found[:, None], places[:number]].ravel(), *filler]
            yield tuple(sorted({f"label-{label:04}" for label in found})), " ".join(words[n] for n in text)


def skewed(texts: LabelledTexts, seed: int, most: int = 150, labels: int = 52) -> LabelledTexts:
    """Cut a MULTI_CLASS set so that its labels have from `most` documents down to one.

    The sizes fall by the same factor from label to label. The tested documents are cut in the same
    proportion, but keep at least five of each label.

    :param seed: another one draws other labels and documents.
    """
    random = np.random.default_rng(seed)
    ((learnt, tested),) = texts.parts
    names = random.permutation(texts.labels)[:labels].tolist()
    sizes = np.round(most ** (1 - np.arange(len(names)) / (len(names) - 1)))
    share = dict(zip(names, sizes / most, strict=True))
    parts: list[list[Row]] = []
    for rows, largest, least in ((learnt, most, 1), (tested, None, 5)):
        chosen: list[Row] = []
        for name in names:
            own = [row for row in rows if row[0] == (name,)]
            number = max(round((largest or len(own)) * share[name]), least)
            chosen += [own[place] for place in random.permutation(len(own))[:number]]
        parts.append([chosen[place] for place in random.permutation(len(chosen))])
    return LabelledTexts(f"{texts.name}, skewed", texts.mode, [(parts[0], parts[1])])


def long_texts(labels: int = 90, documents: int = 7_700, tested: int = 3_000) -> LabelledTexts:
    """Join descriptions of the API to long documents; the services in it are the labels of a document.

    A document has about 1,900 characters and one to three labels, some of which are 30 times as frequent as
    others.
    """
    random = np.random.default_rng(0)
    models = Path(botocore.__file__).parent.glob("data/*/*/service-2.json.gz")
    texts = {name: _descriptions_of(name) for name in sorted({model.parts[-3] for model in models})}
    names = random.permutation(sorted(texts, key=lambda name: -len(texts[name]))[:labels]).tolist()
    shares = 1 / np.arange(3, labels + 3)
    rows: list[Row] = []
    for _ in range(documents + tested):
        number = min(int(random.geometric(0.75)) + int(random.random() < 0.15), 3)
        carried = random.choice(labels, number, replace=False, p=shares / shares.sum())
        left = random.lognormal(np.log(1_500), 0.5)
        parts: list[str] = []
        while left > 0:
            own = texts[names[carried[len(parts) % number]]]
            parts.append(own[random.integers(len(own))])
            left -= len(parts[-1])
        rows.append((tuple(sorted(names[place] for place in carried[: len(parts)])), " ".join(parts)))
    return LabelledTexts("long", "MULTI_LABEL", [(rows[:documents], rows[documents:])])


def _descriptions_of(service: str) -> list[str]:
    return sorted({text for _, text in sample_corpus.descriptions(service, members=True)})


def _read(file: Path, mode: Mode) -> Iterator[Row]:
    with file.open(newline="", encoding="utf-8") as stream:
        for cell, text in csv.reader(stream):
            yield (cell,) if mode == "MULTI_CLASS" else tuple(cell.split("|")), text


def _leaves(item: Any) -> Iterable[str]:
    if isinstance(item, dict):
        for value in item.values():
            yield from _leaves(value)
    else:
        yield item
