"""Read the shares and the scores of labels night by night, with the band in which they are expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nightsort.statistics.drift import BAND, LEAST_DOCUMENTS, TRAILING_NIGHTS
from nightsort.tables.run_rows import COMPLETE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import numpy.typing as npt
    import psycopg

    Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NightOfSeries:
    """A night of a series.

    :param documents: documents that count for a label.
    :param mean_score: of them; ``None`` without documents.
    :param drifted: ``None`` if it cannot be said.
    :param drift: the verdict in a sentence.
    """

    run_key: str
    day: date
    version: str | None
    state: str
    documents: int
    mean_score: float | None
    drifted: bool | None
    drift: str | None


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


def drift_series(conn: psycopg.Connection[Any], classifier: str, *, nights: int = 90) -> DriftSeries:
    """Return the last nights of a classifier that have statistics.

    :param conn: the database.
    :param classifier: name of the spec.
    :param nights: how many.
    """
    with conn.transaction():
        # As JSON, which takes a third less time than arrays.
        rows = conn.execute(
            "SELECT run_key, day, version, state, drifted, drift ->> 'sentence',"
            " coalesce((drift ->> 'dispersion')::float8, 1), to_jsonb(labels), to_jsonb(documents),"
            " to_jsonb(score_sums)"
            " FROM nightsort.classification_runs JOIN nightsort.run_statistics USING (classifier, run_key)"
            " WHERE classifier = %s AND source_uri IS NULL ORDER BY run_key DESC LIMIT %s",
            (classifier, nights + TRAILING_NIGHTS),
        ).fetchall()
    rows.reverse()
    counts, sums, labels = _matrices(rows)
    totals, dispersions = counts.sum(axis=1), np.array([row[6] for row in rows])
    with np.errstate(divide="ignore", invalid="ignore"):
        means, shares, scores = sums.sum(axis=1) / totals, counts / totals[:, None], sums / counts
        usual, errors, score_band = _usual(rows, counts, means, totals, dispersions)
    found = [
        NightOfSeries(
            run_key=row[0],
            day=row[1],
            version=row[2],
            state=row[3],
            documents=int(total),
            mean_score=None if np.isnan(mean) else float(mean),
            drifted=row[4],
            drift=row[5],
        )
        for row, total, mean in zip(rows, totals, means, strict=True)
    ]
    last = slice(-nights, None)
    return DriftSeries(
        nights=found[last],
        labels=labels,
        shares=shares[last],
        usual=usual[last],
        low=np.maximum(usual - errors, 0)[last],
        high=np.minimum(usual + errors, 1)[last],
        mean_scores=scores[last],
        score_low=score_band[last, 0],
        score_high=score_band[last, 1],
    )


def _matrices(rows: Sequence[tuple[Any, ...]]) -> tuple[Numbers, Numbers, list[str]]:
    """Return documents and sums of scores by night and label; the most frequent label is first."""
    labels = sorted({label for row in rows for label in row[7]})
    places = {label: place for place, label in enumerate(labels)}
    counts, sums = np.zeros((len(rows), len(labels))), np.zeros((len(rows), len(labels)))
    for night, row in enumerate(rows):
        found = [places[label] for label in row[7]]
        counts[night, found], sums[night, found] = row[8], row[9]
    order = np.argsort(-counts.sum(axis=0), kind="stable")
    return counts[:, order], sums[:, order], [labels[place] for place in order]


def _usual(
    rows: Sequence[tuple[Any, ...]], counts: Numbers, means: Numbers, totals: Numbers, dispersions: Numbers
) -> tuple[Numbers, Numbers, Numbers]:
    """Return the usual shares, the half widths of their bands, and the bands of the mean scores."""
    usual, errors = np.full_like(counts, np.nan), np.full_like(counts, np.nan)
    score_band = np.full((len(rows), 2), np.nan)
    earlier: list[int] = []
    for night, (_, _, version, state, *_) in enumerate(rows):
        before = [each for each in earlier if rows[each][2] == version][-TRAILING_NIGHTS:]
        if before:
            together = counts[before].sum(axis=0)
            share = together / together.sum()
            usual[night] = share
            errors[night] = BAND * np.sqrt(
                dispersions[night] * share * (1 - share) * (1 / totals[night] + 1 / together.sum())
            )
        if len(before) > 1:
            spread = BAND * means[before].std(ddof=1) * np.sqrt(1 + 1 / len(before))
            score_band[night] = means[before].mean() + np.array([-spread, spread])
        if state == COMPLETE and totals[night] >= LEAST_DOCUMENTS:
            earlier.append(night)
    return usual, errors, np.clip(score_band, 0, 1)
