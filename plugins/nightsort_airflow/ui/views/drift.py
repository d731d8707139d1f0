"""The page of drift: the labels and the scores of a classifier's nights, and which of them were unusual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nightsort.reports import figures
from nightsort.statistics import drift as rule
from nightsort.statistics.drift import Night

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from nightsort_airflow.ui.queries import LabelNight

RULE: Final = {
    "trailing": rule.TRAILING_NIGHTS,
    "nights": rule.LEAST_NIGHTS,
    "documents": rule.LEAST_DOCUMENTS,
    "p_value": rule.P_VALUE,
    "psi": rule.LEAST_PSI,
}
"""The numbers of the rule, for its sentence on the page."""

LABELS_DRAWN: Final = 8
NIGHTS: Final = 120
"""Nights that the page shows: a season, in which a line can still be followed."""

_BAND: Final = 2
_FEWEST: Final = 3


@dataclass(frozen=True)
class DriftNight:
    """
    One night.

    :param drifted: None where the rule says nothing.
    :param verdict: the figures of the rule, with its sentence.
    """

    run_key: str
    day: date
    documents: int
    mean_score: float
    drifted: bool | None
    verdict: dict[str, Any]

    @property
    def sentence(self) -> str:
        """What the rule says, in words."""
        return str(self.verdict.get("sentence") or "")


@dataclass(frozen=True)
class Drift:
    """
    What the page shows.

    :param nights: the newest one first.
    :param shares: of the most frequent labels.
    :param one_label: of the label that changed most in the last night.
    :param labels: by label its shares, with the range expected of the last night; what changed most first.
    :param confidence: the mean scores.
    """

    nights: Sequence[DriftNight]
    shares: figures.Figure
    one_label: figures.Figure
    labels: Mapping[str, Mapping[str, Any]]
    confidence: figures.Figure

    @property
    def flagged(self) -> list[DriftNight]:
        """The nights that drifted."""
        return [night for night in self.nights if night.drifted]


def drift(found: Sequence[LabelNight]) -> Drift | None:
    """
    Return what the page shows; None if no night has statistics.

    :param found: complete nights, the latest first.
    """
    nights = [night for night in reversed(found) if sum(night.documents)]
    if not nights:
        return None
    rows = [_night(night) for night in nights]
    days, means = [night.day for night in nights], [row.mean_score for row in rows]
    flagged = [row.day for row in rows if row.drifted]
    shares = _shares(nights)
    bands = _bands(nights)
    most_changed = sorted(shares, key=lambda label: (-_change(shares[label][-1], bands.get(label)), label))
    first = most_changed[0]
    frequent = {label: shares[label] for label in list(shares)[:LABELS_DRAWN]}
    return Drift(
        nights=list(reversed(rows)),
        shares=figures.shares_by_night(days, frequent, flagged),
        one_label=figures.by_night(
            days, shares[first], bands.get(first), flagged, name=first, number_format=".1%"
        ),
        labels={label: {"y": shares[label], "band": bands.get(label)} for label in most_changed},
        confidence=figures.by_night(days, means, _spread(means), flagged, name="mean score"),
    )


def _night(night: LabelNight) -> DriftNight:
    total = sum(night.documents)
    return DriftNight(
        run_key=night.run_key,
        day=night.day,
        documents=total,
        mean_score=sum(night.score_sums) / total,
        drifted=night.drifted,
        verdict=night.drift or {},
    )


def _shares(nights: Sequence[LabelNight]) -> dict[str, list[float]]:
    """Return the shares of each label by night, the label that is most frequent over all nights first."""
    by_night = [dict(zip(night.labels, night.documents, strict=True)) for night in nights]
    sums = [sum(night.documents) for night in nights]
    totals: dict[str, int] = {}
    for counts in by_night:
        for label, number in counts.items():
            totals[label] = totals.get(label, 0) + number
    return {
        label: [round(counts.get(label, 0) / total, 5) for counts, total in zip(by_night, sums, strict=True)]
        for label in sorted(totals, key=lambda label: (-totals[label], label))
    }


def _bands(nights: Sequence[LabelNight]) -> dict[str, tuple[float, float]]:
    """Return the range of each label in which the last night was expected, from nights of its version."""
    *before, last = nights
    same = [
        Night(night.labels, night.documents) for night in reversed(before) if night.version == last.version
    ]
    dispersion = (last.drift or {}).get("dispersion") or 1.0
    found = rule.shifts(Night(last.labels, last.documents), rule.comparable(same), dispersion)
    return {shift.label: (round(shift.low, 5), round(shift.high, 5)) for shift in found}


def _change(share: float, band: tuple[float, float] | None) -> float:
    """Return how far a share is outside its range, in widths of the range."""
    if band is None or band[1] <= band[0]:
        return 0.0
    return max(band[0] - share, share - band[1], 0.0) / (band[1] - band[0])


def _spread(means: Sequence[float]) -> tuple[float, float] | None:
    """Return the range of two standard deviations around the mean; None with fewer than three nights."""
    if len(means) < _FEWEST:
        return None
    middle = sum(means) / len(means)
    spread = _BAND * (sum((mean - middle) ** 2 for mean in means) / (len(means) - 1)) ** 0.5
    return middle - spread, middle + spread
