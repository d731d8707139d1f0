"""Training data as Ground Truth writes it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from nightsort_local.local_aws.learning.augmented_manifests import read_manifest
from nightsort_local.local_aws.learning.examples import Example, Unusable
from nightsort_local.local_aws.task_errors import TaskError

if TYPE_CHECKING:
    from nightsort.comprehend.limits import Mode

FILE = "s3://data/output.manifest"
OBJECTS = {"s3://docs/a.txt": b"from S3", "s3://docs/b.txt": b"caf\xe9"}


def multi_class(text: str, name: str, attribute: str = "kind", index: int = 0) -> dict[str, Any]:
    """A line of a single-label job, with all that Ground Truth adds."""
    return {
        "source": text,
        attribute: index,
        f"{attribute}-metadata": {
            "class-name": name,
            "confidence": 0.95,
            "job-name": "labeling-job/kind",
            "human-annotated": "yes",
            "creation-date": "2026-11-01T10:00:00.000000",
            "type": "groundtruth/text-classification",
        },
    }


def multi_label(text: str, names: list[str], attribute: str = "kinds") -> dict[str, Any]:
    """A line of a multi-label job."""
    return {
        "source": text,
        attribute: list(range(len(names))),
        f"{attribute}-metadata": {
            "class-map": {str(index): name for index, name in enumerate(names)},
            "confidence-map": {str(index): 0.9 for index in range(len(names))},
            "type": "groundtruth/text-classification-multilabel",
        },
    }


def lines(
    *items: Any, mode: Mode = "MULTI_CLASS", attributes: tuple[str, ...] = ("kind",)
) -> list[Example | Unusable]:
    body = "".join(item if isinstance(item, str) else json.dumps(item) + "\n" for item in items)
    return list(read_manifest(io.BytesIO(body.encode()), FILE, mode, attributes, OBJECTS.__getitem__))


def refused(*items: Any, mode: Mode = "MULTI_CLASS", attributes: tuple[str, ...] = ("kind",)) -> str:
    with pytest.raises(TaskError) as caught:
        lines(*items, mode=mode, attributes=attributes)
    return str(caught.value)


def test_the_name_in_the_metadata_is_the_label() -> None:
    assert lines(multi_class("it broke", "BUG", index=7), multi_class("pay", "BILLING", index=7)) == [
        Example(1, ("BUG",), "it broke"),
        Example(2, ("BILLING",), "pay"),
    ]


def test_several_labels_come_from_the_class_map() -> None:
    found = lines(multi_label("pay, it broke", ["BUG", "BILLING"]), mode="MULTI_LABEL", attributes=("kinds",))
    assert found == [Example(1, ("BILLING", "BUG"), "pay, it broke")]


def test_the_labels_of_chained_jobs_are_joined() -> None:
    item = {**multi_label("text", ["A", "B"], "first"), **multi_label("text", ["B", "C"], "second")}
    found = lines(item, mode="MULTI_LABEL", attributes=("first", "second"))
    assert found == [Example(1, ("A", "B", "C"), "text")]
    assert lines(item, mode="MULTI_LABEL", attributes=("second",)) == [Example(1, ("B", "C"), "text")]


def test_a_line_needs_one_of_the_attributes_only() -> None:
    items = [multi_class("one", "A", "first"), multi_class("two", "B", "second")]
    assert lines(*items, attributes=("first", "second")) == [
        Example(1, ("A",), "one"),
        Example(2, ("B",), "two"),
    ]


def test_two_answers_to_one_document_are_no_answer() -> None:
    item = {**multi_class("text", "A", "first"), **multi_class("text", "B", "second")}
    found = lines(item, attributes=("first", "second"))
    assert found == [Unusable(1, "its attributes have different classes")]


def test_what_ground_truth_failed_to_label_is_unusable() -> None:
    failed = {
        "source": "text",
        "kind-metadata": {"failure-reason": "ClientError: The worker gave no answer", "job-name": "job"},
    }
    assert lines(failed, multi_class("good", "A")) == [
        Unusable(1, "Ground Truth failed to label it"),
        Example(2, ("A",), "good"),
    ]


def test_a_document_may_lie_in_an_object_of_its_own() -> None:
    item = multi_class("", "A") | {"source-ref": "s3://docs/a.txt"}
    del item["source"]
    assert lines(item) == [Example(1, ("A",), "from S3")]


def test_an_empty_document_is_unusable_and_an_empty_line_is_nothing() -> None:
    assert lines(multi_class(" ", "A"), "\n", "\r\n", multi_class("x", "A")) == [
        Unusable(1, "an empty document"),
        Example(4, ("A",), "x"),
    ]


def test_u2028_inside_a_document_ends_no_line() -> None:
    body = json.dumps(multi_class("one\u2028two", "A"), ensure_ascii=False)
    assert lines(body) == [Example(1, ("A",), "one\u2028two")]


UNREADABLE = {
    "no JSON": ('{"source": "secret', "It is not JSON in UTF-8"),
    "a BOM": ("\ufeff{}", "It is not JSON in UTF-8"),
    "a list": ('["secret"]', "It is not an object"),
    "no document": (
        {"kind": 0, "kind-metadata": {"class-name": "A"}},
        "It has neither source nor source-ref",
    ),
    "another attribute": (multi_class("secret", "A", "type"), "It has no metadata of kind"),
    "text as metadata": ({"source": "secret", "kind-metadata": "A"}, "kind-metadata is not an object"),
    "no name": ({"source": "secret", "kind-metadata": {}}, "kind-metadata has no class-name"),
    "a number": ({"source": "secret", "kind-metadata": {"class-name": 3}}, "kind-metadata has no class-name"),
    "the other mode": (
        multi_label("secret", ["A"], "kind"),
        "kind-metadata has no class-name, which MULTI_CLASS needs",
    ),
    "a web page": (
        {"source-ref": "https://secret", "kind-metadata": {"class-name": "A"}},
        "Its source-ref is not an S3 URI",
    ),
    "bad UTF-8 behind it": (
        {"source-ref": "s3://docs/b.txt", "kind-metadata": {"class-name": "A"}},
        "The object of its source-ref is not UTF-8",
    ),
}


@pytest.mark.parametrize("kind", sorted(UNREADABLE))
def test_a_line_of_another_form_is_refused_in_the_words_of_aws(kind: str) -> None:
    item, reason = UNREADABLE[kind]
    message = refused(multi_class("good", "A"), item)
    assert message.startswith(
        "CLASSIFIER_INVALID_INPUT: An augmented manifest file in your request is an invalid JSON file. "
        f"Amazon Comprehend is unable to parse line 2 in the file {FILE}. Correct the file and try again. "
        f"({reason}"
    )
    assert "secret" not in message


def test_a_multi_label_classifier_needs_a_class_map() -> None:
    assert "no class-map, which MULTI_LABEL needs" in refused(multi_class("x", "A"), mode="MULTI_LABEL")


@pytest.mark.parametrize(
    ("item", "mode"),
    [
        (multi_class("x", ""), "MULTI_CLASS"),
        (multi_label("x", [], "kind"), "MULTI_LABEL"),
        (multi_label("x", ["A", " "], "kind"), "MULTI_LABEL"),
    ],
)
def test_an_empty_label_is_refused(item: dict[str, Any], mode: Mode) -> None:
    assert f"Empty label found on line: 1 of file: {FILE}." in refused(item, mode=mode)


def test_a_line_that_does_not_end_is_a_document_too_big() -> None:
    message = refused('{"source": "' + "x" * 62_000_000)
    assert f"The document on line: 1 of file: {FILE} was greater than the maximum size." in message
