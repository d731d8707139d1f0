"""The DataFrames have the shapes and types that people's notebooks rely on."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from nightsort.reports import frames


def night(*rows: tuple[date, str | None, list[str] | None]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["day", "label", "accepted"])


class TestLabelDistribution:
    MONDAY, TUESDAY = date(2026, 11, 16), date(2026, 11, 17)

    def test_each_accepted_label_counts_and_the_best_one_where_none_is_accepted(self) -> None:
        counts = frames.label_distribution(
            night(
                (self.MONDAY, "iam", ["iam", "s3"]),
                (self.MONDAY, "s3", []),
                (self.TUESDAY, "s3", ["s3"]),
                (self.TUESDAY, None, None),
            )
        )

        assert counts.to_dict("index") == {
            self.MONDAY: {"s3": 2, "iam": 1},
            self.TUESDAY: {"s3": 1, "iam": 0},
        }
        assert list(counts.columns) == ["s3", "iam"], "the most frequent label is first"

    def test_a_night_without_labels_has_none(self) -> None:
        assert frames.label_distribution(night((self.MONDAY, None, None))).empty
        assert frames.label_distribution(night()).empty


class TestConfusionMatrix:
    def test_multi_class_rows_are_actual_and_columns_predicted(self) -> None:
        matrix = frames.confusion_matrix(
            {"type": "multi_class", "confusion_matrix": [[8, 2], [0, 5]], "labels": ["iam", "s3"]}
        )

        assert matrix.loc["iam", "s3"] == 2
        assert (matrix.index.name, matrix.columns.name) == ("actual", "predicted")
        assert matrix.to_numpy().sum() == 15

    def test_multi_label_has_four_counts_for_each_label(self) -> None:
        matrix = frames.confusion_matrix(
            {
                "type": "multi_label",
                "confusion_matrix": [[[9, 1], [2, 3]], [[7, 0], [0, 8]]],
                "labels": ["iam", "s3"],
            }
        )

        assert matrix.loc["iam"].to_dict() == {
            "true_negative": 9,
            "false_positive": 1,
            "false_negative": 2,
            "true_positive": 3,
        }

    @pytest.mark.parametrize("left_out", ["confusion_matrix", "labels"])
    def test_what_is_no_confusion_matrix_is_named(self, left_out: str) -> None:
        content = {"confusion_matrix": [[1]], "labels": ["iam"]}
        del content[left_out]
        with pytest.raises(KeyError, match=left_out):
            frames.confusion_matrix(content)
