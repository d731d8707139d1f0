"""The InputDataConfig of CreateDocumentClassifier: its members must go together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nightsort_local.local_aws.comprehend.errors import invalid_request
from nightsort_local.local_aws.comprehend.real_time_input import check_reader_config
from nightsort_local.local_aws.work.tasks import AugmentedManifest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMPREHEND_CSV: Final = "COMPREHEND_CSV"
AUGMENTED_MANIFEST: Final = "AUGMENTED_MANIFEST"
PLAIN_TEXT: Final = "PLAIN_TEXT_DOCUMENT"

MAX_MANIFESTS: Final = 5
"""Augmented manifests of a training (guide, guidelines-and-limits)."""

MAX_ATTRIBUTES: Final = 5
"""Attributes of an augmented manifest (guide, guidelines-and-limits)."""

_MEMBERS: Final = {COMPREHEND_CSV: ("S3Uri", "TestS3Uri"), AUGMENTED_MANIFEST: ("AugmentedManifests",)}
"""The members of each DataFormat, the required one first."""


def check_training_input(source: Mapping[str, Any]) -> None:
    """Refuse an InputDataConfig whose members do not go together, or that asks for native documents.

    :raises ApiError: InvalidRequestException.
    """
    if source.get("DocumentType", PLAIN_TEXT) != PLAIN_TEXT:
        raise invalid_request(
            "INVALID_REQUEST: The local Comprehend trains plain-text models only, no native document models: "
            f"omit DocumentType or give {PLAIN_TEXT}."
        )
    if "Documents" in source:
        raise invalid_request(
            "INVALID_REQUEST: InputDataConfig.Documents is for native document models only."
        )
    check_reader_config(source.get("DocumentReaderConfig"))
    data_format = source.get("DataFormat", COMPREHEND_CSV)
    for known, members in _MEMBERS.items():
        given = [member for member in members if member in source]
        if known == data_format and not source.get(members[0]):
            raise invalid_request(
                f"INVALID_REQUEST: InputDataConfig.{members[0]} is required when DataFormat is {known}."
            )
        if known != data_format and given:
            raise invalid_request(
                f"INVALID_REQUEST: InputDataConfig.{given[0]} does not go with DataFormat {data_format}."
            )
    _check_manifests(source.get("AugmentedManifests", ()))


def manifests(source: Mapping[str, Any]) -> tuple[AugmentedManifest, ...]:
    """Return the augmented manifests that a training is to read."""
    return tuple(
        AugmentedManifest(item["S3Uri"], tuple(item["AttributeNames"]), item.get("Split", "TRAIN"))
        for item in source.get("AugmentedManifests", ())
    )


def _check_manifests(items: Sequence[Mapping[str, Any]]) -> None:
    if len(items) > MAX_MANIFESTS:
        raise invalid_request(
            f"INVALID_REQUEST: {len(items)} augmented manifests are given; {MAX_MANIFESTS} are the most."
        )
    for item in items:
        if not 1 <= len(item["AttributeNames"]) <= MAX_ATTRIBUTES:
            raise invalid_request(
                f"INVALID_REQUEST: An augmented manifest has 1 to {MAX_ATTRIBUTES} AttributeNames."
            )
        native = {"AnnotationDataS3Uri", "SourceDocumentsS3Uri"} & set(item)
        if native or item.get("DocumentType", PLAIN_TEXT) != PLAIN_TEXT:
            raise invalid_request(
                "INVALID_REQUEST: The local Comprehend reads augmented manifests of plain text only."
            )
    if items and all(item.get("Split") == "TEST" for item in items):
        raise invalid_request("INVALID_REQUEST: One augmented manifest at least must have the Split TRAIN.")
