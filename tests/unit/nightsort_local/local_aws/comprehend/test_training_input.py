"""The members of InputDataConfig go together as the service model's text says."""

from __future__ import annotations

from typing import Any

import pytest

from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.comprehend.training_input import check_training_input, manifests
from nightsort_local.local_aws.work.tasks import AugmentedManifest

URI = "s3://bucket/key"
MANIFEST = {"S3Uri": URI, "AttributeNames": ["topic"]}


def augmented(*items: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"DataFormat": "AUGMENTED_MANIFEST", "AugmentedManifests": list(items), **changes}


@pytest.mark.parametrize(
    "source",
    [
        {"S3Uri": URI},
        {"S3Uri": URI, "TestS3Uri": URI, "DataFormat": "COMPREHEND_CSV", "LabelDelimiter": "#"},
        {"S3Uri": URI, "DocumentType": "PLAIN_TEXT_DOCUMENT"},
        augmented(MANIFEST),
        augmented(*[{**MANIFEST, "Split": split} for split in ("TRAIN", "TEST", "TEST", "TEST", "TEST")]),
        augmented({**MANIFEST, "AttributeNames": ["a"] * 5, "DocumentType": "PLAIN_TEXT_DOCUMENT"}),
    ],
)
def test_what_goes_together_is_taken(source: dict[str, Any]) -> None:
    check_training_input(source)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({}, "S3Uri is required when DataFormat is COMPREHEND_CSV"),
        (augmented(), "AugmentedManifests is required when DataFormat is AUGMENTED_MANIFEST"),
        (augmented(MANIFEST, S3Uri=URI), "S3Uri is not allowed with DataFormat AUGMENTED_MANIFEST"),
        (augmented(MANIFEST, TestS3Uri=URI), "TestS3Uri is not allowed with DataFormat AUGMENTED_MANIFEST"),
        (
            {"S3Uri": URI, "AugmentedManifests": [MANIFEST]},
            "AugmentedManifests is not allowed with DataFormat COMPREHEND_CSV",
        ),
        (augmented(*[MANIFEST] * 6), "the maximum is 5"),
        (augmented({**MANIFEST, "AttributeNames": []}), "1 to 5 AttributeNames"),
        (augmented({**MANIFEST, "AttributeNames": ["a"] * 6}), "1 to 5 AttributeNames"),
        (augmented({**MANIFEST, "Split": "TEST"}), "Split TRAIN"),
        (augmented({**MANIFEST, "DocumentType": "SEMI_STRUCTURED_DOCUMENT"}), "plain text only"),
        (augmented({**MANIFEST, "SourceDocumentsS3Uri": URI}), "plain text only"),
        ({"S3Uri": URI, "DocumentType": "SEMI_STRUCTURED_DOCUMENT"}, "no native document models"),
        ({"S3Uri": URI, "Documents": {"S3Uri": URI}}, "for native document models only"),
        (
            {"S3Uri": URI, "DocumentReaderConfig": {"DocumentReadAction": "TEXTRACT_ANALYZE_DOCUMENT"}},
            "FeatureTypes is required",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(source: dict[str, Any], told: str) -> None:
    with pytest.raises(ApiError, match="InvalidRequestException") as caught:
        check_training_input(source)
    assert told in caught.value.message


def test_manifests_are_what_a_training_reads() -> None:
    source = augmented(MANIFEST, {**MANIFEST, "AttributeNames": ["a", "b"], "Split": "TEST"})
    assert manifests(source) == (
        AugmentedManifest(URI, ("topic",), "TRAIN"),
        AugmentedManifest(URI, ("a", "b"), "TEST"),
    )
    assert manifests({"S3Uri": URI}) == ()
