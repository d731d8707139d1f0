"""Judge whether the labels of a night are distributed otherwise than in the nights before.

The rule: ``docs/drift.md``. Its reasons: ``docs/adr/0038-drift-that-is-quiet.md``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nightsort.statistics.chi_square import ninetieth_percentile, upper_tail
from nightsort.wording import number_of, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Numbers = npt.NDArray[np.float64]

TRAILING_NIGHTS: Final = 28
"""A night is compared with so many nights before it."""

LEAST_NIGHTS: Final = 7
"""With fewer nights it is not known how much they differ anyway, for instance by weekday."""

LEAST_DOCUMENTS: Final = 200
"""A night with fewer documents is not judged, and no other night is compared with it."""

LEAST_EXPECTED: Final = 5
"""Labels of which a night has fewer documents on average are counted together, as Cochran (1954) advises."""

P_VALUE: Final = 0.0075
"""A night below may be flagged. Quiet nights are below less often: 6 in 1,000 simulated ones."""

LEAST_PSI: Final = 0.005
"""A smaller shift is not worth a word, however certain it is: about that of a label from 1 % to 2 %."""

BAND: Final = 2.576
"""Standard errors on both sides of an expected value that hold 99 nights in 100."""

_NAMED = 3
_NAME_LENGTH = 40
_MOST_PLACES = 4


@dataclass(frozen=True)
class Night:
    """The labels of a night.

    :param labels: names.
    :param documents: how many documents have each.
    """

    labels: Sequence[str]
    documents: Sequence[int]

    @property
    def total(self) -> int:
        """The sum over the labels."""
        return sum(self.documents)


@dataclass(frozen=True)
class LabelShift:
    """The share of a label in a night, and in the nights before.

    :param low: with :attr:`high`, where 99 nights in 100 have their share.
    """

    label: str
    documents: int
    share: float
    usual: float
    low: float
    high: float


@dataclass(frozen=True)
class Verdict:
    """Whether the labels of a night drifted.

    :param drifted: ``None`` if it cannot be said.
    :param sentence: the verdict in words, with the numbers; it may hold names of labels.
    :param documents: documents of the night; in multi-label, each label of a document counts.
    :param nights: nights before it that it was compared with.
    :param trailing_documents: documents of these nights.
    :param chi_square: between the night and those before.
    :param degrees_of_freedom: one less than there are groups of labels.
    :param dispersion: how many times as much the nights before differ from each other as by chance; at least
        1. The chi-square is divided by it.
    :param p_value: how likely a quiet night has this chi-square.
    :param psi: population stability index, less what quiet nights have.
    """

    drifted: bool | None
    sentence: str
    documents: int
    nights: int
    trailing_documents: int
    chi_square: float | None = None
    degrees_of_freedom: int | None = None
    dispersion: float | None = None
    p_value: float | None = None
    psi: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values."""
        return asdict(self)


def judge(night: Night, before: Sequence[Night]) -> Verdict:
    """Compare the labels of a night with those of the nights before.

    :param night: the night.
    :param before: the nights before it, the latest first, of the same classifier version.
    :returns: the verdict.
    """
    reference = comparable(before)
    trailing = sum(each.total for each in reference)
    unsaid = _too_few(night, reference)
    if unsaid is None:
        tonight, nights = _grouped(*_as_matrix([night, *reference]))
        if len(tonight) == 1:
            unsaid = "all but a few documents have the same label"
    if unsaid is not None:
        return not_judged(night, unsaid, reference)
    together = nights.sum(axis=0)
    degrees = len(tonight) - 1
    chi_square = _chi_square(tonight, together)
    dispersion = _dispersion(nights)
    p_value = upper_tail(chi_square / dispersion, degrees)
    by_chance = dispersion * degrees * (1 / tonight.sum() + 1 / together.sum())
    psi = max(0.0, float(_psi(tonight, together) - by_chance))
    drifted = bool(p_value < P_VALUE and psi >= LEAST_PSI)
    how = "otherwise than" if drifted else "as"
    most = f". Most changed: {_most_changed(shifts(night, reference, dispersion))}" if drifted else ""
    sentence = (
        f"The labels of {number_of(night.total, 'document')} are distributed {how} in the "
        f"{number_of(len(reference), 'night')} before, with {number_of(trailing, 'document')}: chi-square "
        f"{chi_square:.1f}{_divided(dispersion)} with {number_of(degrees, 'degree')} of freedom "
        f"(p = {p_value:.2g}), PSI {psi:.3f} above that of quiet nights{most}."
    )
    return Verdict(
        drifted,
        sentence,
        night.total,
        len(reference),
        trailing,
        chi_square,
        degrees,
        dispersion,
        p_value,
        psi,
    )


def not_judged(night: Night, why: str, reference: Sequence[Night] = ()) -> Verdict:
    """Return the verdict that nothing can be said.

    :param night: the night.
    :param why: the end of a sentence.
    :param reference: the nights that it would be compared with.
    """
    sentence = f"Drift is not judged: {why}."
    return Verdict(None, sentence, night.total, len(reference), sum(each.total for each in reference))


def comparable(before: Sequence[Night]) -> Sequence[Night]:
    """Return the nights that a night is compared with: the last ones with enough documents.

    :param before: the nights before it, the latest first.
    """
    return [each for each in before if each.total >= LEAST_DOCUMENTS][:TRAILING_NIGHTS]


def shown_beside(before: Sequence[Night]) -> Sequence[Night]:
    """Return the nights beside which the shares of a night are shown, judged or not.

    :param before: the nights before it, the latest first.
    :returns: those that it is compared with; if all of them are small, the last ones.
    """
    return comparable(before) or before[:TRAILING_NIGHTS]


def half_width(usual: Numbers, documents: Numbers | float, before: float, dispersion: float) -> Numbers:
    """Return how far on both sides of the usual shares 99 nights in 100 are.

    :param usual: the shares in the nights before.
    :param documents: documents of the night.
    :param before: documents of the nights before.
    :param dispersion: how many times as much nights differ as by chance.
    """
    width: Numbers = BAND * np.sqrt(dispersion * usual * (1 - usual) * (1 / documents + 1 / before))
    return width


def shifts(night: Night, reference: Sequence[Night], dispersion: float = 1.0) -> list[LabelShift]:
    """Return the share of each label in a night and in other nights, with the expected band.

    :param night: the night.
    :param reference: the other nights.
    :param dispersion: how many times as much nights differ as by chance, from a :class:`Verdict`.
    :returns: one entry a label that occurs in any of the nights; empty without a document on either side.
    """
    if not night.total or not sum(each.total for each in reference):
        return []
    labels, counts = _named_matrix([night, *reference])
    tonight, together = counts[0], counts[1:].sum(axis=0)
    usual = together / together.sum()
    error = half_width(usual, tonight.sum(), together.sum(), dispersion)
    columns = (
        tonight,
        tonight / tonight.sum(),
        usual,
        np.maximum(usual - error, 0),
        np.minimum(usual + error, 1),
    )
    return [
        LabelShift(label, int(documents), *map(float, shares))
        for label, documents, *shares in zip(labels, *columns, strict=True)
    ]


def _too_few(night: Night, reference: Sequence[Night]) -> str | None:
    """Return what there is too little of to judge a night, as the end of a sentence."""
    if night.total < LEAST_DOCUMENTS:
        return f"{number_of(night.total, 'document')} of the night, and at least {LEAST_DOCUMENTS} are needed"
    if len(reference) < LEAST_NIGHTS:
        return (
            f"{number_of(len(reference), 'night')} of this version before, with {LEAST_DOCUMENTS} or more "
            f"documents, and at least {LEAST_NIGHTS} are needed"
        )
    return None


def _as_matrix(nights: Sequence[Night]) -> tuple[Numbers, Numbers]:
    counts = _named_matrix(nights)[1]
    return counts[0], counts[1:]


def _named_matrix(nights: Sequence[Night]) -> tuple[list[str], Numbers]:
    """Return the labels of some nights, and the documents of each night (row) and label (column)."""
    places: dict[str, int] = {}
    for night in nights:
        for label in night.labels:
            places.setdefault(label, len(places))
    counts = np.zeros((len(nights), len(places)))
    for row, night in zip(counts, nights, strict=True):
        row[[places[label] for label in night.labels]] = night.documents
    return list(places), counts


def _grouped(tonight: Numbers, nights: Numbers) -> tuple[Numbers, Numbers]:
    """Put labels with few documents together, so that a chi-square of them means something."""
    everything = tonight + nights.sum(axis=0)
    expected = everything / everything.sum() * tonight.sum()
    order = np.argsort(expected, kind="stable")
    few = int(np.count_nonzero(expected < LEAST_EXPECTED))
    if few and expected[order[:few]].sum() < LEAST_EXPECTED:
        few = min(few + 1, len(order))
    small, large = order[:few], order[few:]
    groups = [
        np.concatenate((counts[..., large], counts[..., small].sum(axis=-1, keepdims=True)), axis=-1)
        if few
        else counts
        for counts in (tonight, nights)
    ]
    return groups[0], groups[1]


def _chi_square(some: Numbers, others: Numbers) -> float:
    """Return Pearson's chi-square for the hypothesis that both have the same shares."""
    here, there = some.sum(), others.sum()
    pooled = (some + others) / (here + there)
    differences = (some / here - others / there) ** 2
    found = pooled > 0
    return float((differences[found] / pooled[found]).sum() * here * there / (here + there))


def _dispersion(nights: Numbers) -> float:
    """Return how many times as much nights differ from each other as by chance; at least 1.

    It is taken at the nights' ninetieth percentile: weekends, which are two nights in seven, count, and a few
    nights that drifted do not.
    """
    together = nights.sum(axis=0)
    values = [_chi_square(night, together - night) for night in nights]
    return max(1.0, float(np.quantile(values, 0.9)) / ninetieth_percentile(nights.shape[1] - 1))


def _psi(some: Numbers, others: Numbers) -> float:
    """Return the population stability index; half a document more in each group, so that none is empty."""
    here, there = some + 0.5, others + 0.5
    here, there = here / here.sum(), there / there.sum()
    return float(((here - there) * np.log(here / there)).sum())


def _divided(dispersion: float) -> str:
    if dispersion < 1.005:
        return ""
    return f" (divided by {dispersion:.2f}, because these nights differ that much more than by chance)"


def _most_changed(found: Sequence[LabelShift]) -> str:
    def weight(shift: LabelShift) -> float:
        return (shift.share - shift.usual) ** 2 / max(shift.usual, shift.share)

    changed = sorted(filter(_is_seen, found), key=weight, reverse=True)
    return ", ".join(map(_written, changed[:_NAMED]))


def _is_seen(shift: LabelShift, places: int = _MOST_PLACES) -> bool:
    """Return whether the percentages differ when they are written with so many decimal places."""
    return f"{shift.share:.{places}%}" != f"{shift.usual:.{places}%}"


def _written(shift: LabelShift) -> str:
    # Of many labels each is rare: one decimal place may not show what changed.
    places = next(places for places in range(1, _MOST_PLACES + 1) if _is_seen(shift, places))
    return f"{_short(shift.label)} {shift.share:.{places}%} (usually {shift.usual:.{places}%})"


def _short(label: str) -> str:
    name = one_line(label)
    return name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 1]}…"
