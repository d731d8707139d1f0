"""Small charts inside tables, as inline SVG: nothing to load, and they print."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from nightsort_airflow.ui.formats import number, share

if TYPE_CHECKING:
    from collections.abc import Sequence


class Bar(NamedTuple):
    """One night in a row of bars: its height, its colour, and what a pointer over it shows."""

    value: float
    tone: str
    title: str


_WIDTH, _GAP, _HEIGHT = 5, 2, 28


def night_bars(bars: Sequence[Bar], places: int, label: str) -> Markup:
    """
    Draw one bar a night, the newest one at the right.

    :param bars: the nights, the oldest one first.
    :param places: for how many nights there is room.
    :param label: what a screen reader says.
    """
    highest = max((bar.value for bar in bars), default=0) or 1
    first = places - len(bars)
    drawn = Markup("").join(
        Markup(
            '<rect x="{}" y="{:.1f}" width="{}" height="{:.1f}" class="bar {}"><title>{}</title></rect>'
        ).format((first + place) * (_WIDTH + _GAP), _HEIGHT - height, _WIDTH, height, bar.tone, bar.title)
        for place, bar in enumerate(bars)
        for height in (max(2.0, _HEIGHT * bar.value / highest),)
    )
    width = places * (_WIDTH + _GAP) - _GAP
    return Markup(
        '<svg class="bars" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" aria-label="{2}">'
        "{3}</svg>"
    ).format(width, _HEIGHT, label, drawn)


def sums_bar(classified: int, failed: int, rejected: int, documents_in: int) -> Markup:
    """
    Draw what became of a night's documents as one bar.

    :param classified: documents with a label.
    :param failed: documents without one.
    :param rejected: documents that were not sent.
    :param documents_in: all of them; what is missing stays empty.
    """
    whole = max(documents_in, classified + failed + rejected, 1)
    x = 0.0
    parts = []
    for value, tone, name in (
        (classified, "good", "classified"),
        (failed, "bad", "failed"),
        (rejected, "warn", "rejected"),
    ):
        if not value:
            continue
        # Three documents of a million are still to be seen.
        width = max(100 * value / whole, 1.0)
        parts.append(
            Markup(
                '<rect x="{:.2f}" width="{:.2f}" height="6" class="{}"><title>{} {} ({})</title></rect>'
            ).format(min(x, 100 - width), width, tone, number(value), name, share(value / whole))
        )
        x += width
    label = f"{number(classified)} classified, {number(failed)} failed, {number(rejected)} rejected"
    return Markup(
        '<svg class="sums" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format(label, Markup("").join(parts))


def meter(value: float, limit: float, label: str) -> Markup:
    """
    Draw how much of a limit is used.

    :param value: what is used.
    :param limit: the limit.
    :param label: what a screen reader says.
    """
    used = min(100.0, 100 * value / limit) if limit else 100.0
    tone = "bad" if value > limit else "warn" if used > 80 else "good"
    return Markup(
        '<svg class="meter" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect width="{:.1f}" height="6" class="{}"/></svg>'
    ).format(label, max(used, 0.5 if value else 0), tone)


def part_bar(value: float) -> Markup:
    """
    Draw a figure between 0 and 1 beside its number.

    :param value: the figure.
    """
    return Markup(
        '<svg class="part" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect width="{:.1f}" height="6" class="plain"/></svg>'
    ).format(100 * min(max(value, 0.0), 1.0))
