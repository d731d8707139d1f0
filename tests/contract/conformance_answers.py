"""Which members an answer must have: those and no others, by what was asked and the state of what is shown.

The states' members are Comprehend's own, as its documentation and captured answers show them:
``ClassifierMetadata``, the training's times and ``EndTime`` only at the end, ``Message`` with a failure or a
warning, an empty ``OutputDataConfig`` without an output location.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.contract.conformance_requests import FLYWHEELS, NOT_TAKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.conformance_cases import Path

ECHOED = ("VersionName", "VolumeKmsKeyId", "ModelKmsKeyId", "VpcConfig", "JobName")
"""Shown as they were asked for, and not at all when they were not."""

CLASSIFIER = {
    "DocumentClassifierArn", "LanguageCode", "Status", "SubmitTime", "InputDataConfig", "OutputDataConfig",
    "DataAccessRoleArn", "Mode",
}  # fmt: skip
METRICS = ("Accuracy", "Precision", "Recall", "F1Score")
MICRO = ("MicroPrecision", "MicroRecall", "MicroF1Score", "HammingLoss")
LEARNT = {
    "EndTime", "TrainingStartTime", "TrainingEndTime", "ClassifierMetadata",
    "ClassifierMetadata.NumberOfLabels", "ClassifierMetadata.NumberOfTrainedDocuments",
    "ClassifierMetadata.NumberOfTestDocuments", "ClassifierMetadata.EvaluationMetrics",
    *(f"ClassifierMetadata.EvaluationMetrics.{metric}" for metric in METRICS + MICRO),
}  # fmt: skip
CLASSIFIER_STATES: dict[str, set[str]] = {
    "SUBMITTED": set(),
    "TRAINING": set(),
    "STOP_REQUESTED": set(),
    "STOPPED": {"EndTime"},
    "IN_ERROR": {"EndTime", "Message"},
    "TRAINED": LEARNT,
    "TRAINED_WITH_WARNING": LEARNT | {"Message"},
}
"""DELETING is not here: it shows what the state before showed."""

JOB = {
    "JobId", "JobArn", "JobStatus", "SubmitTime", "DocumentClassifierArn", "InputDataConfig",
    "OutputDataConfig", "DataAccessRoleArn",
}  # fmt: skip
JOB_STATES: dict[str, set[str]] = {
    "SUBMITTED": set(),
    "IN_PROGRESS": set(),
    "COMPLETED": {"EndTime"},
    "FAILED": {"EndTime", "Message"},
}

ENDPOINT = {
    "EndpointArn", "Status", "ModelArn", "DesiredModelArn", "DesiredInferenceUnits", "CreationTime",
    "LastModifiedTime",
}  # fmt: skip
ENDPOINT_STATES: dict[str, set[str]] = {
    "CREATING": set(),
    "FAILED": {"Message"},
    "IN_SERVICE": {"CurrentInferenceUnits"},
    "UPDATING": {"CurrentInferenceUnits"},
    "DELETING": {"CurrentInferenceUnits"},
}

UNSENT = {**NOT_TAKEN, "SourceModelArn": "ImportModel alone gives it, and is not here"}
"""Members that no answer has, nor what is below them, each with the reason."""

FOR_FLYWHEELS = {
    "StartDocumentClassificationJob": "DocumentClassifierArn",
    "CreateEndpoint": "ModelArn",
    "UpdateEndpoint": "DesiredModelArn",
}
"""Members of answers that the AWS CLI's recorded examples (2023) lack, by operation. The model has them since
February 2023, so that CLI would have shown them: they seem to be for requests with a flywheel."""


def unsent(operation: str, path: Path) -> tuple[str, str] | None:
    """Return a member that no answer of an operation has, and why; None for one that is sent."""
    if path == (FOR_FLYWHEELS.get(operation),):
        return path[0], FLYWHEELS
    return next(((name, UNSENT[name]) for name in path if name in UNSENT), None)


def shown(value: Any, path: Path = ()) -> Iterator[Path]:
    """The way to each member that is there."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield (*path, name)
            yield from shown(member, (*path, name))
    elif isinstance(value, list):
        for member in value:
            yield (*path, "[]")
            yield from shown(member, (*path, "[]"))


def names(value: Any) -> set[str]:
    """The members that are there, as dotted names."""
    return {".".join(path) for path in shown(value)}


def of_classifier(request: dict[str, Any], state: str) -> set[str]:
    """The members of DocumentClassifierProperties."""
    given = {name: request[name] for name in (*ECHOED, "OutputDataConfig") if name in request}
    source = {"DataFormat": "COMPREHEND_CSV", **request["InputDataConfig"]}
    if request.get("Mode") == "MULTI_LABEL" and source["DataFormat"] == "COMPREHEND_CSV":
        source.setdefault("LabelDelimiter", "|")
    return CLASSIFIER | CLASSIFIER_STATES[state] | names({**given, "InputDataConfig": source})


def of_job(request: dict[str, Any], state: str) -> set[str]:
    """The members of DocumentClassificationJobProperties."""
    given = {name: request[name] for name in (*ECHOED, "OutputDataConfig") if name in request}
    source = {"InputFormat": "ONE_DOC_PER_LINE", **request["InputDataConfig"]}
    return JOB | JOB_STATES[state] | names({**given, "InputDataConfig": source})


def of_endpoint(request: dict[str, Any], state: str) -> set[str]:
    """The members of EndpointProperties."""
    roles = {"DataAccessRoleArn", "DesiredDataAccessRoleArn"} & set(request)
    return ENDPOINT | ENDPOINT_STATES[state] | roles
