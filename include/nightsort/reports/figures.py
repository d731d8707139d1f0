"""Charts of nights and versions as Plotly figures: plain dictionaries, which pages, notebooks and files draw.

``plotly.graph_objects.Figure(figures.score_histogram(counts))`` shows one in a notebook. The colours are
legible on white and on black; backgrounds are transparent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    import numpy.typing as npt

Figure = dict[str, Any]

BLUE: Final = "#3b82c4"
GREY: Final = "#8a94a6"
AMBER: Final = "#d08a1d"
RED: Final = "#d2504b"
_FAINT: Final = "rgba(138, 148, 166, 0.22)"
_SHADES: Final = (
    (0.0, "rgba(59, 130, 196, 0)"),
    (1e-9, "rgba(59, 130, 196, 0.08)"),
    (1.0, "rgba(59, 130, 196, 1)"),
)
_LINES: Final = (BLUE, AMBER, "#3f9d72", RED, "#8f6bc1", "#46a3b5", "#b06f9f", "#7d8b3a")

LABELS_DRAWN: Final = 40
"""Bars that can be read; a table has the others."""

_DAY: Final = 24 * 3600 * 1000
"""A day on an axis of dates."""

# Plotly would take labels that look like numbers or dates for such, and draw a tick for each number between.
_OF_LABELS: Final = {"type": "category"}

_CROWDED: Final = 60
"""So many labels or nights have no room for a name or a point each."""


def label_shares(
    labels: Sequence[str],
    shares: Sequence[float],
    usual: Mapping[str, tuple[float, float, float]],
) -> Figure:
    """Draw the share of each label in a night, beside what is usual.

    :param labels: the labels, the most frequent one first.
    :param shares: their shares of the night.
    :param usual: by label the mean share of the nights before, and the lower and upper end of what is
        expected; empty where there are no nights before.
    :returns: the figure.
    """
    shown = list(reversed(labels[:LABELS_DRAWN]))
    of = dict(zip(labels, shares, strict=True))
    night = {
        "type": "bar",
        "orientation": "h",
        "name": "this night",
        "y": shown,
        "x": [round(of[label], 5) for label in shown],
        "marker": {"color": [BLUE if _inside(of[label], usual.get(label)) else AMBER for label in shown]},
        "hovertemplate": "%{y}: %{x:.2%}<extra>this night</extra>",
    }
    known = [label for label in shown if label in usual]
    before = {
        "type": "scatter",
        "mode": "markers",
        "name": "usual, and expected range",
        "y": known,
        "x": [round(usual[label][0], 5) for label in known],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [round(usual[label][2] - usual[label][0], 5) for label in known],
            "arrayminus": [round(usual[label][0] - usual[label][1], 5) for label in known],
            "thickness": 1.5,
            "width": 4,
            "color": GREY,
        },
        "marker": {"color": GREY, "symbol": "line-ns-open", "size": 10, "line": {"width": 2}},
        "hovertemplate": "%{y}: %{x:.2%} on average<extra>nights before</extra>",
    }
    height = 90 + 20 * len(shown)
    layout = _layout(
        height,
        xaxis={"tickformat": ".2~%", "rangemode": "tozero"},
        yaxis={**_OF_LABELS, "automargin": True, "dtick": 1},
    )
    return {"data": [night, *([before] if known else [])], "layout": {**layout, "bargap": 0.35}}


def endpoint_day(
    parts: Sequence[tuple[datetime, datetime, int]],
    used: Mapping[datetime, float],
    begin: datetime,
    end: datetime,
    moves: Sequence[tuple[datetime, int, str]] = (),
) -> Figure:
    """Draw a day of an endpoint: the inference units that were paid for, those that were used, its versions.

    :param parts: begin, end and units of each part of the day in which it was open, in order of time.
    :param used: the units that were used in each minute in which there were any, by its begin.
    :param begin: the begin of the day.
    :param end: the end of the day.
    :param moves: when another version took over, with the units of then and its name.
    :returns: the figure.
    """
    steps = [
        point
        for since, until, units in parts
        for point in ((since, 0), (since, units), (until, units), (until, 0))
    ]
    paid = {
        "type": "scatter",
        "mode": "lines",
        "name": "paid",
        "x": [at.isoformat() for at, _ in steps],
        "y": [units for _, units in steps],
        "line": {"color": GREY, "width": 1.5},
        "fill": "tozeroy",
        "fillcolor": _FAINT,
        "hovertemplate": "%{x|%H:%M}: %{y} units<extra>paid</extra>",
    }
    minutes = sorted(used)
    bars = {
        "type": "bar",
        "name": "used",
        "x": [at.isoformat() for at in minutes],
        "y": [round(used[at], 4) for at in minutes],
        "width": 60_000,
        "marker": {"color": BLUE},
        "hovertemplate": "%{x|%H:%M}: %{y:.2f} units<extra>used</extra>",
    }
    moved = {
        "type": "scatter",
        "mode": "markers+text",
        "name": "another version",
        "x": [at.isoformat() for at, _, _ in moves],
        "y": [units for _, units, _ in moves],
        "text": [version for _, _, version in moves],
        "textposition": "top right",
        "marker": {"color": AMBER, "symbol": "diamond", "size": 9},
        "hovertemplate": "%{x|%H:%M}: %{text}<extra>another version</extra>",
    }
    layout = _layout(
        220,
        xaxis={"type": "date", "range": [begin.isoformat(), end.isoformat()]},
        yaxis={"rangemode": "tozero", "title": {"text": "inference units"}},
    )
    return {"data": [paid, bars, *([moved] if moves else [])], "layout": layout}


def score_histogram(counts: Sequence[int]) -> Figure:
    """Draw how sure the classifier was.

    :param counts: documents by score, in bins of equal width from 0 to 1.
    :returns: the figure.
    """
    width = 1 / len(counts)
    bars = {
        "type": "bar",
        "name": "documents",
        "x": [round((place + 0.5) * width, 4) for place in range(len(counts))],
        "y": [int(count) for count in counts],
        "width": width * 0.92,
        "marker": {"color": BLUE},
        "customdata": [f"{place * width:.2f} to {(place + 1) * width:.2f}" for place in range(len(counts))],
        "hovertemplate": "score %{customdata}: %{y:,} documents<extra></extra>",
    }
    xaxis = {"title": {"text": "score of the label"}, "range": [0, 1], "dtick": 0.1}
    layout = _layout(230, xaxis=xaxis, yaxis={"title": {"text": "documents"}, "rangemode": "tozero"})
    return {"data": [bars], "layout": layout}


def confusion_heat_map(labels: Sequence[str], matrix: npt.ArrayLike) -> Figure:
    """Draw a confusion matrix: of the documents of a label, the share that was found as each label.

    :param labels: the labels of rows and columns, in the order in which they are drawn.
    :param matrix: documents; rows are the actual labels.
    :returns: the figure. ``customdata`` has the counts.
    """
    counts = np.asarray(matrix, dtype=np.int64)
    sums = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, sums, out=np.zeros(counts.shape), where=sums > 0).round(3)
    heat = {
        "type": "heatmap",
        "x": list(labels),
        "y": list(labels),
        "z": shares.tolist(),
        "customdata": counts.tolist(),
        "zmin": 0,
        "zmax": 1,
        "colorscale": [list(shade) for shade in _SHADES],
        "xgap": 1 if len(labels) <= _CROWDED else 0,
        "ygap": 1 if len(labels) <= _CROWDED else 0,
        "hovertemplate": (
            "actual %{y}<br>found as %{x}<br>%{customdata:,} documents (%{z:.1%} of the row)<extra></extra>"
        ),
        "colorbar": {"tickformat": ".0%", "thickness": 12, "outlinewidth": 0, "len": 0.6},
    }
    size = int(min(860, max(340, 150 + 17 * len(labels))))
    # All names where they can be read; otherwise Plotly shows some, and more when one zooms in.
    font = {"size": 11 if len(labels) <= LABELS_DRAWN else 9}
    ticks: dict[str, Any] = {**_OF_LABELS, "automargin": True, "showgrid": False, "tickfont": font}
    if len(labels) <= _CROWDED:
        ticks["dtick"] = 1
    layout = _layout(
        size,
        xaxis={**ticks, "title": {"text": "found as"}, "tickangle": _slant(labels)},
        yaxis={**ticks, "title": {"text": "actual label"}, "autorange": "reversed"},
    )
    return {"data": [heat], "layout": {**layout, "dragmode": "zoom"}}


def metrics_over_time(
    versions: Sequence[tuple[datetime, str, Mapping[str, float | None], bool]],
    names: Mapping[str, str],
) -> Figure:
    """Draw the metrics of the versions by the time of their training.

    :param versions: time, name, metrics, and whether it was promoted; the oldest one first.
    :param names: the metrics to draw, with what the reader calls them.
    :returns: the figure.
    """
    lines: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": [moment.isoformat() for moment, *_ in versions],
            "y": [metrics.get(metric) for _, _, metrics, _ in versions],
            "text": [f"{version}{', promoted' if promoted else ''}" for _, version, _, promoted in versions],
            "line": {"color": colour, "width": 2},
            "marker": {
                "size": 9,
                "symbol": ["circle" if promoted else "circle-open" for *_, promoted in versions],
            },
            "hovertemplate": f"%{{text}}: %{{y:.3f}}<extra>{name}</extra>",
        }
        for (metric, name), colour in zip(names.items(), _LINES, strict=False)
    ]
    layout = _layout(260, xaxis={"type": "date"}, yaxis={"tickformat": ".2f", "automargin": True})
    return {"data": lines, "layout": layout}


def documents_per_label(labels: Sequence[str], training: Sequence[int], test: Sequence[int]) -> Figure:
    """Draw how many documents each label was trained and tested with.

    :param labels: the labels in the order in which they are drawn.
    :param training: training documents of each.
    :param test: test documents of each.
    :returns: the figure.
    """
    bars = [
        {
            "type": "bar",
            "name": name,
            "x": list(labels),
            "y": [int(value) for value in values],
            "marker": {"color": colour},
            "hovertemplate": f"%{{x}}: %{{y:,}} for {name}<extra></extra>",
        }
        for name, values, colour in (("training", training, BLUE), ("test", test, GREY))
    ]
    xaxis: dict[str, Any] = {
        **_OF_LABELS,
        "automargin": True,
        "tickangle": _slant(labels),
        "tickfont": {"size": 11},
    }
    if len(labels) > LABELS_DRAWN:
        xaxis |= {"showticklabels": False, "title": {"text": number_of(len(labels), "label")}}
    layout = _layout(300, xaxis=xaxis, yaxis={"title": {"text": "documents"}})
    return {"data": bars, "layout": {**layout, "barmode": "stack"}}


def shares_by_night(
    days: Sequence[date], shares: Mapping[str, Sequence[float | None]], flagged: Sequence[date]
) -> Figure:
    """Draw how the shares of some labels change from night to night.

    :param days: the nights, the oldest one first.
    :param shares: by label its share in each night.
    :param flagged: the nights that drifted.
    :returns: the figure.
    """
    lines = [
        {
            "type": "scatter",
            "mode": "lines+markers" if len(days) < _CROWDED else "lines",
            "name": label,
            "x": [day.isoformat() for day in days],
            "y": [None if share is None else round(share, 5) for share in values],
            "line": {"color": colour, "width": 2},
            "marker": {"size": 4},
            "hovertemplate": "%{x}: %{y:.2%}<extra>%{fullData.name}</extra>",
        }
        for (label, values), colour in zip(shares.items(), _LINES, strict=False)
    ]
    layout = _layout(320, xaxis={"type": "date"}, yaxis={"tickformat": ".2~%", "rangemode": "tozero"})
    return {"data": lines, "layout": {**layout, "shapes": [*map(_mark, flagged)]}}


def by_night(
    days: Sequence[date],
    values: Sequence[float | None],
    band: tuple[Sequence[float | None], Sequence[float | None]],
    flagged: Sequence[date],
    *,
    name: str,
    number_format: str = ".3f",
) -> Figure:
    """Draw one number of each night, with the range in which it was expected.

    :param days: the nights, the oldest one first.
    :param values: their numbers.
    :param band: the lower and the upper end of each night's range; ``None``: not known.
    :param flagged: the nights that drifted.
    :param name: what the number is.
    :param number_format: of Plotly, for the number.
    :returns: the figure. Its first trace is the range, the second one the number.
    """
    dates = [day.isoformat() for day in days]
    # Bars, because a filled area would also fill the nights without a range. Those have no bar: one without
    # a base would begin at 0, and so would the axis.
    known = [
        (day, low, high)
        for day, low, high in zip(dates, *band, strict=True)
        if low is not None and high is not None
    ]
    expected = {
        "type": "bar",
        "name": "expected",
        "x": [day for day, _, _ in known],
        "base": [low for _, low, _ in known],
        "y": [round(high - low, 5) for _, low, high in known],
        "width": _DAY,
        "marker": {"color": _FAINT, "line": {"width": 0}},
        "hoverinfo": "skip",
    }
    line = {
        "type": "scatter",
        "mode": "lines+markers" if len(days) < _CROWDED else "lines",
        "name": name,
        "x": dates,
        "y": [None if value is None else round(value, 5) for value in values],
        "line": {"color": BLUE, "width": 2},
        "marker": {"size": 5},
        "hovertemplate": f"%{{x}}: %{{y:{number_format}}}<extra>%{{fullData.name}}</extra>",
    }
    layout = _layout(260, xaxis={"type": "date"}, yaxis={"tickformat": number_format, "automargin": True})
    shapes = [*map(_mark, flagged)]
    return {"data": [expected, line], "layout": {**layout, "shapes": shapes, "bargap": 0}}


def _inside(value: float, usual: tuple[float, float, float] | None) -> bool:
    return usual is None or usual[1] <= value <= usual[2]


def _slant(labels: Sequence[str]) -> int:
    """Return the angle of names below bars: so few have room side by side."""
    return 0 if len(labels) <= 6 else -60


def _mark(day: date) -> dict[str, Any]:
    """Return the mark of a night that drifted."""
    line = {"color": AMBER, "width": 2, "dash": "dot"}
    place = {"x0": day.isoformat(), "x1": day.isoformat(), "yref": "paper", "y0": 0, "y1": 1}
    return {"type": "line", **place, "line": line}


def _layout(height: int, *, xaxis: Mapping[str, Any], yaxis: Mapping[str, Any]) -> dict[str, Any]:
    axis = {"gridcolor": _FAINT, "zerolinecolor": _FAINT, "linecolor": _FAINT, "fixedrange": False}
    return {
        "height": height,
        "margin": {"l": 60, "r": 16, "t": 16, "b": 44},
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "font": {"color": GREY, "size": 12},
        "hoverlabel": {"align": "left"},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": {**axis, **xaxis},
        "yaxis": {**axis, **yaxis},
    }
