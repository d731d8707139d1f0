"""A labelled document of any format, and the errors of training data.

The messages are those of AWS's own converter for Comprehend, which repeats the checks of a training
(aws-samples/amazon-comprehend-examples, ``customer_errors.py``). The code in front is assumed: it was seen in
the answer to a real call (https://github.com/aws/aws-sdk-js-v3/issues/5402), but no source shows the message
of a real IN_ERROR. No message contains text of a document.
"""

from __future__ import annotations

from typing import NamedTuple

from nightsort.comprehend.limits import MAX_DOCUMENT_BYTES, MAX_LABEL_CHARACTERS
from nightsort_local.local_aws.task_errors import TaskError


class Example(NamedTuple):
    """A document and its labels.

    :param line: the one-based line of its file on which it begins.
    """

    line: int
    labels: tuple[str, ...]
    text: str


class Unusable(NamedTuple):
    """A row that training skips; the classifier becomes TRAINED_WITH_WARNING."""

    line: int
    reason: str


def invalid_input(reason: str) -> TaskError:
    """Return the error for unusable training data."""
    return TaskError(f"CLASSIFIER_INVALID_INPUT: {reason}")


def empty_label(line: int, file: str) -> TaskError:
    """Return the error for a label that is empty or only white space."""
    return invalid_input(
        f"Empty label found on line: {line} of file: {file}. This could be because of "
        "1) a leading label delimiter 2) a trailing label delimiter "
        "3) consecutive label delimiters in the labels list column or 4) an empty string."
    )


def document_too_big(line: int, file: str) -> TaskError:
    """Return the error for a document over :data:`~nightsort.comprehend.limits.MAX_DOCUMENT_BYTES`."""
    return invalid_input(
        f"The maximum size of an individual document is {MAX_DOCUMENT_BYTES // 1_000_000}MB. The document on "
        f"line: {line} of file: {file} was greater than the maximum size."
    )


def label_too_big(line: int, file: str) -> TaskError:
    """Return the error for a label over :data:`~nightsort.comprehend.limits.MAX_LABEL_CHARACTERS`."""
    return invalid_input(
        f"The maximum size of an individual label is {MAX_LABEL_CHARACTERS} characters. The label on "
        f"line: {line} of file: {file} was greater than the maximum size."
    )


def invalid_manifest(line: int, file: str, reason: str) -> TaskError:
    """Return the error for a line in another form than Ground Truth's."""
    return invalid_input(
        "An augmented manifest file in your request is an invalid JSON file. Amazon Comprehend is unable to "
        f"parse line {line} in the file {file}. Correct the file and try again. ({reason})"
    )
