"""How each error that an operation models is brought about.

:data:`SCENARIOS` need nothing but requests. For :data:`ON_DEMAND` there is no such way, here or in any public
source, so the fault control brings them about.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.contract.conformance_cases import COMPREHEND
from tests.contract.conformance_requests import GOOD, settle
from tests.contract.conformance_world import LONG_SECONDS, QUICK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.contract.conformance_wire import Answer
    from tests.contract.conformance_world import World

    Scenario = Callable[[World], Answer]

STATUS = {
    "ResourceNotFoundException": 404,
    "ResourceUnavailableException": 404,
    "JobNotFoundException": 404,
    "TooManyRequestsException": 429,
    "InternalServerException": 500,
}
"""Of all others it is 400 (httpStatusCode traits of the service model)."""

NOBODY = {
    "DocumentClassifierArn": f"{COMPREHEND}document-classifier/nobody",
    "ModelArn": f"{COMPREHEND}document-classifier/nobody",
    "ResourceArn": f"{COMPREHEND}document-classifier/nobody",
    "EndpointArn": f"{COMPREHEND}document-classifier-endpoint/nobody",
    "JobId": "0" * 32,
}
TOO_MANY_TAGS = [{"Key": str(number)} for number in range(51)]
MANY_REQUESTS = 500
"""Ten a second are allowed, so even a slow machine sends too many of them soon."""


def _with(operation: str, **changes: Any) -> Scenario:
    """A good request with other members."""
    return lambda world: world.send(operation, {**GOOD[operation][0](world), **changes})


def _plain(operation: str, **members: Any) -> Scenario:
    return lambda world: world.send(operation, members)


def _nobody(operation: str) -> Scenario:
    def ask(world: World) -> Answer:
        good = GOOD[operation][0](world)
        gone = {name: value for name, value in NOBODY.items() if name in good}
        return world.send(operation, {**good, **gone})

    return ask


def _too_often(operation: str) -> Scenario:
    """More requests in a moment than the published rate allows."""

    def ask(world: World) -> Answer:
        good = GOOD[operation][0](world)
        world.control.set_behaviour(rate_limits=True)
        try:
            for _ in range(MANY_REQUESTS):
                answer = world.send(operation, good)
                if answer.error == "TooManyRequestsException":
                    break
        finally:
            world.control.set_behaviour(rate_limits=False)
        return answer

    return ask


def _twice(operation: str) -> Scenario:
    def ask(world: World) -> Answer:
        good = GOOD[operation][0](world)
        world.good(operation, good)
        # Without the token, or it would be the same request again.
        return world.send(operation, {name: good[name] for name in good if name != "ClientRequestToken"})

    return ask


@contextmanager
def slow(world: World, **delays: float) -> Iterator[None]:
    """Have resources stay in a state for the time of the block."""
    world.control.set_behaviour(delays=delays)
    try:
        yield
    finally:
        world.control.set_behaviour(delays={"profile": "fast", **QUICK})


def _eleventh_training(world: World) -> Answer:
    world.wait_until_nothing_runs()
    with slow(world, training_seconds=LONG_SECONDS):
        answers = [world.send("CreateDocumentClassifier", world.new_classifier()) for _ in range(11)]
    for answer in answers:
        settle(world, "CreateDocumentClassifier", answer)
    return answers[-1]


def _eleventh_job(world: World) -> Answer:
    world.wait_until_nothing_runs()
    with slow(world, job_seconds=LONG_SECONDS):
        answers = [world.send("StartDocumentClassificationJob", world.new_job()) for _ in range(11)]
    for answer in answers:
        settle(world, "StartDocumentClassificationJob", answer)
    return answers[-1]


def _delete_in_use(world: World) -> Answer:
    with slow(world, job_seconds=LONG_SECONDS):
        world.good("StartDocumentClassificationJob", world.new_job())
        return world.send("DeleteDocumentClassifier", {"DocumentClassifierArn": world.classifier})


def _delete_in_training(world: World) -> Answer:
    with slow(world, training_seconds=LONG_SECONDS):
        arn = world.good("CreateDocumentClassifier", world.new_classifier())["DocumentClassifierArn"]
        return world.send("DeleteDocumentClassifier", {"DocumentClassifierArn": arn})


def _untrained(operation: str, member: str) -> Scenario:
    return lambda world: world.send(operation, {**GOOD[operation][0](world), member: world.failed()})


def _while_creating(world: World) -> Answer:
    with slow(world, endpoint_seconds=LONG_SECONDS):
        arn = world.good("CreateEndpoint", world.new_endpoint())["EndpointArn"]
        answer = world.send("DeleteEndpoint", {"EndpointArn": arn})
    world.without_endpoint(arn)
    return answer


def _while_updating(world: World) -> Answer:
    request = {"EndpointArn": world.endpoint, "DesiredInferenceUnits": 3}
    with slow(world, endpoint_seconds=LONG_SECONDS):
        world.good("UpdateEndpoint", request)
        answer = world.send("UpdateEndpoint", request)
    world.endpoint_in(world.endpoint, ("IN_SERVICE",))
    return answer


SCENARIOS: dict[str, dict[str, Scenario]] = {
    "CreateDocumentClassifier": {
        "InvalidRequestException": _with("CreateDocumentClassifier", InputDataConfig={}),
        "ResourceInUseException": _twice("CreateDocumentClassifier"),
        "TooManyTagsException": _with("CreateDocumentClassifier", Tags=TOO_MANY_TAGS),
        "TooManyRequestsException": _too_often("CreateDocumentClassifier"),
        "ResourceLimitExceededException": _eleventh_training,
        "UnsupportedLanguageException": _with("CreateDocumentClassifier", LanguageCode="ja"),
        "KmsKeyValidationException": _with("CreateDocumentClassifier", VolumeKmsKeyId="my-key"),
    },
    "DescribeDocumentClassifier": {
        "TooManyRequestsException": _too_often("DescribeDocumentClassifier"),
        "ResourceNotFoundException": _nobody("DescribeDocumentClassifier"),
    },
    "ListDocumentClassifiers": {
        "InvalidRequestException": _plain("ListDocumentClassifiers", NextToken="mine"),
        "TooManyRequestsException": _too_often("ListDocumentClassifiers"),
        "InvalidFilterException": _plain(
            "ListDocumentClassifiers", Filter={"Status": "TRAINED", "DocumentClassifierName": "a"}
        ),
    },
    "ListDocumentClassifierSummaries": {
        "TooManyRequestsException": _too_often("ListDocumentClassifierSummaries"),
        "InvalidRequestException": _plain("ListDocumentClassifierSummaries", NextToken="mine"),
    },
    "StopTrainingDocumentClassifier": {
        "TooManyRequestsException": _too_often("StopTrainingDocumentClassifier"),
        "ResourceNotFoundException": _nobody("StopTrainingDocumentClassifier"),
    },
    "DeleteDocumentClassifier": {
        "TooManyRequestsException": _too_often("DeleteDocumentClassifier"),
        "ResourceNotFoundException": _nobody("DeleteDocumentClassifier"),
        "ResourceUnavailableException": _delete_in_training,
        "ResourceInUseException": _delete_in_use,
    },
    "StartDocumentClassificationJob": {
        "InvalidRequestException": _with("StartDocumentClassificationJob", Tags=[{"Key": "aws:mine"}]),
        "TooManyRequestsException": _eleventh_job,
        "ResourceNotFoundException": _nobody("StartDocumentClassificationJob"),
        "ResourceUnavailableException": _untrained("StartDocumentClassificationJob", "DocumentClassifierArn"),
        "KmsKeyValidationException": _with("StartDocumentClassificationJob", VolumeKmsKeyId="my-key"),
        "TooManyTagsException": _with("StartDocumentClassificationJob", Tags=TOO_MANY_TAGS),
    },
    "DescribeDocumentClassificationJob": {
        "TooManyRequestsException": _too_often("DescribeDocumentClassificationJob"),
        "JobNotFoundException": _nobody("DescribeDocumentClassificationJob"),
    },
    "ListDocumentClassificationJobs": {
        "InvalidRequestException": _plain("ListDocumentClassificationJobs", NextToken="mine"),
        "TooManyRequestsException": _too_often("ListDocumentClassificationJobs"),
        "InvalidFilterException": _plain(
            "ListDocumentClassificationJobs", Filter={"JobStatus": "COMPLETED", "JobName": "a"}
        ),
    },
    "CreateEndpoint": {
        "InvalidRequestException": _plain("CreateEndpoint", EndpointName="e", DesiredInferenceUnits=1),
        "ResourceInUseException": _twice("CreateEndpoint"),
        "ResourceLimitExceededException": _with("CreateEndpoint", DesiredInferenceUnits=11),
        "ResourceNotFoundException": _nobody("CreateEndpoint"),
        "ResourceUnavailableException": _untrained("CreateEndpoint", "ModelArn"),
        "TooManyRequestsException": _too_often("CreateEndpoint"),
        "TooManyTagsException": _with("CreateEndpoint", Tags=TOO_MANY_TAGS),
    },
    "DescribeEndpoint": {
        "TooManyRequestsException": _too_often("DescribeEndpoint"),
        "ResourceNotFoundException": _nobody("DescribeEndpoint"),
    },
    "UpdateEndpoint": {
        "InvalidRequestException": lambda world: world.send(
            "UpdateEndpoint", {"EndpointArn": world.endpoint}
        ),
        "TooManyRequestsException": _too_often("UpdateEndpoint"),
        "ResourceInUseException": _while_updating,
        "ResourceLimitExceededException": _with("UpdateEndpoint", DesiredInferenceUnits=11),
        "ResourceNotFoundException": _nobody("UpdateEndpoint"),
        "ResourceUnavailableException": _untrained("UpdateEndpoint", "DesiredModelArn"),
    },
    "ListEndpoints": {
        "InvalidRequestException": _plain("ListEndpoints", NextToken="mine"),
        "TooManyRequestsException": _too_often("ListEndpoints"),
    },
    "DeleteEndpoint": {
        "ResourceInUseException": _while_creating,
        "ResourceNotFoundException": _nobody("DeleteEndpoint"),
        "TooManyRequestsException": _too_often("DeleteEndpoint"),
    },
    "ClassifyDocument": {
        "InvalidRequestException": lambda world: world.send(
            "ClassifyDocument", {"EndpointArn": world.endpoint}
        ),
        "ResourceUnavailableException": _nobody("ClassifyDocument"),
        "TextSizeLimitExceededException": _with("ClassifyDocument", Text="x" * 10_001),
    },
    "TagResource": {
        "InvalidRequestException": _with("TagResource", Tags=[{"Key": "aws:mine"}]),
        "ResourceNotFoundException": _nobody("TagResource"),
        "TooManyTagsException": _with("TagResource", Tags=TOO_MANY_TAGS),
    },
    "UntagResource": {
        "ResourceNotFoundException": _nobody("UntagResource"),
        "TooManyTagKeysException": _with("UntagResource", TagKeys=[str(number) for number in range(51)]),
    },
    "ListTagsForResource": {"ResourceNotFoundException": _nobody("ListTagsForResource")},
}

_NEVER = "the local Comprehend does not fail by itself"
_ONE_BY_ONE = "changes to tags are made one after the other, so none meets another"
_NO_RULE = "the operation has no rule beyond the model's, so every request that passes it has a meaning"
_NO_CAUSE = "no source says what brings it about"

ON_DEMAND: dict[str, dict[str, str]] = {
    "CreateDocumentClassifier": {},
    "DescribeDocumentClassifier": {"InvalidRequestException": _NO_RULE},
    "ListDocumentClassifiers": {},
    "ListDocumentClassifierSummaries": {},
    "StopTrainingDocumentClassifier": {"InvalidRequestException": _NO_RULE},
    "DeleteDocumentClassifier": {"InvalidRequestException": _NO_RULE},
    "StartDocumentClassificationJob": {"ResourceInUseException": _NO_CAUSE},
    "DescribeDocumentClassificationJob": {"InvalidRequestException": _NO_RULE},
    "ListDocumentClassificationJobs": {},
    "CreateEndpoint": {},
    "DescribeEndpoint": {"InvalidRequestException": _NO_RULE},
    "UpdateEndpoint": {},
    "ListEndpoints": {},
    "DeleteEndpoint": {"InvalidRequestException": _NO_RULE},
    "ClassifyDocument": {},
    "TagResource": {"ConcurrentModificationException": _ONE_BY_ONE},
    "UntagResource": {
        "InvalidRequestException": _NO_RULE,
        "ConcurrentModificationException": _ONE_BY_ONE,
    },
    "ListTagsForResource": {"InvalidRequestException": _NO_RULE},
}
for reasons in ON_DEMAND.values():
    reasons["InternalServerException"] = _NEVER


def on_demand(world: World, operation: str, code: str) -> Answer:
    """The answer to a good request while the fault control refuses it."""
    good = GOOD[operation][0](world)
    with world.control.injected("error", operation=operation, code=code):
        return world.send(operation, good)
