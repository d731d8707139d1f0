"""What AWS is asked about an endpoint, against botocore's model of the services."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from nightsort.classifier_spec.aws import Kms
from nightsort.classifier_spec.real_time import Autoscale
from nightsort.opening.keeper import Seen
from nightsort.opening.plan import Endpoint
from nightsort_airflow.hooks.endpoint_service import EndpointService
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from nightsort.classifier_spec.model import ClassifierSpec

SPEC = local_spec(Path("/nowhere"))
KEYS: Any = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
NOW = datetime(2026, 11, 18, 11, tzinfo=timezone.utc)
MODEL = "arn:aws:comprehend:eu-west-1:123456789012:document-classifier/tickets/version/v1"


def service(spec: ClassifierSpec = SPEC) -> EndpointService:
    made = EndpointService(spec)
    for name, owner, attribute in (
        ("comprehend", made.hook, "conn"),
        ("application-autoscaling", made.hook, "scaling"),
        ("cloudwatch", made, "_cloudwatch"),
    ):
        setattr(owner, attribute, boto3.client(name, "eu-west-1", **KEYS))  # type: ignore[call-overload]
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> EndpointService:
    monkeypatch.setenv(
        "AIRFLOW_CONN_AWS_DEFAULT", '{"conn_type": "aws", "extra": {"region_name": "eu-west-1"}}'
    )
    return service()


def stubbed(client: Any, operation: str, answer: dict[str, Any], sent: dict[str, Any]) -> Stubber:
    stub = Stubber(client)
    stub.add_response(operation, answer, sent)
    return stub


def test_its_arn_is_known_before_it_exists(asked: EndpointService) -> None:
    name = f"nightsort-{SPEC.name}"
    assert asked.arn.endswith(f":123456789012:document-classifier-endpoint/{name}")


def test_an_endpoint_is_described(asked: EndpointService) -> None:
    properties = {
        "EndpointArn": asked.arn, "Status": "UPDATING", "ModelArn": MODEL, "DesiredModelArn": MODEL + "2",
        "CurrentInferenceUnits": 1, "DesiredInferenceUnits": 2, "CreationTime": NOW,
    }  # fmt: skip
    answer = {"EndpointProperties": properties}
    with stubbed(asked.hook.conn, "describe_endpoint", answer, {"EndpointArn": asked.arn}):
        assert asked.look() == Seen(Endpoint("UPDATING", MODEL, MODEL + "2", 1, 2), NOW)


def test_it_is_created_with_tags_and_with_a_role_where_the_model_is_encrypted(asked: EndpointService) -> None:
    sealed = service(SPEC.model_copy(update={"kms": Kms(model_key_id="key"), "tags": {"team": "a"}}))
    sent = {
        "EndpointName": f"nightsort-{SPEC.name}",
        "ModelArn": MODEL,
        "DesiredInferenceUnits": 2,
        "DataAccessRoleArn": SPEC.data_access_role_arn,
        "Tags": [{"Key": "nightsort:classifier", "Value": SPEC.name}, {"Key": "team", "Value": "a"}],
    }
    with stubbed(sealed.hook.conn, "create_endpoint", {"EndpointArn": asked.arn}, sent):
        sealed.open(MODEL, 2)


def test_the_used_units_of_each_minute_are_asked_for_a_day_at_most(asked: EndpointService) -> None:
    minute = NOW - timedelta(minutes=3)
    metric = {
        "Namespace": "AWS/Comprehend",
        "MetricName": "ConsumedInferenceUnits",
        "Dimensions": [{"Name": "EndpointArn", "Value": asked.arn}],
    }
    query = {"Id": "used", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    sent = {"MetricDataQueries": [query], "StartTime": NOW - timedelta(days=1), "EndTime": NOW}
    answer = {"MetricDataResults": [{"Id": "used", "Timestamps": [minute], "Values": [0.25]}]}
    with stubbed(asked._cloudwatch, "get_metric_data", answer, sent):
        assert asked.used(NOW - timedelta(days=9), NOW) == [(minute, 0.25)]


def test_units_that_nothing_changes_are_left_alone(asked: EndpointService) -> None:
    target = {
        "ServiceNamespace": "comprehend",
        "ResourceId": asked.arn,
        "ScalableDimension": "comprehend:document-classifier-endpoint:DesiredInferenceUnits",
    }
    stub = Stubber(asked.hook.scaling)
    stub.add_response("register_scalable_target", {}, {**target, "MinCapacity": 1, "MaxCapacity": 4})
    tracking = {
        "TargetValue": 70.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ComprehendInferenceUtilization"},
    }
    stub.add_response(
        "put_scaling_policy",
        {"PolicyARN": "arn"},
        {
            **target,
            "PolicyName": f"nightsort-{SPEC.name}",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": tracking,
        },
    )
    stub.add_response("deregister_scalable_target", {}, target)
    stub.add_client_error("deregister_scalable_target", "ObjectNotFoundException", expected_params=target)
    with stub:
        asked.scale(Autoscale(max=4))
        asked.unscale()
        asked.unscale()
        stub.assert_no_pending_responses()
