from __future__ import annotations

from dataclasses import replace

from nightsort_airflow.ui.views.drift import drift
from tests.unit.nightsort_airflow.ui.ui_rows import series

QUIET = {"a": 500, "b": 300, "c": 200}


def test_nights_without_labels_make_no_page() -> None:
    assert drift(series()) is drift(series({"a": 0})) is None


def test_the_nights_are_drawn_from_the_oldest_on_and_listed_from_the_newest_on() -> None:
    found = series(*[QUIET] * 8, {"a": 300, "b": 500, "c": 200})
    *quiet, last = found.nights
    flagged = replace(last, drifted=True, verdict={"sentence": "More b."})
    shown = drift(replace(found, nights=[*quiet, flagged]))
    assert shown is not None
    assert [night.day.day for night in shown.nights] == [*range(9, 0, -1)]
    assert shown.shares["data"][0]["x"][0] == "2026-11-01"
    assert shown.shares["data"][0]["name"] == "a", "the most frequent label first"
    assert [night.sentence for night in shown.flagged] == ["More b."]
    assert shown.shares["layout"]["shapes"][0]["x0"] == "2026-11-09"


def test_the_label_that_is_furthest_outside_its_range_comes_first() -> None:
    bands = {"a": (0.4, 0.6), "b": (0.25, 0.35), "c": (0.15, 0.25)}
    shown = drift(series(*[QUIET] * 8, {"a": 495, "b": 245, "c": 260}, bands=bands))
    assert shown is not None
    assert [*shown.labels] == ["c", "b", "a"]
    of = shown.labels["c"]
    assert (of["low"][-1], of["high"][-1], of["y"][-1]) == (0.15, 0.25, 0.26)
    assert of["low"][:-1] == [None] * 8
    expected, line = shown.one_label["data"]
    assert (expected["base"][-1], expected["y"][-1], line["name"]) == (0.15, 0.1, "c")


def test_without_nights_before_nothing_is_expected() -> None:
    shown = drift(series(QUIET))
    assert shown is not None
    assert {(*of["low"], *of["high"]) for of in shown.labels.values()} == {(None, None)}
    assert shown.confidence["data"][0]["y"] == []
