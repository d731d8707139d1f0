"""Classify in the real-time process, which holds the models."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from nightsort_local.local_aws.learning.text_classifier import RETURNED, TextClassifier
from nightsort_local.local_aws.learning.text_features import count_terms
from nightsort_local.local_aws.work.tasks import TextClasses

MODELS_KEPT: Final = 4
"""Models kept in memory, the most recently used; the largest has about 256 MB."""


def classify_text(model_file: str, text: str | None) -> TextClasses:
    """Return a document's best labels, with float32 scores as in ClassifyDocument.

    :param model_file: the model's path. The file is read unless the model is in memory.
    :param text: the document; None returns no labels.
    :raises OSError: the model cannot be read.
    """
    classifier = _load(model_file)
    if text is None:
        return TextClasses(classifier.mode, ())
    scores = classifier.scores(count_terms([text]))[0].astype(np.float32)
    best = np.argsort(-scores, kind="stable")[:RETURNED]
    return TextClasses(
        classifier.mode, tuple((classifier.labels[column], float(scores[column])) for column in best)
    )


@lru_cache(maxsize=MODELS_KEPT)
def _load(model_file: str) -> TextClassifier:
    return TextClassifier.load(Path(model_file))
