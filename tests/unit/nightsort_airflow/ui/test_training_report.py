from __future__ import annotations

from nightsort_airflow.ui.training_report import _rejects


def test_rejects_are_shown_with_their_remedy_the_most_frequent_first() -> None:
    report = {
        "rejects": {
            "blank": {"documents": 1, "remedy": "write"},
            "no_label": {"documents": 9, "remedy": "fill in"},
        },
        "reject_examples": {"blank": ["a.csv row 3"]},
    }
    first, second = _rejects(report)
    assert (first.reason, first.documents, first.examples) == ("no_label", 9, [])
    assert (second.reason, second.examples) == ("blank", ["a.csv row 3"])
