from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from nightsort.tables.classifier_history import VersionHistory
from nightsort_airflow.ui.views import classifier
from tests.unit.nightsort_airflow.ui.ui_rows import BEGAN, DECISION, VERSION

MATRIX = {
    "type": "multi_class",
    "labels": ["b", "a", "c"],
    "confusion_matrix": [[8, 2, 0], [0, 9, 1], [4, 0, 6]],
}
MEASURED = replace(VERSION, confusion_matrix=MATRIX)


@pytest.mark.parametrize(
    ("columns", "decided", "outcome"),
    [
        ({}, True, "active"),
        ({"active": False}, True, "was active"),
        ({"active": False, "promoted_at": None}, False, "not promoted"),
    ],
)
def test_a_version_says_what_became_of_it(columns: dict[str, object], decided: bool, outcome: str) -> None:
    decision = replace(DECISION, promoted=decided)
    version = replace(VERSION, **columns)  # type: ignore[arg-type]
    (row,) = classifier.version_rows([VersionHistory(version, [decision])])
    assert row.outcome == outcome
    assert row.decisions == [decision]


def test_a_version_without_decision_says_what_comprehend_says() -> None:
    version = replace(VERSION, active=False, promoted_at=None, status="IN_ERROR")
    (row,) = classifier.version_rows([VersionHistory(version, [])])
    assert (row.outcome, row.tone) == ("in error", "bad")


def test_metrics_are_drawn_from_the_oldest_version_to_the_newest() -> None:
    older = replace(VERSION, version="v0", trained_at=BEGAN - timedelta(days=1), promoted_at=None)
    versions = [VERSION, older, replace(VERSION, version="v9", metrics=None)]
    rows = classifier.version_rows([VersionHistory(version, []) for version in versions])
    chart = classifier.metrics_chart(rows)
    assert chart is not None
    assert chart["data"][0]["text"] == ["v0", "v1, promoted"]
    assert classifier.metrics_chart(rows[:1]) is None


def test_the_weakest_labels_and_the_pairs_that_are_confused_most() -> None:
    found = classifier.evaluation(MEASURED)
    assert found is not None
    assert [(label.label, round(label.f1, 3)) for label in found.labels] == [
        ("c", 0.706),
        ("b", 0.727),
        ("a", 0.857),
    ]
    assert [(pair.actual, pair.predicted, pair.documents) for pair in found.confused] == [
        ("c", "b", 4),
        ("b", "a", 2),
        ("a", "c", 1),
    ]
    assert found.confused[0].share == 0.4
    assert found.training_documents == {"a": 60, "b": 30}, "of what has any"


def test_the_heat_map_has_the_labels_by_name_and_keeps_each_number_with_its_labels() -> None:
    found = classifier.evaluation(MEASURED)
    assert found is not None
    assert found.chart is not None
    (heat,) = found.chart["data"]
    assert heat["x"] == heat["y"] == ["a", "b", "c"]
    assert heat["customdata"] == [[9, 0, 1], [2, 8, 0], [0, 4, 6]]
    assert heat["z"][1] == [0.2, 0.8, 0.0]


def test_labels_that_are_confused_lie_together() -> None:
    counts = np.diag([50] * 6)
    counts[0, 5] = counts[2, 4] = 9
    order = classifier.confusion_order(counts)
    assert sorted(order) == [0, 1, 2, 3, 4, 5]
    assert abs(order.index(0) - order.index(5)) == abs(order.index(2) - order.index(4)) == 1


def test_several_labels_have_figures_without_a_matrix_and_nonsense_has_none() -> None:
    several = {"type": "multi_label", "labels": ["a"], "confusion_matrix": [[[5, 1], [2, 4]]]}
    found = classifier.evaluation(replace(VERSION, confusion_matrix=several))
    assert found is not None
    assert (found.chart, found.confused, len(found.labels)) == (None, (), 1)
    nonsense = replace(VERSION, confusion_matrix={"type": "x"})
    assert classifier.evaluation(VERSION) is classifier.evaluation(nonsense) is None


def test_the_documents_of_each_label_the_fewest_first() -> None:
    chart = classifier.documents_chart(VERSION)
    assert chart is not None
    assert [trace["y"] for trace in chart["data"]] == [[30, 60], [4, 6]]
    assert chart["data"][0]["x"] == ["b", "a"]
    assert classifier.documents_chart(replace(VERSION, labels=None)) is None


def test_what_became_of_the_labelled_documents_has_the_most_frequent_reject_first() -> None:
    report = {"reject_counts": {"blank": 1, "no_label": 9, "of_an_earlier_version": 2}}
    found = classifier.training_data(replace(VERSION, training_report=report))
    assert [(row.reason, row.documents) for row in found.rejects] == [
        ("no_label", 9),
        ("of_an_earlier_version", 2),
        ("blank", 1),
    ]
    assert found.rejects[0].remedy
    assert found.uri == "s3://bucket/training/v1/report.json"
    assert (found.console or "").startswith("https://console.amazonaws.cn/s3")
    unknown = classifier.training_data(replace(VERSION, training_uri=None))
    assert (unknown.report, unknown.rejects, unknown.uri) == (None, [], None)
