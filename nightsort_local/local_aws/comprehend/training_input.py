"""Check the InputDataConfig of CreateDocumentClassifier: its members must match."""

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
"""Maximum of augmented manifests in a training (guide, guidelines-and-limits)."""

MAX_ATTRIBUTES: Final = 5
"""Maximum of attributes in an augmented manifest (guide, guidelines-and-limits)."""

_MEMBERS: Final = {COMPREHEND_CSV: ("S3Uri", "TestS3Uri"), AUGMENTED_MANIFEST: ("AugmentedManifests",)}
"""The members of each DataFormat; the first one is required."""


def check_training_input(source: Mapping[str, Any]) -> None:
    """Refuse an InputDataConfig whose members do not match, or one for native documents.

    :raises ApiError: InvalidRequestException.
    """
    if source.get("DocumentType", PLAIN_TEXT) != PLAIN_TEXT:
        raise invalid_request(
            "INVALID_REQUEST: The local Comprehend trains only plain-text models, no native document models. "
            f"Omit DocumentType or set it to {PLAIN_TEXT}."
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
                f"INVALID_REQUEST: InputDataConfig.{given[0]} is not allowed with DataFormat {data_format}."
            )
    _check_manifests(source.get("AugmentedManifests", ()))


def manifests(source: Mapping[str, Any]) -> tuple[AugmentedManifest, ...]:
    """Return the augmented manifests of a training."""
    return tuple(
        AugmentedManifest(item["S3Uri"], tuple(item["AttributeNames"]), item.get("Split", "TRAIN"))
        for item in source.get("AugmentedManifests", ())
    )


def _check_manifests(items: Sequence[Mapping[str, Any]]) -> None:
    if len(items) > MAX_MANIFESTS:
        raise invalid_request(
            f"INVALID_REQUEST: {len(items)} augmented manifests are given; the maximum is {MAX_MANIFESTS}."
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
        raise invalid_request("INVALID_REQUEST: At least one augmented manifest must have the Split TRAIN.")
