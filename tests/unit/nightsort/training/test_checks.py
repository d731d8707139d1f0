"""Comprehend's limits hold before a training is paid for."""

from __future__ import annotations

import pytest

from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.comprehend import limits
from nightsort.training import checks as training_checks
from nightsort.training.checks import TrainingDataError


def spec(mode: str = "MULTI_CLASS", **keys: object) -> ClassifierSpec:
    return ClassifierSpec.model_validate(
        {
            "name": "tickets",
            "mode": mode,
            "labelled": {"uri": "s3://bucket/labelled/", "format": "csv"},
            "incoming": {"uri": "s3://bucket/incoming/", "format": "lines"},
            "work_uri": "s3://bucket/work",
            "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
            **keys,
        }
    )


def counts(*training: int) -> training_checks.Counts:
    return {f"label {n}": {"training": count, "test": 1} for n, count in enumerate(training)}


@pytest.mark.parametrize(("mode", "most"), [("MULTI_CLASS", 1_000), ("MULTI_LABEL", 100)])
def test_the_most_labels(mode: str, most: int) -> None:
    training_checks.check_limits(spec(mode), counts(*[10] * most), training=10 * most, test=most)

    with pytest.raises(TrainingDataError, match=f"{most + 1} labels, but Comprehend takes {most} in {mode}"):
        training_checks.check_limits(spec(mode), counts(*[10] * (most + 1)), training=10_010, test=most)


def test_the_fewest_labels() -> None:
    with pytest.raises(TrainingDataError, match='needs 2 labels, there is only "label 0"'):
        training_checks.check_limits(spec(), counts(10), training=10, test=1)
    with pytest.raises(TrainingDataError, match="there is none"):
        training_checks.check_limits(spec(), {}, training=0, test=0)


def test_the_most_documents() -> None:
    training_checks.check_limits(spec(), counts(500_000, 500_000), training=1_000_000, test=1)

    with pytest.raises(
        TrainingDataError, match=r"1,000,001 documents to train on .* takes 1,000,000; narrow"
    ):
        training_checks.check_limits(spec(), counts(500_000, 500_001), training=1_000_001, test=1)


def test_the_fewest_documents_of_a_multi_label_classifier() -> None:
    training_checks.check_limits(spec("MULTI_LABEL"), counts(25, 25), training=50, test=2)

    with pytest.raises(TrainingDataError, match="49 documents to train on, but MULTI_LABEL needs 50"):
        training_checks.check_limits(spec("MULTI_LABEL"), counts(24, 25), training=49, test=2)


def test_the_most_bytes() -> None:
    training_checks.check_bytes(limits.MAX_TRAINING_BYTES)

    with pytest.raises(TrainingDataError, match="than the 5 GB that Comprehend takes"):
        training_checks.check_bytes(limits.MAX_TRAINING_BYTES + 1)


def test_labels_with_too_few_documents_are_listed_with_their_counts() -> None:
    training_checks.check_small_labels(spec(), counts(10, 10))

    with pytest.raises(TrainingDataError) as caught:
        training_checks.check_small_labels(spec(), counts(9, 10, 3))

    assert str(caught.value) == (
        "2 labels have fewer than 10 documents to train on: "
        '"label 0" (9 for the training, 1 for the test), '
        '"label 2" (3 for the training, 1 for the test). A label needs 10 to train on and '
        "one for the test, 11 in all. Add documents, or set small_labels: leave_out"
    )


def test_a_label_that_has_enough_but_not_to_train_on_is_told_of_the_test_share() -> None:
    few = {"a": {"training": 8, "test": 3}, "b": {"training": 7, "test": 3}, "c": {"training": 10, "test": 1}}

    with pytest.raises(TrainingDataError, match=r'A test_share below 0\.2 leaves more to train on for "a"$'):
        training_checks.check_small_labels(spec(test_share=0.2), few)


def test_a_spec_may_ask_for_more() -> None:
    with pytest.raises(TrainingDataError, match="fewer than 50"):
        training_checks.check_small_labels(spec(min_documents_per_label=50), counts(49, 50))


def test_a_delimiter_inside_labels_is_an_error_with_one_that_fits() -> None:
    training_checks.check_delimiter(["a|b"], None)
    training_checks.check_delimiter(["a b", "c"], "|")

    with pytest.raises(TrainingDataError, match=r'part of a label: "a\|b", "c\|d"; set label_delimiter: "~"'):
        training_checks.check_delimiter(["a|b", "c|d", "e f"], "|")


def test_many_labels_are_not_all_named() -> None:
    assert training_checks.named(["a", "b"]) == '"a", "b"'
    assert training_checks.named([str(n) for n in range(500)]).endswith('"19" and 480 more')


def test_a_text_that_was_taken_for_a_label_is_not_shown_whole() -> None:
    assert training_checks.named(["word " * 30]) == f'"{("word " * 30)[:59]}…"'


def test_what_does_not_show_in_a_label_is_named() -> None:
    assert training_checks.named(["a\u00a0b", "a\u200b"]) == '"a<U+00A0>b", "a<U+200B>"'


def warnings(*training: int, **found: object) -> list[str]:
    nothing = {"left_out": [], "duplicates": 0, "differing": 0, "rejects": {}}
    return training_checks.warnings(spec(), counts(*training), **{**nothing, **found})  # type: ignore[arg-type]


def test_good_data_has_no_warnings() -> None:
    assert warnings(49, 490) == []


def test_few_documents_are_warned_of() -> None:
    assert warnings(48, 49) == ['1 label has fewer than 50 documents; expect weak predictions: "label 0"']


def test_imbalance_beyond_ten_to_one_is_warned_of() -> None:
    assert "out of balance" in warnings(50, 501)[0]
    assert warnings(50, 500) == []


def test_what_was_left_out_is_told() -> None:
    told = warnings(60, 60, left_out=["x"], duplicates=2, differing=3, rejects={"blank": 4, "no_label": 1})

    assert told == [
        'left out, with fewer than 10 documents to train on: "x"',
        "not used: 2 duplicates (same text, same labels)",
        "kept: 3 documents with the same text as another document, but other labels",
        "rejected: 5 documents (blank 4, no_label 1)",
    ]
