"""Good requests for each operation, and the same at the edges of what the model allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nightsort.comprehend.limits import LANGUAGES
from tests.contract.conformance_cases import at, changed, edges, has, members
from tests.contract.conformance_world import (
    BUCKET,
    CLASSIFIER_ENDS,
    JOB_ENDS,
    KEY,
    NOWHERE,
    READER,
    ROLE,
    VPC,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.model import Shape

    from tests.contract.conformance_cases import Path
    from tests.contract.conformance_wire import Answer
    from tests.contract.conformance_world import World

    Maker = Callable[[World], dict[str, Any]]

TEXTRACT = {
    "DetectDocumentTextModelVersion": "1.0",
    "DocumentMetadata": {"Pages": 1},
    "Blocks": [{"BlockType": "LINE", "Text": "refund of my payment"}],
}
TAGS = [{"Key": "team", "Value": "search"}]
OUTPUT = {"S3Uri": f"s3://{BUCKET}/output/", "KmsKeyId": "alias/output"}
MANIFEST = {
    "S3Uri": NOWHERE,
    "Split": "TRAIN",
    "AttributeNames": ["label"],
    "DocumentType": "PLAIN_TEXT_DOCUMENT",
}
MOMENT = 1_700_000_000.5


def _page(operation: str) -> Maker:
    return lambda world: {
        "MaxResults": 1,
        "NextToken": world.good(operation, {"MaxResults": 1})["NextToken"],
    }


def _only(**criterion: Any) -> Maker:
    return lambda _world: {"Filter": criterion}


def _whole_classifier(world: World) -> dict[str, Any]:
    return world.new_classifier(
        VersionName="v1",
        Tags=TAGS,
        InputDataConfig={
            "DataFormat": "COMPREHEND_CSV",
            "S3Uri": NOWHERE,
            "TestS3Uri": NOWHERE,
            "LabelDelimiter": "|",
            "DocumentType": "PLAIN_TEXT_DOCUMENT",
            "DocumentReaderConfig": READER,
        },
        OutputDataConfig={**OUTPUT, "FlywheelStatsS3Prefix": f"s3://{BUCKET}/statistics"},
        ClientRequestToken=world.name(),
        Mode="MULTI_LABEL",
        VolumeKmsKeyId=KEY,
        ModelKmsKeyId=KEY,
        VpcConfig=VPC,
        ModelPolicy="{}",
    )


def _manifest_classifier(world: World) -> dict[str, Any]:
    source = {"DataFormat": "AUGMENTED_MANIFEST", "AugmentedManifests": [MANIFEST]}
    return world.new_classifier(InputDataConfig=source)


def _whole_job(world: World) -> dict[str, Any]:
    return world.new_job(
        JobName="night 1",
        InputDataConfig={
            "S3Uri": f"s3://{BUCKET}/documents.txt",
            "InputFormat": "ONE_DOC_PER_LINE",
            "DocumentReaderConfig": READER,
        },
        OutputDataConfig=OUTPUT,
        ClientRequestToken=world.name(),
        VolumeKmsKeyId=KEY,
        VpcConfig=VPC,
        Tags=TAGS,
    )


def _update(world: World) -> dict[str, Any]:
    return {
        "EndpointArn": world.endpoint,
        "DesiredModelArn": world.classifier,
        "DesiredInferenceUnits": 2,
        "DesiredDataAccessRoleArn": ROLE,
    }


GOOD: dict[str, list[Maker]] = {
    "CreateDocumentClassifier": [_whole_classifier, _manifest_classifier],
    "DescribeDocumentClassifier": [lambda world: {"DocumentClassifierArn": world.classifier}],
    "ListDocumentClassifiers": [
        _page("ListDocumentClassifiers"),
        _only(Status="TRAINED"),
        _only(DocumentClassifierName="c1"),
        _only(SubmitTimeBefore=MOMENT),
        _only(SubmitTimeAfter=MOMENT),
    ],
    "ListDocumentClassifierSummaries": [_page("ListDocumentClassifierSummaries")],
    "StopTrainingDocumentClassifier": [lambda world: {"DocumentClassifierArn": world.classifier}],
    "DeleteDocumentClassifier": [lambda world: {"DocumentClassifierArn": world.failed()}],
    "StartDocumentClassificationJob": [_whole_job],
    "DescribeDocumentClassificationJob": [lambda world: {"JobId": world.job}],
    "ListDocumentClassificationJobs": [
        _page("ListDocumentClassificationJobs"),
        _only(JobName="night 1"),
        _only(JobStatus="COMPLETED"),
        _only(SubmitTimeBefore=MOMENT),
        _only(SubmitTimeAfter=MOMENT),
    ],
    "TagResource": [lambda world: {"ResourceArn": world.classifier, "Tags": TAGS}],
    "UntagResource": [lambda world: {"ResourceArn": world.classifier, "TagKeys": ["team"]}],
    "ListTagsForResource": [lambda world: {"ResourceArn": world.endpoint}],
    "CreateEndpoint": [
        lambda world: world.new_endpoint(ClientRequestToken=world.name(), Tags=TAGS, DataAccessRoleArn=ROLE)
    ],
    "DescribeEndpoint": [lambda world: {"EndpointArn": world.endpoint}],
    "UpdateEndpoint": [_update],
    "DeleteEndpoint": [lambda world: {"EndpointArn": world.served()}],
    "ListEndpoints": [
        _page("ListEndpoints"),
        lambda world: {"Filter": {"ModelArn": world.classifier}},
        _only(Status="IN_SERVICE"),
        _only(CreationTimeBefore=MOMENT),
        _only(CreationTimeAfter=MOMENT),
    ],
    "ClassifyDocument": [
        lambda world: {"EndpointArn": world.endpoint, "Text": "refund"},
        lambda world: {
            "EndpointArn": world.endpoint,
            "Bytes": "cmVmdW5k",
            "DocumentReaderConfig": READER,
        },
    ],
}
"""For each operation what makes requests that succeed; together they have every member that is taken."""


NATIVE = "models of native documents (PDF, Word, images) are not trained here"
FLYWHEELS = "there are no flywheels here"

NOT_TAKEN = {
    "Documents": NATIVE,
    "AnnotationDataS3Uri": NATIVE,
    "SourceDocumentsS3Uri": NATIVE,
    "FlywheelArn": FLYWHEELS,
}
"""Members that no good request has, nor what is below them, each with the reason."""


def _unsupported(value: Any) -> str | None:
    return None if value in LANGUAGES else "UnsupportedLanguageException"


def _too_long_for_the_archive(value: Any) -> str | None:
    return "InvalidRequestException" if len(value) > 950 else None


def _only_for(refused: Any) -> Callable[[Any], str | None]:
    return lambda value: "InvalidRequestException" if value == refused else None


OTHERWISE_REFUSED: dict[tuple[str, str], str | Callable[[Any], str | None]] = {
    ("CreateDocumentClassifier", "LanguageCode"): _unsupported,
    ("CreateDocumentClassifier", "VolumeKmsKeyId"): "KmsKeyValidationException",
    ("CreateDocumentClassifier", "ModelKmsKeyId"): "KmsKeyValidationException",
    ("CreateDocumentClassifier", "InputDataConfig.DataFormat"): {
        "AUGMENTED_MANIFEST": "InvalidRequestException"
    }.get,
    ("CreateDocumentClassifier", "InputDataConfig.DocumentType"): {
        "SEMI_STRUCTURED_DOCUMENT": "InvalidRequestException"
    }.get,
    ("CreateDocumentClassifier", "OutputDataConfig.S3Uri"): _too_long_for_the_archive,
    ("StartDocumentClassificationJob", "OutputDataConfig.S3Uri"): _too_long_for_the_archive,
    ("CreateDocumentClassifier", "InputDataConfig.AugmentedManifests"): _only_for([]),
    ("CreateDocumentClassifier", "InputDataConfig.AugmentedManifests.[].AttributeNames"): _only_for([]),
    ("CreateDocumentClassifier", "InputDataConfig.AugmentedManifests.[].Split"): _only_for("TEST"),
    ("CreateDocumentClassifier", "InputDataConfig.AugmentedManifests.[].DocumentType"): _only_for(
        "SEMI_STRUCTURED_DOCUMENT"
    ),
    ("DescribeDocumentClassifier", "DocumentClassifierArn"): "ResourceNotFoundException",
    ("StopTrainingDocumentClassifier", "DocumentClassifierArn"): "ResourceNotFoundException",
    ("DeleteDocumentClassifier", "DocumentClassifierArn"): "ResourceNotFoundException",
    ("ListDocumentClassifiers", "NextToken"): "InvalidRequestException",
    ("ListDocumentClassifierSummaries", "NextToken"): "InvalidRequestException",
    ("StartDocumentClassificationJob", "DocumentClassifierArn"): "ResourceNotFoundException",
    ("StartDocumentClassificationJob", "VolumeKmsKeyId"): "KmsKeyValidationException",
    ("DescribeDocumentClassificationJob", "JobId"): "JobNotFoundException",
    ("ListDocumentClassificationJobs", "NextToken"): "InvalidRequestException",
    ("CreateEndpoint", "ModelArn"): "ResourceNotFoundException",
    ("DescribeEndpoint", "EndpointArn"): "ResourceNotFoundException",
    ("UpdateEndpoint", "EndpointArn"): "ResourceNotFoundException",
    ("UpdateEndpoint", "DesiredModelArn"): "ResourceNotFoundException",
    ("DeleteEndpoint", "EndpointArn"): "ResourceNotFoundException",
    ("ListEndpoints", "NextToken"): "InvalidRequestException",
    ("ClassifyDocument", "EndpointArn"): "ResourceUnavailableException",
    ("TagResource", "ResourceArn"): "ResourceNotFoundException",
    ("UntagResource", "ResourceArn"): "ResourceNotFoundException",
    ("ListTagsForResource", "ResourceArn"): "ResourceNotFoundException",
}
"""What a good request gives with another value that the model allows: names of nothing, foreign tokens, keys
that are none. What is not here succeeds."""


def expected_error(operation: str, path: Path, value: Any) -> str | None:
    """The error of a good request with this value there; None: it succeeds."""
    found = OTHERWISE_REFUSED.get((operation, ".".join(path)))
    return found(value) if callable(found) else found


def edge_requests(world: World, operation: str, shape: Shape) -> Iterator[tuple[Path, Any, dict[str, Any]]]:
    """Each member at each of its outermost values, in a request that is good otherwise."""
    done: set[Path] = set()
    for make in GOOD[operation]:
        good = make(world)
        for path, member in members(shape):
            if has(good, path) and path not in done:
                done.add(path)
                for value in edges(member, at(good, path)):
                    yield path, value, changed(make(world), path, value)


def settle(world: World, operation: str, answer: Answer) -> None:
    """Wait for what a request began, so that no limit on what goes on at a time is met."""
    if answer.status != 200:
        return
    if operation == "CreateDocumentClassifier":
        world.classifier_in(answer.content["DocumentClassifierArn"], CLASSIFIER_ENDS)
    elif operation == "StartDocumentClassificationJob":
        world.job_in(answer.content["JobId"], JOB_ENDS)
    elif operation == "UpdateEndpoint":
        world.endpoint_in(world.endpoint, ("IN_SERVICE",))
    elif operation == "CreateEndpoint":
        world.without_endpoint(answer.content["EndpointArn"])
