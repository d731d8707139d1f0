"""Read training data from augmented manifests: JSON Lines of SageMaker Ground Truth's text labelling.

A line has the document (``source``, or its S3 URI in ``source-ref``) and the label's index under the
attribute's name. ``<attribute>-metadata`` has the label's name: ``class-name`` for a single label,
``class-map`` (index to name) for several labels. Only the names are used: Ground Truth assigns the indices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from nightsort.comprehend.limits import MAX_DOCUMENT_BYTES, S3_URI_PATTERN
from nightsort_local.local_aws.learning.examples import (
    Example,
    Unusable,
    document_too_big,
    empty_label,
    invalid_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nightsort.comprehend.limits import Mode

_MAX_LINE = 6 * MAX_DOCUMENT_BYTES + 1_000_000
r"""Bytes of a line: a document in which each byte is written as ``\u0000``, and its labels."""


def read_manifest(
    stream: BinaryIO, file: str, mode: Mode, attributes: Sequence[str], fetch: Callable[[str], bytes]
) -> Iterator[Example | Unusable]:
    """Yield the rows of a file, in order.

    Several attributes come from chained labelling jobs. In MULTI_LABEL mode all their labels count. A row is
    unusable if Ground Truth failed to label it, if its attributes have different classes in MULTI_CLASS mode,
    or if its document is empty.

    :param file: the file's name in messages.
    :param attributes: the attributes with labels; a line must have at least one of them.
    :param fetch: reads the object of a ``source-ref``, at most one byte more than the limit of a document.
    :raises TaskError: a line has another form, or a label is empty.
    """
    line = 0
    while content := stream.readline(_MAX_LINE):
        line += 1
        if len(content) == _MAX_LINE:
            raise document_too_big(line, file)
        if not content.strip():
            continue
        item = _object(content, line, file)
        answers = {name: item[f"{name}-metadata"] for name in attributes if f"{name}-metadata" in item}
        if not answers:
            raise invalid_manifest(line, file, f"It has no metadata of {' or '.join(attributes)}")
        labels: set[str] = set()
        failed = False
        for name, answer in answers.items():
            if not isinstance(answer, dict):
                raise invalid_manifest(line, file, f"{name}-metadata is not an object")
            if "failure-reason" in answer:
                failed = True
            else:
                labels.update(_labels(answer, mode, name, line, file))
        text = _text(item, line, file, fetch)
        if not labels and failed:
            yield Unusable(line, "Ground Truth failed to label it")
        elif mode == "MULTI_CLASS" and len(labels) > 1:
            yield Unusable(line, "its attributes have different classes")
        elif not text.strip():
            yield Unusable(line, "an empty document")
        else:
            yield Example(line, tuple(sorted(labels)), text)


def _object(content: bytes, line: int, file: str) -> dict[str, Any]:
    try:
        item = orjson.loads(content)
    except orjson.JSONDecodeError:
        # The parser's error contains text of the document.
        raise invalid_manifest(line, file, "It is not JSON in UTF-8") from None
    if not isinstance(item, dict):
        raise invalid_manifest(line, file, "It is not an object")
    return item


def _labels(answer: dict[str, Any], mode: Mode, name: str, line: int, file: str) -> set[str]:
    if mode == "MULTI_CLASS":
        member, found = "class-name", [answer.get("class-name")]
    else:
        names = answer.get("class-map")
        member, found = "class-map", list(names.values()) if isinstance(names, dict) else [None]
    labels = {label for label in found if isinstance(label, str)}
    if not all(isinstance(label, str) for label in found):
        raise invalid_manifest(line, file, f"{name}-metadata has no {member}, which {mode} needs")
    if not labels or not all(label.strip() for label in labels):
        raise empty_label(line, file)
    return labels


def _text(item: dict[str, Any], line: int, file: str, fetch: Callable[[str], bytes]) -> str:
    if isinstance(text := item.get("source"), str):
        return text
    if not isinstance(uri := item.get("source-ref"), str):
        raise invalid_manifest(line, file, "It has neither source nor source-ref")
    if not S3_URI_PATTERN.fullmatch(uri):
        raise invalid_manifest(line, file, "Its source-ref is not an S3 URI")
    try:
        return fetch(uri).decode("utf-8")
    except UnicodeDecodeError as error:
        raise invalid_manifest(line, file, "The object of its source-ref is not UTF-8") from error
