from __future__ import annotations

import json
from datetime import date, datetime, timezone

import numpy as np
import plotly.graph_objects as go
import pytest

from nightsort.reports import figures

DAYS = [date(2026, 11, 1), date(2026, 11, 2)]
LABELS = ["a", "b"]
MOMENT = datetime(2026, 11, 1, tzinfo=timezone.utc)
ALL = {
    "label_shares": figures.label_shares(LABELS, [0.7, 0.3], {"a": (0.5, 0.4, 0.6)}),
    "score_histogram": figures.score_histogram([0] * 19 + [5]),
    "confusion_heat_map": figures.confusion_heat_map(LABELS, [[3, 1], [0, 0]]),
    "metrics_over_time": figures.metrics_over_time([(MOMENT, "v1", {"f1": 0.5}, True)], {"f1": "F1"}),
    "documents_per_label": figures.documents_per_label(LABELS, [1, 2], [3, 4]),
    "shares_by_night": figures.shares_by_night(DAYS, {"a": [0.1, None]}, DAYS[1:]),
    "by_night": figures.by_night(DAYS, [0.8, None], ([None, 0.7], [None, 0.9]), DAYS[1:], name="mean score"),
}


@pytest.mark.parametrize("name", [*ALL])
def test_plotly_knows_every_key_of_a_figure_and_it_is_plain_json(name: str) -> None:
    drawn = go.Figure(ALL[name])
    assert len(drawn.data) == len(ALL[name]["data"])
    json.dumps(ALL[name], allow_nan=False)


@pytest.mark.parametrize("name", [*ALL])
def test_no_background_hides_the_theme_of_the_page(name: str) -> None:
    layout = ALL[name]["layout"]
    assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == "rgba(0, 0, 0, 0)"


def test_what_is_outside_the_expected_range_has_another_colour() -> None:
    bars, usual = figures.label_shares(LABELS, [0.7, 0.3], {"a": (0.5, 0.4, 0.6), "b": (0.3, 0.2, 0.4)})[
        "data"
    ]
    assert bars["y"] == ["b", "a"], "drawn from below"
    assert bars["marker"]["color"] == [figures.BLUE, figures.AMBER]
    assert usual["error_x"]["array"] == [0.1, 0.1]


def test_the_heat_map_has_shares_of_each_row_and_the_counts() -> None:
    (heat,) = ALL["confusion_heat_map"]["data"]
    assert heat["z"] == [[0.75, 0.25], [0.0, 0.0]]
    assert heat["customdata"] == [[3, 1], [0, 0]]


def test_two_hundred_labels_still_fit_a_screen() -> None:
    labels = [f"label-{number}" for number in range(200)]
    layout = figures.confusion_heat_map(labels, np.eye(200, dtype=int))["layout"]
    assert layout["height"] <= 900
    assert "dtick" not in layout["xaxis"], "names that can be read, the others when one zooms in"


def test_a_night_without_a_number_or_a_range_is_a_gap() -> None:
    expected, line = ALL["by_night"]["data"]
    assert line["y"] == [0.8, None]
    assert (expected["x"], expected["base"], expected["y"]) == (["2026-11-02"], [0.7], [0.2])


@pytest.mark.parametrize("labels", [["7", "90000"], ["2024-01", "2024-02"]])
def test_labels_that_look_like_numbers_or_dates_are_labels(labels: list[str]) -> None:
    heat = figures.confusion_heat_map(labels, [[3, 1], [0, 2]])["layout"]
    trained = figures.documents_per_label(labels, [3, 2], [1, 1])["layout"]
    shares = figures.label_shares(labels, [0.5, 0.5], {})["layout"]

    assert [heat["xaxis"]["type"], heat["yaxis"]["type"]] == ["category", "category"]
    assert trained["xaxis"]["type"] == shares["yaxis"]["type"] == "category"
