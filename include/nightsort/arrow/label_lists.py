"""Lists of labels with their scores, best first: what a classifier says of a document."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from nightsort.arrow.columns import from_numpy

LABEL: Final = pa.dictionary(pa.int32(), pa.string())
"""The type of labels in record batches: few strings, many rows."""

LABELS: Final = pa.list_(LABEL)
SCORES: Final = pa.list_(pa.float32())
"""The tables hold scores as four bytes, and so does everything that is computed from them."""


def accepted_labels(labels: Any, scores: Any, threshold: float | None) -> Any:
    """Return the labels that count as the document's.

    :param labels: a column of :data:`LABELS`, none of them empty.
    :param scores: a column of :data:`SCORES`.
    :param threshold: the lowest score of an accepted label; ``None``: the best label alone is accepted.
    :returns: a column of :data:`LABELS`.
    """
    if threshold is None:
        best = labels.values.take(labels.offsets[:-1])
        return pa.ListArray.from_arrays(from_numpy(np.arange(len(labels) + 1, dtype=np.int32)), best)
    enough = scores.values.to_numpy() >= np.float32(threshold)
    ends = np.concatenate(([0], np.cumsum(enough)))[labels.offsets.to_numpy()]
    return pa.ListArray.from_arrays(
        from_numpy(ends.astype(np.int32)), labels.values.take(from_numpy(np.flatnonzero(enough)))
    )


def as_labels(column: Any) -> Any:
    """Return lists of strings, none of them null, as a column of :data:`LABELS` whose values begin at 0."""
    return pa.ListArray.from_arrays(_offsets(column), column.flatten().cast(pa.string()).dictionary_encode())


def as_scores(column: Any) -> Any:
    """Return lists of numbers, none of them null, as a column of :data:`SCORES` whose values begin at 0."""
    return pa.ListArray.from_arrays(_offsets(column), column.flatten().cast(pa.float32()))


def _offsets(column: Any) -> Any:
    offsets = column.offsets.to_numpy()
    return from_numpy(offsets - offsets[0])
