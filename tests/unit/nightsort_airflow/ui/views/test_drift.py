from __future__ import annotations

from nightsort_airflow.ui.views.drift import drift
from tests.unit.nightsort_airflow.ui.ui_rows import label_night

QUIET = {"a": 500, "b": 300, "c": 200}


def test_nights_without_labels_make_no_page() -> None:
    assert drift([]) is drift([label_night(1, {"a": 0})]) is None


def test_the_nights_are_drawn_from_the_oldest_on_and_listed_from_the_newest_on() -> None:
    flagged = {"drifted": True, "drift": {"sentence": "More b.", "dispersion": 1.0}}
    nights = [label_night(9, {"a": 300, "b": 500, "c": 200}, **flagged)]
    nights += [label_night(number, QUIET) for number in range(8, 0, -1)]
    shown = drift(nights)
    assert shown is not None
    assert [night.day.day for night in shown.nights] == [*range(9, 0, -1)]
    assert shown.shares["data"][0]["x"][0] == "2026-11-01"
    assert shown.shares["data"][0]["name"] == "a", "the most frequent label first"
    assert [night.sentence for night in shown.flagged] == ["More b."]
    assert shown.shares["layout"]["shapes"][0]["x0"] == "2026-11-09"


def test_the_label_that_changed_most_comes_first_with_the_range_that_was_expected() -> None:
    nights = [label_night(9, {"a": 500, "b": 240, "c": 260})]
    nights += [label_night(number, QUIET) for number in range(8, 0, -1)]
    shown = drift(nights)
    assert shown is not None
    first, *_, last = shown.labels.items()
    assert first[0] == "c"
    low, high = first[1]["band"]
    assert low < 0.2 < high < 0.26 == first[1]["y"][-1]
    assert last[0] == "a", "it did not change"


def test_nights_of_another_version_say_nothing_of_what_is_expected() -> None:
    nights = [
        label_night(9, QUIET),
        *(label_night(number, QUIET, version="v0") for number in range(8, 0, -1)),
    ]
    shown = drift(nights)
    assert shown is not None
    assert {of["band"] for of in shown.labels.values()} == {None}
