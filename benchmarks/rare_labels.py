"""How well labels of few documents are learnt: the local Comprehend beside three peers, on several cuts.

    .venv/bin/python -m benchmarks.rare_labels --data FOLDER [--cuts 5]

Each cut draws at most 52 labels, of which the first has 150 documents and the last one, and documents for
them; see :func:`benchmarks.labelled_texts.skewed`. The peers have the best of their settings in each cut,
chosen on the tested documents themselves: six for scikit-learn's, with and without balanced weights, two for
fastText (needs ``make .venv/bench/.installed``).
"""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks import labelled_texts
from benchmarks.learning import fasttext_after, write_texts
from benchmarks.local_comprehend import brier, calibration_error, learn
from benchmarks.peers import best_of_peers, carried, macro_f1, one_each
from nightsort_local.local_aws.learning.text_features import count_terms

if TYPE_CHECKING:
    from benchmarks.labelled_texts import LabelledTexts

FASTTEXT_ROUNDS = (25, 100)

console = Console()


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Which sets; default all.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder with banking77/.")] = None,
    cuts: Annotated[int, typer.Option(help="The number of cuts of each set.")] = 5,
    peers: Annotated[bool, typer.Option(help="Whether to measure the peers, too.")] = True,
) -> None:
    """Print the mean and the spread (standard deviation) over the cuts of each set."""
    whole = [labelled_texts.sample("aws-services")]
    if data is not None:
        whole.append(labelled_texts.public_set(data, "banking77", "MULTI_CLASS"))
    for texts in [each for each in whole if not names or each.name in names]:
        found: defaultdict[str, list[float]] = defaultdict(list)
        for seed in range(cuts):
            cut = labelled_texts.skewed(texts, seed)
            console.log(f"{cut.name} {seed}: {len(cut.parts[0][0]):,} documents, {len(cut.labels)} labels")
            figures = _ours(cut)
            if peers:
                figures.update(best_of_peers(cut, weights=(None, "balanced")))
                figures["fastText"] = _fasttext(cut)
            for name, figure in figures.items():
                found[name].append(figure)
        table = Table("figure", "mean", "spread", title=f"{texts.name}, {cuts} skewed cuts")
        for name, values in found.items():
            table.add_row(name, f"{np.mean(values):.4f}", f"{np.std(values):.4f}")
        console.print(table)


def _ours(cut: LabelledTexts) -> dict[str, float]:
    ((classifier, texts, _),) = learn(cut)
    actual = carried(cut.parts[0][1], cut.labels)
    with threadpool_limits(1):
        scores = classifier.scores(count_terms(texts))
    best = scores.argmax(axis=1)
    known = actual.toarray() != 0
    return {
        "macro-F1, ours": macro_f1(actual, one_each(best, len(cut.labels))),
        "accuracy, ours": float(known[np.arange(len(best)), best].mean()),
        "calibration error, ours": calibration_error(scores, known),
        "Brier score, ours": brier(scores, known),
    }


def _fasttext(cut: LabelledTexts) -> float:
    here = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="ns-bench-") as folder:
        write_texts(cut, Path(folder), len(cut.parts[0][0]))
        os.chdir(folder)
        try:
            return max(fasttext_after(Path(folder), rounds)["macro_f1"] for rounds in FASTTEXT_ROUNDS)
        finally:
            os.chdir(here)


if __name__ == "__main__":
    typer.run(main)
