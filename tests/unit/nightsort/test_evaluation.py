"""What evaluation promises: scikit-learn's own figures, Comprehend's files read, a decision that says why."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from upath import UPath

from nightsort.classifier_spec.model import Promotion
from nightsort.evaluation import (
    EvaluationError,
    Metrics,
    decide_promotion,
    from_comprehend,
    from_confusion_matrix,
    from_job_output,
    from_predictions,
    read_confusion_matrix,
    weakest_labels,
)
from nightsort.results.archive import ArchiveError

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ["A", "B", "C", "D"]
pairs = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=40)
set_pairs = st.lists(st.tuples(*[st.sets(st.sampled_from(LABELS), max_size=4)] * 2), min_size=1, max_size=40)


def approx(expected: Metrics) -> Any:
    return pytest.approx({k: v for k, v in expected.to_dict().items() if v is not None}, abs=1e-12)


def figures(found: Metrics) -> dict[str, float]:
    return {key: value for key, value in found.to_dict().items() if value is not None}


def archive(name: str, content: bytes) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return io.BytesIO(buffer.getvalue())


def scikit_learn(actual: Any, predicted: Any, labels: Any, *, accuracy: float, loss: float) -> Metrics:
    def average(kind: str) -> tuple[float, float, float]:
        precision, recall, f1, _ = sk.precision_recall_fscore_support(
            actual, predicted, labels=labels, average=kind, zero_division=0
        )
        return precision, recall, f1

    return Metrics(accuracy, *average("macro"), *average("micro"), loss)


class TestAgainstScikitLearn:
    @settings(max_examples=150, deadline=None)
    @given(pairs)
    def test_multi_class(self, found: list[tuple[str, str]]) -> None:
        actual, predicted = ([pair[side] for pair in found] for side in (0, 1))
        expected = scikit_learn(
            actual,
            predicted,
            LABELS,
            accuracy=sk.accuracy_score(actual, predicted),
            loss=sk.hamming_loss(actual, predicted),
        )
        true, decided = ([{label} for label in side] for side in (actual, predicted))
        assert figures(from_predictions(true, decided, LABELS, mode="MULTI_CLASS")) == approx(expected)
        matrix = {
            "type": "multi_class",
            "confusion_matrix": sk.confusion_matrix(actual, predicted, labels=LABELS).tolist(),
            "labels": LABELS,
        }
        assert figures(from_confusion_matrix(matrix)) == approx(expected)

    @settings(max_examples=150, deadline=None)
    @given(set_pairs)
    def test_multi_label(self, found: list[tuple[set[str], set[str]]]) -> None:
        actual, predicted = (
            np.array([[x in pair[side] for x in LABELS] for pair in found]) for side in (0, 1)
        )
        columns = list(range(len(LABELS)))
        expected = scikit_learn(
            actual,
            predicted,
            columns,
            accuracy=sk.accuracy_score(actual, predicted),
            loss=sk.hamming_loss(actual, predicted),
        )
        true, decided = ([pair[side] for pair in found] for side in (0, 1))
        assert figures(from_predictions(true, decided, LABELS)) == approx(expected)
        matrix = {
            "type": "multi_label",
            "confusion_matrix": sk.multilabel_confusion_matrix(actual, predicted).tolist(),
            "labels": LABELS,
        }
        without_accuracy = {**expected.to_dict(), "accuracy": None}
        assert figures(from_confusion_matrix(matrix)) == approx(Metrics.from_dict(without_accuracy))


class TestWeakestLabels:
    @settings(max_examples=100, deadline=None)
    @given(pairs)
    def test_precision_recall_and_f1_of_each_label_are_scikit_learns(
        self, found: list[tuple[str, str]]
    ) -> None:
        actual, predicted = ([pair[side] for pair in found] for side in (0, 1))
        matrix = {
            "type": "multi_class",
            "confusion_matrix": sk.confusion_matrix(actual, predicted, labels=LABELS).tolist(),
            "labels": LABELS,
        }
        precision, recall, f1, documents = sk.precision_recall_fscore_support(
            actual, predicted, labels=LABELS, zero_division=0
        )
        weakest = weakest_labels(matrix, len(LABELS))
        assert [label.f1 for label in weakest] == sorted(label.f1 for label in weakest)
        assert {label.label for label in weakest} == set(actual)
        for label in weakest:
            at = LABELS.index(label.label)
            assert label.documents == documents[at]
            found_rates = (label.precision, label.recall, label.f1)
            assert found_rates == pytest.approx((precision[at], recall[at], f1[at]))

    def test_of_many_labels_the_weakest_are_named(self) -> None:
        matrix = {
            "type": "multi_label",
            "confusion_matrix": [[[5, 0], [0, 5]], [[5, 1], [4, 1]], [[5, 2], [1, 2]]],
            "labels": ["sure", "worst", "weak"],
        }
        assert [label.label for label in weakest_labels(matrix, 2)] == ["worst", "weak"]

    def test_a_matrix_without_labels_names_none(self) -> None:
        assert weakest_labels({"type": "multi_class", "confusion_matrix": [[1, 0], [0, 1]]}, 5) == []


def test_a_label_outside_of_the_averages_is_a_wrong_decision() -> None:
    found = from_predictions([{"A"}, {"B"}], [{"A"}, {"OLD"}], ["A", "B"], mode="MULTI_CLASS")
    assert (found.accuracy, found.macro_recall, found.macro_precision) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("actual", "predicted", "labels"), [([], [], ["A"]), ([{"A"}], [], ["A"]), ([{"A"}], [{"A"}], [])]
)
def test_nothing_to_compare_is_an_error(actual: Any, predicted: Any, labels: Any) -> None:
    with pytest.raises(EvaluationError):
        from_predictions(actual, predicted, labels)


class TestWhatComprehendSays:
    def test_its_metrics_by_our_names(self) -> None:
        found = from_comprehend(
            {
                "Accuracy": 0.9856,
                "Precision": 0.9919,
                "Recall": 0.9459,
                "F1Score": 0.9673,
                "MicroPrecision": 0.9855,
                "MicroRecall": 0.9854,
                "MicroF1Score": 0.9853,
                "HammingLoss": 0.0144,
            }
        )
        assert found == Metrics(0.9856, 0.9919, 0.9459, 0.9673, 0.9855, 0.9854, 0.9853, 0.0144)
        assert Metrics.from_dict(json.loads(json.dumps(found.to_dict()))) == found

    def test_what_it_left_out_in_old_answers_is_unknown(self) -> None:
        assert from_comprehend({"Accuracy": 0.5}) == Metrics(accuracy=0.5)

    @pytest.mark.parametrize("name", ["output/confusion_matrix.json", "confusion_matrix.json"])
    def test_its_confusion_matrix_is_read(self, name: str) -> None:
        matrix = {"type": "multi_class", "confusion_matrix": [[9, 1], [0, 7]], "labels": ["A", "B"]}
        assert read_confusion_matrix(archive(name, json.dumps(matrix).encode())) == matrix

    def test_an_archive_without_matrix_says_so(self) -> None:
        with pytest.raises(ArchiveError, match=r"no confusion_matrix\.json; it holds 'predictions\.jsonl'"):
            read_confusion_matrix(archive("predictions.jsonl", b"{}"))

    @pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000, b" " * 65_000_000])
    def test_what_is_no_matrix_is_an_error(self, content: bytes) -> None:
        with pytest.raises(EvaluationError):
            read_confusion_matrix(archive("confusion_matrix.json", content))

    @pytest.mark.parametrize(
        "matrix",
        [
            {},
            {"type": "multi_class", "confusion_matrix": []},
            {"type": "multi_class", "confusion_matrix": [[1, 2]]},
            {"type": "multi_class", "confusion_matrix": [[1, 2], [3]]},
            {"type": "multi_class", "confusion_matrix": [[1, -2], [3, 4]]},
            {"type": "multi_class", "confusion_matrix": [["a", "b"], ["c", "d"]]},
            {"type": "multi_class", "confusion_matrix": [[0, 0], [0, 0]]},
            {"type": "multi_label", "confusion_matrix": [[1, 2], [3, 4]]},
            {"type": "other", "confusion_matrix": [[1, 2], [3, 4]]},
        ],
    )
    def test_a_matrix_of_another_shape_is_an_error(self, matrix: dict[str, Any]) -> None:
        with pytest.raises(EvaluationError):
            from_confusion_matrix(matrix)


class TestFromJobOutput:
    @staticmethod
    def output(*rows: tuple[int, list[tuple[str, float]]]) -> io.BytesIO:
        lines = [
            {"File": "test.txt", "Line": str(n), "Classes": [{"Name": x, "Score": s} for x, s in entries]}
            for n, entries in rows
        ]
        return archive("predictions.jsonl", "\n".join(map(json.dumps, lines)).encode())

    def test_multi_class_by_line_in_any_order_and_missing_ones_are_wrong(self, tmp_path: Path) -> None:
        test_csv = UPath(tmp_path / "test.csv")
        test_csv.write_text('A,"one, with ""quotes"""\nB,two\nA,three\nB,four\n', encoding="utf-8")
        output = self.output((2, [("A", 0.9), ("B", 0.1)]), (0, [("B", 0.6), ("A", 0.4)]), (1, [("B", 0.5)]))
        found = from_job_output(output, test_csv, mode="MULTI_CLASS")
        assert found == from_predictions(
            [{"A"}, {"B"}, {"A"}, {"B"}], [{"B"}, {"B"}, {"A"}, set()], ["A", "B"], mode="MULTI_CLASS"
        )
        assert found.accuracy == 0.5

    def test_multi_label_takes_scores_from_one_half(self, tmp_path: Path) -> None:
        test_csv = UPath(tmp_path / "test.csv")
        test_csv.write_text("A|B,one\nB,two\n", encoding="utf-8")
        output = self.output((0, [("A", 0.5), ("B", 0.4999)]), (1, [("B", 0.9), ("A", 0.8)]))
        found = from_job_output(output, test_csv, mode="MULTI_LABEL", label_delimiter="|")
        assert found == from_predictions([{"A", "B"}, {"B"}], [{"A"}, {"A", "B"}], ["A", "B"])

    def test_an_output_about_nothing_is_an_error(self, tmp_path: Path) -> None:
        test_csv = UPath(tmp_path / "test.csv")
        test_csv.write_text("A,one\n", encoding="utf-8")
        with pytest.raises(EvaluationError, match="no prediction for any document of"):
            from_job_output(self.output((5, [("A", 0.5)])), test_csv, mode="MULTI_CLASS")


class TestDecision:
    @pytest.mark.parametrize(
        ("old", "new", "least", "promoted"),
        [
            (0.9, 0.9001, 0.0, True),
            (0.9, 0.9, 0.0, False),
            (0.9, 0.90004, 0.0, False),
            (0.9, 0.8, 0.0, False),
            (0.9, 0.92, 0.02, True),
            (0.9, 0.9199, 0.02, False),
        ],
    )
    def test_only_a_gain_that_is_large_enough_promotes(
        self, old: float, new: float, least: float, promoted: bool
    ) -> None:
        decision = decide_promotion(
            Metrics(micro_f1=new), Metrics(micro_f1=old), Promotion(metric="micro_f1", least_gain=least)
        )
        assert decision.promote is promoted
        assert (decision.metric, decision.old, decision.new) == ("micro_f1", old, new)
        assert f"{old:.4f}" in decision.reason
        assert f"{new:.4f}" in decision.reason

    def test_the_first_version_becomes_active(self) -> None:
        decision = decide_promotion(Metrics(macro_f1=0.1), None, Promotion())
        assert decision.promote
        assert decision.reason == "No version was active before."

    @pytest.mark.parametrize(
        ("old", "new", "promoted"), [(None, 0.5, True), (0.5, None, False), (None, None, False)]
    )
    def test_a_metric_that_is_unknown_is_said(
        self, old: float | None, new: float | None, promoted: bool
    ) -> None:
        decision = decide_promotion(Metrics(macro_f1=new), Metrics(macro_f1=old), Promotion())
        assert decision.promote is promoted
        assert "has no macro_f1" in decision.reason
