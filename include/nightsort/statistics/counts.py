"""The statistics of a batch or of a run: labels, scores, the least confident documents, examples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

BINS: Final = 20
"""Bins of a histogram. Bin n holds the scores with n/20 <= score < (n+1)/20, the last one 1.0 too."""

LEAST_CONFIDENT: Final = 50
"""Documents with the lowest scores that are kept."""

EXAMPLES: Final = 5
"""Ids that are kept for each reason to have no label."""


def _no_counts(*shape: int) -> npt.NDArray[np.int64]:
    return np.zeros(shape, np.int64)


@dataclass(frozen=True)
class Statistics:
    """What the rows of a batch or of a run add up to.

    A document counts for each of its accepted labels. If none is accepted, it counts for its best label.

    :param classified: documents with a label.
    :param labels: in the order of their bytes.
    :param documents: how many documents count for each label.
    :param score_sums: sums of the scores that these documents have for the label.
    :param histograms: these scores, counted in :data:`BINS` bins; one row a label.
    :param least_confident: the documents with the lowest best score: ``batch``, ``line``, ``document_id``,
        ``labels`` and ``scores`` (best first). Of equal ones, the first in the run.
    :param examples: for each reason to have no label the ids of its first documents.
    """

    classified: int = 0
    labels: tuple[str, ...] = ()
    documents: npt.NDArray[np.int64] = field(default_factory=lambda: _no_counts(0))
    score_sums: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    histograms: npt.NDArray[np.int64] = field(default_factory=lambda: _no_counts(0, BINS))
    least_confident: Sequence[Mapping[str, Any]] = ()
    examples: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def merged(cls, parts: Iterable[Statistics]) -> Statistics:
        """Add up the statistics of batches.

        :param parts: in the order of the batches' names.
        """
        each = list(parts)
        labels = sorted({label for part in each for label in part.labels}, key=str.encode)
        places = {label: place for place, label in enumerate(labels)}
        histograms, score_sums = _no_counts(len(labels), BINS), np.zeros(len(labels))
        examples: dict[str, list[str]] = {}
        for part in each:
            of_part = [places[label] for label in part.labels]
            histograms[of_part] += part.histograms
            score_sums[of_part] += part.score_sums
            for reason, ids in part.examples.items():
                examples[reason] = [*examples.get(reason, ()), *ids][:EXAMPLES]
        least_confident = [document for part in each for document in part.least_confident]
        # Stable: documents with the same score stay in the order of the batches.
        least_confident.sort(key=lambda document: document["scores"][0])
        return cls(
            classified=sum(part.classified for part in each),
            labels=tuple(labels),
            documents=histograms.sum(axis=1),
            score_sums=score_sums,
            histograms=histograms,
            least_confident=least_confident[:LEAST_CONFIDENT],
            examples=dict(sorted(examples.items())),
        )
