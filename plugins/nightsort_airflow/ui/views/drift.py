"""The page of drift: the labels and the scores of a classifier's nights, and which of them were unusual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nightsort.reports import figures
from nightsort.statistics import drift as rule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from nightsort.tables.drift_series import DriftSeries, NightOfSeries

RULE: Final = {
    "trailing": rule.TRAILING_NIGHTS,
    "nights": rule.LEAST_NIGHTS,
    "documents": rule.LEAST_DOCUMENTS,
    "p_value": rule.P_VALUE,
    "psi": rule.LEAST_PSI,
}
"""The numbers of the rule, for its sentence on the page."""

LABELS_DRAWN: Final = 8


@dataclass(frozen=True)
class Drift:
    """
    What the page shows.

    :param nights: the newest one first.
    :param shares: of the most frequent labels.
    :param one_label: of the label that changed most in the last night.
    :param labels: by label its shares, with the range expected of each night; what changed most first.
    :param confidence: the mean scores.
    """

    nights: Sequence[NightOfSeries]
    shares: figures.Figure
    one_label: figures.Figure
    labels: Mapping[str, Mapping[str, Any]]
    confidence: figures.Figure

    @property
    def flagged(self) -> list[NightOfSeries]:
        """The nights that drifted."""
        return [night for night in self.nights if night.drifted]


def drift(series: DriftSeries) -> Drift | None:
    """
    Return what the page shows; None if no night has labels.

    :param series: the nights.
    """
    there = [place for place, night in enumerate(series.nights) if night.documents]
    if not there:
        return None
    nights = [series.nights[place] for place in there]
    days, flagged = [night.day for night in nights], [night.day for night in nights if night.drifted]
    shares = dict(zip(series.labels, _plain(series.shares[there]), strict=True))
    bands = zip(_plain(series.low[there]), _plain(series.high[there]), strict=True)
    choices = {
        label: {"y": values, "low": low, "high": high}
        for (label, values), (low, high) in zip(shares.items(), bands, strict=True)
    }
    order = np.argsort(-_change(series), kind="stable")
    most_changed = {series.labels[place]: choices[series.labels[place]] for place in order}
    first, chosen = next(iter(most_changed.items()))
    frequent = dict(list(shares.items())[:LABELS_DRAWN])
    scores = [night.mean_score for night in nights]
    score_low, score_high = (_plain(end[there][:, None])[0] for end in (series.score_low, series.score_high))
    return Drift(
        nights=nights[::-1],
        shares=figures.shares_by_night(days, frequent, flagged),
        one_label=figures.by_night(
            days, chosen["y"], (chosen["low"], chosen["high"]), flagged, name=first, number_format=".2%"
        ),
        labels=most_changed,
        confidence=figures.by_night(days, scores, (score_low, score_high), flagged, name="mean score"),
    )


def _plain(numbers: npt.NDArray[np.float64]) -> list[list[float | None]]:
    """Return the columns of an array for JSON: so many digits as a rare label's share needs, and nulls."""
    columns = numbers.round(5).T.tolist()
    return [[None if value != value else value for value in column] for column in columns]


def _change(series: DriftSeries) -> npt.NDArray[np.float64]:
    """Return how far each share of the last night is outside its range, in widths of the range."""
    share, low, high = series.shares[-1], series.low[-1], series.high[-1]
    outside = np.maximum(np.maximum(low - share, share - high), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        widths: npt.NDArray[np.float64] = outside / (high - low)
    return np.nan_to_num(widths, nan=0, posinf=0)
