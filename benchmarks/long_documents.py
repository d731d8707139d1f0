"""How long a training of 7,700 long documents with 90 labels takes, beside other commits, by turns.

    .venv/bin/python -m benchmarks.long_documents [--beside CHECKOUT]... [--rounds 2]

A CHECKOUT is a folder with the files of another commit (``git worktree add``, or ``git archive``). Each
training runs in a process of its own; terms are counted in it, nothing is read from S3.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
PACKAGES = ("nightsort_local", "local_stack")
"""The local stack's name in this commit, and in earlier ones."""

console = Console()


def main(
    beside: Annotated[list[Path] | None, typer.Option(help="Folder with another commit.")] = None,
    rounds: Annotated[int, typer.Option(help="Trainings of each commit.")] = 2,
) -> None:
    """Print seconds, CPU seconds and macro-F1 of each training."""
    from benchmarks.labelled_texts import long_texts
    from benchmarks.peers import carried

    texts = long_texts()
    ((learnt, tested),) = texts.parts
    table = Table("commit", "round", "s", "CPU s", "macro-F1", "load")
    with tempfile.TemporaryDirectory(prefix="ns-bench-") as folder:
        given = Path(folder, "texts.pickle")
        parts = [([text for _, text in rows], carried(rows, texts.labels)) for rows in (learnt, tested)]
        given.write_bytes(pickle.dumps((texts.labels, *parts)))
        for number in range(rounds):
            for checkout in [ROOT, *(beside or ())]:
                path = os.pathsep.join(map(str, (checkout, checkout / "include")))
                command = [sys.executable, __file__, str(given), str(checkout.resolve())]
                done = subprocess.run(
                    command,
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "PYTHONPATH": path},
                )
                figures = json.loads(done.stdout.splitlines()[-1])
                load = f"{os.getloadavg()[0]:.1f}"
                table.add_row(checkout.name, str(number + 1), *(f"{each:.4g}" for each in figures), load)
    console.print(table)


def learn(file: str, checkout: str) -> list[float]:
    """Train with the code of a checkout; give seconds, CPU seconds and the macro-F1 on the tested ones."""
    import numpy as np
    from sklearn.metrics import f1_score

    # The name of an earlier commit first: this one may be installed beside it.
    package = next(name for name in reversed(PACKAGES) if find_spec(name))
    parts: list[Any] = [
        import_module(f"{package}.local_aws.learning.{name}") for name in ("text_features", "text_classifier")
    ]
    features, classifiers = parts
    assert Path(features.__file__).is_relative_to(checkout)
    labels, (texts, carries), (tested, actual) = pickle.loads(Path(file).read_bytes())
    begin, begun = time.perf_counter(), time.process_time()
    classifier = classifiers.train("MULTI_LABEL", labels, features.count_terms(texts), carries.tocsc())
    taken = [time.perf_counter() - begin, time.process_time() - begun]
    columns, scores = classifier.classify(tested)
    found = np.zeros(actual.shape, dtype=bool)
    np.put_along_axis(found, columns, scores >= 0.5, axis=1)
    return [*taken, float(f1_score(actual, found, average="macro", zero_division=0))]


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1].endswith(".pickle"):
        print(json.dumps(learn(*sys.argv[1:])))
    else:
        typer.run(main)
