"""Augmented manifests as training data, and a training that dies, asked for and answered over the API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.classification_data import (
    LABELS,
    create_request,
    labelled_rows,
    multi_label_rows,
    put,
)
from tests.integration.local_aws_server import LocalAwsServer, wait_for_classifier

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.integration


def line(labels: str, text: str, mode: str) -> dict[str, Any]:
    """A line of a manifest as Ground Truth writes it, with the answers under "kind"."""
    names = labels.split("|")
    if mode == "MULTI_CLASS":
        return {"source": text, "kind": LABELS.index(labels), "kind-metadata": {"class-name": labels}}
    class_map = {str(LABELS.index(name)): name for name in names}
    return {"source": text, "kind": list(map(int, class_map)), "kind-metadata": {"class-map": class_map}}


def put_manifest(aws: LocalAwsServer, name: str, lines: Iterable[dict[str, Any]]) -> str:
    body = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in lines)
    return put(aws, f"manifests/{name}", body.encode())


def trained(comprehend: Any, name: str, mode: str, *manifests: tuple[str, str]) -> dict[str, Any]:
    """Train from manifests, each with its split; return what Describe says at the end."""
    items = [{"S3Uri": uri, "Split": split, "AttributeNames": ["kind"]} for uri, split in manifests]
    source = {"DataFormat": "AUGMENTED_MANIFEST", "AugmentedManifests": items}
    request = create_request(name, "", InputDataConfig=source, Mode=mode)
    return wait_for_classifier(
        comprehend, comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
    )


@pytest.mark.parametrize("mode", ["MULTI_CLASS", "MULTI_LABEL"])
def test_manifests_train_and_test_a_classifier(aws: LocalAwsServer, comprehend: Any, mode: str) -> None:
    rows = labelled_rows(40) if mode == "MULTI_CLASS" else multi_label_rows(160)
    parts = {"a": ("TRAIN", rows[:60]), "b": ("TRAIN", rows[60:120]), "c": ("TEST", rows[120:])}
    manifests = [
        (put_manifest(aws, f"{mode}-{name}", (line(*row, mode) for row in some)), split)
        for name, (split, some) in parts.items()
    ]
    properties = trained(comprehend, f"by-manifest-{mode.replace('_', '-')}", mode, *manifests)
    assert properties["Status"] == "TRAINED"
    assert properties["InputDataConfig"]["DataFormat"] == "AUGMENTED_MANIFEST"
    metadata = properties["ClassifierMetadata"]
    assert (metadata["NumberOfTrainedDocuments"], metadata["NumberOfTestDocuments"]) == (120, 40)
    assert metadata["NumberOfLabels"] == 4
    assert metadata["EvaluationMetrics"]["F1Score"] > 0.9


def test_documents_may_lie_beside_the_manifest(aws: LocalAwsServer, comprehend: Any) -> None:
    lines = []
    for number, (label, text) in enumerate(labelled_rows(10)):
        item = line(label, text, "MULTI_CLASS")
        del item["source"]
        lines.append(item | {"source-ref": put(aws, f"documents/{number}.txt", text.encode())})
    lines.append(lines[0] | {"kind-metadata": {"failure-reason": "nobody answered"}})
    properties = trained(
        comprehend, "by-object", "MULTI_CLASS", (put_manifest(aws, "by-object", lines), "TRAIN")
    )
    assert properties["Status"] == "TRAINED_WITH_WARNING"
    metadata = properties["ClassifierMetadata"]
    assert metadata["NumberOfTrainedDocuments"] + metadata["NumberOfTestDocuments"] == 40


def test_a_line_that_cannot_be_read_ends_the_training(aws: LocalAwsServer, comprehend: Any) -> None:
    good = [line(label, text, "MULTI_CLASS") for label, text in labelled_rows(10)]
    for name, bad, reason in (
        ("no-metadata", {"source": "secret"}, "unable to parse line 41 in the file s3://data/manifests/"),
        (
            "no-object",
            {"source-ref": "s3://data/nowhere", "kind-metadata": {"class-name": "BUG"}},
            "NO_READ_ACCESS_TO_INPUT: ",
        ),
    ):
        properties = trained(
            comprehend, name, "MULTI_CLASS", (put_manifest(aws, name, [*good, bad]), "TRAIN")
        )
        assert properties["Status"] == "IN_ERROR"
        assert reason in properties["Message"]
        assert "secret" not in properties["Message"]
