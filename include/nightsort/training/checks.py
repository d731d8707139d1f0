"""Check training data before a training is paid for, and warn of what may make a classifier weak."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nightsort.comprehend import limits
from nightsort.errors import NightsortError
from nightsort.sources.cleaning import is_visible
from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nightsort.classifier_spec.model import ClassifierSpec

MAX_NAMED = 20
_TEXT_WORDS = 5
_MAX_LABEL_TEXT = 60

Counts = dict[str, dict[str, int]]
"""Per label: how many documents are for ``training`` and how many for the ``test``."""


class TrainingDataError(NightsortError):
    """Labelled documents that Comprehend cannot train on; the message says what to do."""


def label_text(label: str) -> str:
    """Return a label in quotes for a message.

    Unusual blanks and invisible characters are written as code points. Of a text that was taken for a label
    only the beginning is shown.

    :param label: the label.
    :returns: the text.
    """
    shown = "".join(
        mark if mark == " " or is_visible(mark) else f"<U+{ord(mark):04X}>"
        for mark in label[: _MAX_LABEL_TEXT + 1]
    )
    return f'"{shown}"' if len(shown) <= _MAX_LABEL_TEXT else f'"{shown[: _MAX_LABEL_TEXT - 1]}…"'


def counted(counts: Mapping[str, int]) -> str:
    """Return reasons with their numbers for a message.

    :param counts: by reason.
    :returns: the text.
    """
    return ", ".join(f"{reason} {count:,}" for reason, count in sorted(counts.items()))


def named(labels: Sequence[str]) -> str:
    """Return labels as text for a message; only the first 20 are named.

    :param labels: the labels.
    :returns: the text.
    """
    listed = ", ".join(map(label_text, labels[:MAX_NAMED]))
    return f"{listed} and {len(labels) - MAX_NAMED} more" if len(labels) > MAX_NAMED else listed


def check_labels_are_no_texts(labels: Sequence[str], documents: int) -> None:
    """Check that the columns of texts and labels are not exchanged. The error shows none of the texts.

    :param labels: the labels.
    :param documents: how many documents there are.
    :raises TrainingDataError: most labels look like texts, and hardly one has two documents.
    """
    texts = sum(len(label) > _MAX_LABEL_TEXT or len(label.split()) >= _TEXT_WORDS for label in labels)
    if 2 * len(labels) > documents and 2 * texts > len(labels) > 1:
        raise TrainingDataError(
            f"{documents:,} documents have {len(labels):,} different labels, and most of these look like "
            "texts. Exchange text_column and label_column in the spec, or without a header row the names in "
            "columns"
        )


def check_delimiter(labels: Sequence[str], delimiter: str | None) -> None:
    """Check that no label contains the delimiter that joins labels.

    :param labels: the labels.
    :param delimiter: joins the labels of a document; ``None`` where each has one.
    :raises TrainingDataError: a label does; names the labels, and a delimiter that no label contains.
    """
    holding = [label for label in labels if delimiter is not None and delimiter in label]
    if not holding:
        return
    free = [mark for mark in limits.LABEL_DELIMITERS if not any(mark in label for label in labels)]
    remedy = f'set label_delimiter: "{free[0]}", which no label contains' if free else "rename these labels"
    raise TrainingDataError(f'the delimiter "{delimiter}" is part of a label: {named(holding)}; {remedy}')


def small_labels(counts: Counts, minimum: int) -> list[str]:
    """Return the labels with fewer than ``minimum`` documents to train on."""
    return [label for label, count in counts.items() if count["training"] < minimum]


def check_small_labels(spec: ClassifierSpec, counts: Counts) -> None:
    """Check that each label has enough documents to train on.

    Only training documents count. A test document is never moved to the training to reach the minimum: it
    would be a test document again once the label has more documents, after the classifier was trained on it.

    :param spec: with the minimum.
    :param counts: documents by label.
    :raises TrainingDataError: a label has too few; names each with its counts.
    """
    minimum = spec.min_documents_per_label
    small = small_labels(counts, minimum)
    if not small:
        return
    listed = [
        f"{label_text(label)} ({count['training']} for the training, {count['test']} for the test)"
        for label, count in counts.items()
        if label in small
    ]
    more = f" and {len(small) - MAX_NAMED} more" if len(small) > MAX_NAMED else ""
    enough = [label for label in small if sum(counts[label].values()) > minimum]
    share = f". A test_share below {spec.test_share:g} leaves more to train on for {named(enough)}"
    raise TrainingDataError(
        f"{_labels_have(len(small))} fewer than {minimum} documents to train on: "
        f"{', '.join(listed[:MAX_NAMED])}{more}. A label needs {minimum} to train on and one for the "
        f"test, {minimum + 1} in all. Add documents, or set small_labels: leave_out"
        f"{share if enough else ''}"
    )


def check_limits(spec: ClassifierSpec, counts: Counts, *, training: int, test: int) -> None:
    """Check Comprehend's limits on labels and documents.

    :param spec: with the mode.
    :param counts: documents by label.
    :param training: number of documents to train on.
    :param test: number of documents for the test.
    :raises TrainingDataError: a limit is exceeded.
    """
    if len(counts) < limits.MIN_LABELS:
        found = f"only {named(list(counts))}" if counts else "none"
        raise TrainingDataError(
            f"a classifier needs {limits.MIN_LABELS} labels, there is {found}; add documents"
        )
    maximum = limits.MAX_LABELS[spec.mode]
    if len(counts) > maximum:
        smallest = sorted(counts, key=lambda label: counts[label]["training"])
        raise TrainingDataError(
            f"{len(counts)} labels, but Comprehend takes {maximum} in {spec.mode}; merge labels, or raise "
            f"min_documents_per_label with small_labels: leave_out. The smallest: {named(smallest)}"
        )
    if training > limits.MAX_TRAINING_DOCUMENTS or test > limits.MAX_TRAINING_DOCUMENTS:
        raise too_many(f"{training:,} documents to train on and {test:,} for the test")
    minimum = limits.MIN_MULTI_LABEL_DOCUMENTS
    if spec.mode == "MULTI_LABEL" and training < minimum:
        raise TrainingDataError(
            f"{training} documents to train on, but MULTI_LABEL needs {minimum}; add documents"
        )


def too_many(how_many: str) -> TrainingDataError:
    """Return the error for more documents than Comprehend takes.

    :param how_many: the number of documents, as text.
    :returns: the error.
    """
    return TrainingDataError(
        f"{how_many}, but Comprehend takes {limits.MAX_TRAINING_DOCUMENTS:,}; "
        "narrow the labelled source to fewer files"
    )


def check_bytes(size: int) -> None:
    """Check the size of the training file and the test file together.

    :param size: in bytes.
    :raises TrainingDataError: the size is above Comprehend's limit.
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
    duplicates: int,
    differing: int,
    rejects: Mapping[str, int],
) -> list[str]:
    """Return warnings about data that is good enough to train on.

    :param spec: the classifier spec.
    :param counts: documents by label.
    :param left_out: labels with too few documents.
    :param duplicates: documents with the text and labels of an earlier one.
    :param differing: multi-label documents with the same text as another one, but other labels.
    :param rejects: rejected documents, by reason.
    :returns: one sentence each.
    """
    found = []
    enough = spec.recommended_documents_per_label
    few = [label for label, count in counts.items() if count["training"] + count["test"] < enough]
    if few:
        found.append(
            f"{_labels_have(len(few))} fewer than {enough} documents; expect weak predictions: {named(few)}"
        )
    training = {label: count["training"] for label, count in counts.items()}
    largest, smallest = max(training, key=training.__getitem__), min(training, key=training.__getitem__)
    if training[largest] > limits.MAX_LABEL_IMBALANCE * training[smallest]:
        found.append(
            f"labels are out of balance: {label_text(largest)} has {training[largest]} documents, "
            f"{label_text(smallest)} {training[smallest]}; beyond {limits.MAX_LABEL_IMBALANCE}:1 small "
            "labels are learnt badly"
        )
    if left_out:
        found.append(
            f"left out, with fewer than {spec.min_documents_per_label} documents to train on: "
            f"{named(left_out)}"
        )
    if duplicates:
        found.append(f"not used: {number_of(duplicates, 'duplicate')} (same text, same labels)")
    if differing:
        documents = number_of(differing, "document")
        found.append(f"kept: {documents} with the same text as another document, but other labels")
    if rejects:
        found.append(f"rejected: {number_of(sum(rejects.values()), 'document')} ({counted(rejects)})")
    return found


def _labels_have(number: int) -> str:
    return "1 label has" if number == 1 else f"{number} labels have"
