"""What must hold before a training is paid for, and what a person should know all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nightsort.comprehend import limits
from nightsort.errors import NightsortError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nightsort.classifier_spec.model import ClassifierSpec

_MOST_NAMED = 20

Counts = dict[str, dict[str, int]]
"""Per label: how many documents are for ``training`` and how many for the ``test``."""


class TrainingDataError(NightsortError):
    """Labelled documents with which a training cannot work; the text says what to do."""


def named(labels: Sequence[str]) -> str:
    """Return labels as a person reads them, not more than a screenful."""
    some = ", ".join(f'"{label}"' for label in labels[:_MOST_NAMED])
    return f"{some} and {len(labels) - _MOST_NAMED} more" if len(labels) > _MOST_NAMED else some


def check_delimiter(labels: Sequence[str], delimiter: str | None) -> None:
    """Check that no label holds the delimiter that joins labels.

    :raises TrainingDataError: some do; names them and a delimiter that none holds.
    """
    holding = [label for label in labels if delimiter is not None and delimiter in label]
    if not holding:
        return
    free = [mark for mark in limits.LABEL_DELIMITERS if not any(mark in label for label in labels)]
    remedy = f'say label_delimiter: "{free[0]}", which no label holds' if free else "rename these labels"
    raise TrainingDataError(f'the delimiter "{delimiter}" is part of labels: {named(holding)}; {remedy}')


def small_labels(counts: Counts, least: int) -> list[str]:
    """Return the labels with fewer than ``least`` documents to train on."""
    return [label for label, count in counts.items() if count["training"] < least]


def check_small_labels(spec: ClassifierSpec, counts: Counts) -> None:
    """Check that each label has enough documents to train on.

    The least number is about what Comprehend gets to train on: with a test set given, it trains on all of the
    training data. A document that is tested now is not moved to the training to reach it, since that
    would train on what later, when the label has more documents, is tested again.

    :raises TrainingDataError: some have not; names them with their counts.
    """
    least = spec.min_documents_per_label
    small = small_labels(counts, least)
    if not small:
        return
    listed = [
        f'"{label}" ({counts[label]["training"]}, {counts[label]["test"]} for the test)' for label in small
    ]
    more = f" and {len(small) - _MOST_NAMED} more" if len(small) > _MOST_NAMED else ""
    enough = [label for label in small if sum(counts[label].values()) > least]
    share = f". A test_share below {spec.test_share:g} leaves more to train on for {named(enough)}"
    raise TrainingDataError(
        f"{len(small)} labels have fewer than {least} documents to train on (the test documents apart): "
        f"{', '.join(listed[:_MOST_NAMED])}{more}. A label needs {least} to train on and one for the "
        f"test, {least + 1} in all. Add documents to them, or say small_labels: leave_out"
        f"{share if enough else ''}"
    )


def check_limits(spec: ClassifierSpec, counts: Counts, *, training: int, test: int) -> None:
    """Check Comprehend's limits on labels and documents.

    :param training: documents to train on.
    :param test: documents held back for the test.
    :raises TrainingDataError: a limit is broken.
    """
    if len(counts) < limits.MIN_LABELS:
        there = f"only {named(list(counts))}" if counts else "none"
        raise TrainingDataError(
            f"a classifier needs {limits.MIN_LABELS} labels, there is {there}; add documents"
        )
    most = limits.MAX_LABELS[spec.mode]
    if len(counts) > most:
        smallest = sorted(counts, key=lambda label: counts[label]["training"])
        raise TrainingDataError(
            f"{len(counts)} labels, but Comprehend takes {most} in {spec.mode}; merge labels, or raise "
            f"min_documents_per_label with small_labels: leave_out. The smallest: {named(smallest)}"
        )
    if training > limits.MAX_TRAINING_DOCUMENTS or test > limits.MAX_TRAINING_DOCUMENTS:
        raise too_many(f"{training:,} documents to train on and {test:,} for the test")
    least = limits.MIN_MULTI_LABEL_DOCUMENTS
    if spec.mode == "MULTI_LABEL" and training < least:
        raise TrainingDataError(f"{training} documents to train on, but MULTI_LABEL needs {least}; add some")


def too_many(how_many: str) -> TrainingDataError:
    """Return the error for more documents than Comprehend takes."""
    return TrainingDataError(
        f"{how_many}, but Comprehend takes {limits.MAX_TRAINING_DOCUMENTS:,}; "
        "narrow the labelled source to fewer files"
    )


def check_bytes(size: int) -> None:
    """Check the size of training and test file together.

    :param size: in bytes.
    :raises TrainingDataError: it is more than Comprehend takes.
    """
    if size > limits.MAX_TRAINING_BYTES:
        raise TrainingDataError(
            f"more training data than the {limits.MAX_TRAINING_BYTES / 1e9:g} GB that Comprehend takes; "
            "narrow the labelled source to fewer files, or shorten its documents"
        )


def warnings(
    spec: ClassifierSpec,
    counts: Counts,
    *,
    left_out: Sequence[str],
    doubles: int,
    differing: int,
    rejects: Mapping[str, int],
) -> list[str]:
    """Return what a person should know about data that is good enough to train on.

    :param left_out: labels left out for want of documents.
    :param doubles: documents dropped because text and labels stood there before.
    :param differing: multi-label documents whose text stands elsewhere with other labels.
    :param rejects: documents rejected, by reason.
    """
    found = []
    enough = spec.recommended_documents_per_label
    few = [label for label, count in counts.items() if count["training"] + count["test"] < enough]
    if few:
        found.append(
            f"{len(few)} labels have fewer than {enough} documents, expect them to be weak: {named(few)}"
        )
    training = {label: count["training"] for label, count in counts.items()}
    largest, smallest = max(training, key=training.__getitem__), min(training, key=training.__getitem__)
    if training[largest] > limits.MAX_LABEL_IMBALANCE * training[smallest]:
        found.append(
            f'labels are out of balance: "{largest}" has {training[largest]} documents, "{smallest}" '
            f"{training[smallest]}; beyond {limits.MAX_LABEL_IMBALANCE}:1 the small ones are learnt badly"
        )
    if left_out:
        found.append(
            f"{len(left_out)} labels with fewer than {spec.min_documents_per_label} documents to train on "
            f"are left out: {named(left_out)}"
        )
    if doubles:
        found.append(f"{doubles} documents repeat the text and labels of an earlier one; each counts once")
    if differing:
        found.append(
            f"{differing} documents share their text with a document that has other labels; all are kept"
        )
    if rejects:
        listed = ", ".join(f"{reason} {count}" for reason, count in sorted(rejects.items()))
        found.append(f"{sum(rejects.values())} documents were rejected: {listed}")
    return found
