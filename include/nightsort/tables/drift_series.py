"""Read the shares and the scores of labels night by night, with the band in which they are expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nightsort.statistics.drift import BAND, LEAST_DOCUMENTS, TRAILING_NIGHTS, half_width
from nightsort.tables.run_rows import COMPLETE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    import numpy.typing as npt
    import psycopg

    Numbers = npt.NDArray[np.float64]

SEASON: Final = 90
"""Nights of a series: in more, a line can no longer be followed."""

_NIGHTS: Final = """
    SELECT run_key, day, version, state, drifted, drift, labels, documents, score_sums
    FROM nightsort.classification_runs JOIN nightsort.run_statistics USING (classifier, run_key)
    WHERE classifier = %s AND source_uri IS NULL ORDER BY run_key DESC LIMIT %s
"""


@dataclass(frozen=True)
class NightOfSeries:
    """A night of a series.

    :param documents: documents that count for a label.
    :param mean_score: of them; ``None`` without documents.
    :param drifted: ``None`` if it cannot be said.
    :param verdict: the dict of :class:`~nightsort.statistics.drift.Verdict`; empty without one.
    """

    run_key: str
    day: date
    version: str | None
    state: str
    documents: int
    mean_score: float | None
    drifted: bool | None
    verdict: Mapping[str, Any]

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        return str(self.verdict.get("sentence") or "")

    @property
    def _dispersion(self) -> float:
        return self.verdict.get("dispersion") or 1.0


@dataclass(frozen=True)
class DriftSeries:
    """Nights in the order of their days. Arrays have a row a night and a column a label; NaN: not known.

    :param labels: the most frequent label first.
    :param shares: share of each label.
    :param usual: its share in the nights before, of the same version.
    :param low: with `high`, the band that holds 99 nights in 100.
    :param mean_scores: of the documents that count for each label.
    :param score_low: with `score_high`, such a band for the mean score of all labels; one number a night.
    """

    nights: Sequence[NightOfSeries]
    labels: Sequence[str]
    shares: Numbers
    usual: Numbers
    low: Numbers
    high: Numbers
    mean_scores: Numbers
    score_low: Numbers
    score_high: Numbers


def drift_series(conn: psycopg.Connection[Any], classifier: str, *, nights: int = SEASON) -> DriftSeries:
    """Return the last nights of a classifier that have statistics.

    :param conn: the database.
    :param classifier: name of the spec.
    :param nights: how many.
    """
    with conn.transaction():
        # In binary, arrays of numbers take a quarter of the time.
        rows = conn.execute(_NIGHTS, (classifier, nights + TRAILING_NIGHTS), binary=True).fetchall()
    rows.reverse()
    counts, sums, labels = _matrices(rows)
    totals = counts.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        means, shares, scores = sums.sum(axis=1) / totals, counts / totals[:, None], sums / counts
    found = [
        NightOfSeries(
            run_key=row[0],
            day=row[1],
            version=row[2],
            state=row[3],
            documents=int(total),
            mean_score=None if np.isnan(mean) else float(mean),
            drifted=row[4],
            verdict=row[5] or {},
        )
        for row, total, mean in zip(rows, totals, means, strict=True)
    ]
    usual, widths, score_band = _usual(found, counts, means)
    last = slice(-nights, None)
    return DriftSeries(
        nights=found[last],
        labels=labels,
        shares=shares[last],
        usual=usual[last],
        low=np.maximum(usual - widths, 0)[last],
        high=np.minimum(usual + widths, 1)[last],
        mean_scores=scores[last],
        score_low=score_band[last, 0],
        score_high=score_band[last, 1],
    )


def _matrices(rows: Sequence[tuple[Any, ...]]) -> tuple[Numbers, Numbers, list[str]]:
    """Return documents and sums of scores by night and label; the most frequent label is first."""
    labels = sorted({label for row in rows for label in row[6]})
    places = {label: place for place, label in enumerate(labels)}
    counts, sums = np.zeros((len(rows), len(labels))), np.zeros((len(rows), len(labels)))
    for night, row in enumerate(rows):
        found = [places[label] for label in row[6]]
        counts[night, found], sums[night, found] = row[7], row[8]
    order = np.argsort(-counts.sum(axis=0), kind="stable")
    return counts[:, order], sums[:, order], [labels[place] for place in order]


def _usual(
    nights: Sequence[NightOfSeries], counts: Numbers, means: Numbers
) -> tuple[Numbers, Numbers, Numbers]:
    """Return the usual shares, the half widths of their bands, and the bands of the mean scores."""
    usual, widths = np.full_like(counts, np.nan), np.full_like(counts, np.nan)
    score_band = np.full((len(nights), 2), np.nan)
    # As statistics.drift.shown_beside: large nights, and small ones where there are no others.
    earlier: dict[str | None, tuple[list[int], list[int]]] = {}
    for place, night in enumerate(nights):
        large, all_sizes = earlier.setdefault(night.version, ([], []))
        before = (large or all_sizes)[-TRAILING_NIGHTS:]
        together = counts[before].sum(axis=0)
        if night.documents and together.any():
            usual[place] = together / together.sum()
            widths[place] = half_width(usual[place], night.documents, together.sum(), night._dispersion)
        if len(before) > 1:
            spread = BAND * means[before].std(ddof=1) * np.sqrt(1 + 1 / len(before))
            score_band[place] = means[before].mean() + np.array([-spread, spread])
        if night.state == COMPLETE:
            all_sizes.append(place)
            if night.documents >= LEAST_DOCUMENTS:
                large.append(place)
    return usual, widths, np.clip(score_band, 0, 1)
