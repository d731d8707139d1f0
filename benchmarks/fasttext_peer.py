"""Train fastText and classify with it, where the group bench is installed and nothing of ours.

    python -m benchmarks.fasttext_peer MODE TRAINING TEST LABELS [ROUNDS]

TRAINING and TEST have a document a line, TRAINING with its labels as fastText wants them. The labels that it
finds go into the file LABELS, a line per document, separated by blanks; the seconds are printed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import fasttext

MARK = "__label__"


def main(mode: str, training: str, test: str, labels: str, rounds: str = "25") -> None:
    """Learn with word pairs, by default 25 rounds, as fastText's tutorial ends; then classify."""
    begin = time.perf_counter()
    one = mode == "MULTI_CLASS"
    options = {
        "loss": "softmax" if one else "ova",
        "lr": 0.5,
        "epoch": int(rounds),
        "wordNgrams": 2,
        "thread": 2,
    }
    model = fasttext.train_supervised(training, verbose=0, **options)
    trained = time.perf_counter()
    texts = Path(test).read_text(encoding="utf-8").splitlines()
    found, _ = model.predict(texts, k=1 if one else -1, threshold=0.0 if one else 0.5)
    classified = time.perf_counter()
    lines = [" ".join(label.removeprefix(MARK) for label in document) for document in found]
    Path(labels).write_text("\n".join(lines), encoding="utf-8")
    print(json.dumps({"train": trained - begin, "classify": classified - trained}))


if __name__ == "__main__":
    main(*sys.argv[1:])
