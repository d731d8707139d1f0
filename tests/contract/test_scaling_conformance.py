"""The local Application Auto Scaling and CloudWatch against their service models, for what they serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import botocore.session
import pytest

from nightsort_local.local_aws.cloudwatch import OPERATIONS as OF_CLOUDWATCH
from nightsort_local.local_aws.launcher import launch
from tests.contract.conformance_cases import members, violations
from tests.contract.conformance_wire import Wire
from tests.integration.classification_data import trained_classifier
from tests.integration.comprehend_answers import answer_problems
from tests.integration.local_aws_server import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import OperationModel, StructureShape

    from tests.contract.conformance_wire import Answer
    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration

SCALING, CLOUDWATCH = "application-autoscaling", "cloudwatch"
OF_SCALING: Final = (
    "RegisterScalableTarget",
    "DescribeScalableTargets",
    "PutScalingPolicy",
    "DescribeScalingPolicies",
    "DescribeScalingActivities",
    "DeleteScalingPolicy",
    "DeregisterScalableTarget",
)
"""In an order in which each one finds what it needs."""

SERVED: Final = [*((SCALING, name) for name in OF_SCALING), *((CLOUDWATCH, name) for name in OF_CLOUDWATCH)]
INVALID: Final = {SCALING: "ValidationException", CLOUDWATCH: "ValidationError"}

DIMENSION = "comprehend:document-classifier-endpoint:DesiredInferenceUnits"
ENDPOINTS = 3
OF_PAGES: Final = {
    "DescribeScalableTargets": "ScalableTargets",
    "DescribeScalingPolicies": "ScalingPolicies",
}


def model(service: str, operation: str) -> OperationModel:
    return botocore.session.get_session().get_service_model(service).operation_model(operation)


def input_shape(service: str, operation: str) -> StructureShape:
    return cast("StructureShape", model(service, operation).input_shape)


class World:
    """A server with some endpoints, one of which was asked."""

    def __init__(self, aws: LocalAwsServer) -> None:
        self._wires = {
            SCALING: Wire(aws.url, SCALING, "AnyScaleFrontendService"),
            CLOUDWATCH: Wire(aws.url, "monitoring", "GraniteServiceVersion20100801", "1.0"),
        }
        comprehend = aws.client("comprehend")
        classifier = trained_classifier(aws, comprehend, "conforming")
        self.endpoints = [
            comprehend.create_endpoint(
                EndpointName=f"conforming-{number}", ModelArn=classifier, DesiredInferenceUnits=1
            )["EndpointArn"]
            for number in range(ENDPOINTS)
        ]

        def asked() -> bool:
            found = comprehend.describe_endpoint(EndpointArn=self.endpoints[0])["EndpointProperties"]
            return bool(found["Status"] == "IN_SERVICE")

        wait_until(asked, "an endpoint in service")
        comprehend.classify_document(Text="x" * 600, EndpointArn=self.endpoints[0])

    def send(self, service: str, operation: str, body: Any) -> Answer:
        return self._wires[service](operation, body)

    def good(self, service: str, operation: str, body: Any) -> Any:
        answer = self.send(service, operation, body)
        assert answer.status == 200, answer
        return answer.content

    def target(self, number: int = 0) -> dict[str, Any]:
        return {
            "ServiceNamespace": "comprehend",
            "ResourceId": self.endpoints[number],
            "ScalableDimension": DIMENSION,
        }

    def request(self, operation: str, number: int = 0) -> dict[str, Any]:
        """A good request, for one of the endpoints."""
        metric = {
            "Namespace": "AWS/Comprehend",
            "MetricName": "ConsumedInferenceUnits",
            "Dimensions": [{"Name": "EndpointArn", "Value": self.endpoints[0]}],
        }
        time = {"StartTime": 1_790_000_000, "EndTime": 1_797_000_000}
        requests: dict[str, dict[str, Any]] = {
            "RegisterScalableTarget": {"MinCapacity": 1, "MaxCapacity": 2},
            "PutScalingPolicy": {
                "PolicyName": "use",
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {
                    "TargetValue": 70,
                    "PredefinedMetricSpecification": {
                        "PredefinedMetricType": "ComprehendInferenceUtilization"
                    },
                },
            },
            "DeleteScalingPolicy": {"PolicyName": "use"},
        }
        if operation in OF_SCALING:
            given = self.target(number) if not operation.startswith("Describe") else {}
            return {"ServiceNamespace": "comprehend", **given, **requests.get(operation, {})}
        of_metrics: dict[str, dict[str, Any]] = {
            "GetMetricData": {
                "MetricDataQueries": [
                    {"Id": "asked", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
                ],
                **time,
            },
            "GetMetricStatistics": {**metric, **time, "Period": 6_000, "Statistics": ["Sum"]},
            "ListMetrics": {"Namespace": "AWS/Comprehend"},
        }
        return of_metrics[operation]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with launch() as aws:
        yield World(aws)


@pytest.fixture(scope="module")
def answers(world: World) -> dict[str, Any]:
    """What each operation answers to a good request, in an order in which each can be answered."""
    found = {}
    for number in (1, 2):
        for operation in ("RegisterScalableTarget", "PutScalingPolicy"):
            world.good(SCALING, operation, world.request(operation, number))
    for service, operation in SERVED:
        found[operation] = world.good(service, operation, world.request(operation))
    return found


@pytest.mark.parametrize(("service", "operation"), SERVED)
def test_what_breaks_a_rule_of_the_model_is_refused(world: World, service: str, operation: str) -> None:
    wrong = []
    for violation in violations(input_shape(service, operation)):
        answer = world.send(service, operation, violation.request)
        expected = INVALID[service] if violation.code == "ValidationException" else violation.code
        if (answer.status, answer.error) != (400, expected) or violation.message not in answer.message:
            wrong.append((violation.path, violation.rule, answer))
    assert not wrong


@pytest.mark.parametrize(("service", "operation"), SERVED)
def test_an_answer_has_members_of_its_shape_and_no_others(
    answers: dict[str, Any], service: str, operation: str
) -> None:
    assert not [*answer_problems(model(service, operation), answers[operation])]


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(("service", "operation"), SERVED)
def test_members_that_the_model_lacks_are_ignored(world: World, service: str, operation: str) -> None:
    for needed in ("RegisterScalableTarget", "PutScalingPolicy"):
        world.good(SCALING, needed, world.request(needed))
    world.good(service, operation, {**world.request(operation), "Colour": "green", "": None})


@pytest.mark.parametrize(("service", "operation"), SERVED)
def test_what_is_no_json_object_is_refused(world: World, service: str, operation: str) -> None:
    for body in (b"", b"{", b"\xff", b"[]", b"null", b'"x"', b'{"a": NaN}'):
        answer = world.send(service, operation, body)
        assert (answer.status, answer.error) == (400, "SerializationException"), body


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(("operation", "items"), OF_PAGES.items())
def test_pages_have_everything_once(world: World, operation: str, items: str) -> None:
    for number in range(ENDPOINTS):
        for needed in ("RegisterScalableTarget", "PutScalingPolicy"):
            world.good(SCALING, needed, world.request(needed, number))
    request, found = {**world.request(operation), "MaxResults": 1}, []
    while True:
        page = world.good(SCALING, operation, request)
        assert len(page[items]) == 1
        found += page[items]
        if "NextToken" not in page:
            break
        request["NextToken"] = page["NextToken"]
    assert sorted(item["ResourceId"] for item in found) == sorted(world.endpoints)


@pytest.mark.parametrize("operation", [name for name in OF_SCALING if name.startswith("Describe")])
def test_a_token_that_nobody_got_is_refused(world: World, operation: str) -> None:
    answer = world.send(SCALING, operation, {**world.request(operation), "NextToken": "another"})
    assert (answer.status, answer.error) == (400, "InvalidNextTokenException")


@pytest.mark.parametrize("operation", ["DeregisterScalableTarget", "PutScalingPolicy", "DeleteScalingPolicy"])
def test_what_is_not_there_is_not_found(world: World, operation: str) -> None:
    missing = {**world.request(operation), "ResourceId": f"{world.endpoints[0]}-not-there"}
    answer = world.send(SCALING, operation, missing)
    assert (answer.status, answer.error) == (400, "ObjectNotFoundException")


def test_metric_data_comes_in_pages(world: World) -> None:
    request = world.request("GetMetricData")
    (query,) = request["MetricDataQueries"]
    names = ("ConsumedInferenceUnits", "RequestedInferenceUnits")
    request["MetricDataQueries"] = [
        {
            "Id": name.lower()[0] + "1",
            "MetricStat": {
                **query["MetricStat"],
                "Metric": {**query["MetricStat"]["Metric"], "MetricName": name},
            },
        }
        for name in names
    ]
    request["EndTime"] = 1_900_000_000
    whole = world.good(CLOUDWATCH, "GetMetricData", request)
    assert [result["StatusCode"] for result in whole["MetricDataResults"]] == ["Complete"] * len(names)


@pytest.mark.parametrize(("service", "operation"), SERVED)
def test_each_member_has_a_rule(service: str, operation: str) -> None:
    shape = input_shape(service, operation)
    assert {path for path, _ in members(shape)} <= {violation.path for violation in violations(shape)}
