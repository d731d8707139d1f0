"""The local AWS counts what endpoints do in CloudWatch, and scales them as Application Auto Scaling does."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from nightsort_local.local_aws.comprehend.endpoint_metrics import (
    CONSUMED,
    PROVISIONED,
    REQUESTED,
    UTILIZATION,
)
from tests.integration.classification_data import trained_classifier
from tests.integration.comprehend_answers import check_answers
from tests.integration.iam_identities import user
from tests.integration.local_aws_server import LocalAwsServer, local_aws, wait_until
from tests.integration.test_local_aws_endpoints import ARN, TEXT, created, described, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

DIMENSION = "comprehend:document-classifier-endpoint:DesiredInferenceUnits"


@pytest.fixture(scope="module")
def classifier(aws: LocalAwsServer, comprehend: Any) -> str:
    return trained_classifier(aws, comprehend, "scaled")


@pytest.fixture(scope="module")
def scaling(aws: LocalAwsServer) -> Any:
    return check_answers(aws.client("application-autoscaling"))


@pytest.fixture
def limited(aws: LocalAwsServer) -> Iterator[None]:
    aws.control.set_behaviour(rate_limits=True)
    yield
    aws.control.set_behaviour(rate_limits=False)


def named(arn: str) -> dict[str, str]:
    return {"ServiceNamespace": "comprehend", "ResourceId": arn, "ScalableDimension": DIMENSION}


def policy(target: float = 70, **members: Any) -> dict[str, Any]:
    metric = {"PredefinedMetricType": "ComprehendInferenceUtilization"}
    configuration = {"TargetValue": target, "PredefinedMetricSpecification": metric, **members}
    return {
        "PolicyName": "use",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": configuration,
    }


def measured(aws: LocalAwsServer, arn: str, metric: str, stat: str, **between: Any) -> list[float]:
    """The values of a metric of the last ten minutes, or of another time."""
    end = datetime.now(timezone.utc)
    what = {
        "Namespace": "AWS/Comprehend",
        "MetricName": metric,
        "Dimensions": [{"Name": "EndpointArn", "Value": arn}],
    }
    answer = aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "asked", "MetricStat": {"Metric": what, "Period": 60, "Stat": stat}}],
        **{"StartTime": end - timedelta(minutes=10), "EndTime": end, **between},
    )
    (result,) = answer["MetricDataResults"]
    return list(result["Values"])


class TestMetrics:
    def test_requests_are_counted_in_units_of_a_minute(
        self, aws: LocalAwsServer, comprehend: Any, classifier: str
    ) -> None:
        arn = created(comprehend, "counted", classifier, units=2)
        assert measured(aws, arn, CONSUMED, "Sum") == [], "nobody asked"
        for _ in range(3):
            comprehend.classify_document(EndpointArn=arn, Text="x" * 600)
        assert sum(measured(aws, arn, CONSUMED, "Sum")) == pytest.approx(0.3)
        assert sum(measured(aws, arn, REQUESTED, "Sum")) == pytest.approx(0.3)
        assert sum(measured(aws, arn, CONSUMED, "SampleCount")) == 3
        assert sum(measured(aws, arn, UTILIZATION, "Sum")) == pytest.approx(15), "percent of two units"
        assert set(measured(aws, arn, PROVISIONED, "Average")) == {2}
        old = datetime.now(timezone.utc) - timedelta(hours=2)
        assert measured(aws, arn, CONSUMED, "Sum", StartTime=old, EndTime=old + timedelta(hours=1)) == []

        cloudwatch = aws.client("cloudwatch")
        dimensions = [{"Name": "EndpointArn", "Value": arn}]
        listed = cloudwatch.list_metrics(Namespace="AWS/Comprehend", Dimensions=dimensions)["Metrics"]
        assert {metric["MetricName"] for metric in listed} == {CONSUMED, REQUESTED, UTILIZATION, PROVISIONED}
        now = datetime.now(timezone.utc)
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/Comprehend", MetricName=CONSUMED, Dimensions=dimensions, Period=600,
            StartTime=now - timedelta(minutes=9), EndTime=now, Statistics=["Sum", "Maximum", "SampleCount"],
        )["Datapoints"]  # fmt: skip
        assert sum(point["SampleCount"] for point in points) == 3
        assert max(point["Maximum"] for point in points) == pytest.approx(0.1)

    def test_what_is_throttled_was_requested_and_not_consumed(
        self, aws: LocalAwsServer, comprehend: Any, classifier: str, limited: None
    ) -> None:
        arn = created(comprehend, "throttled", classifier)
        assert comprehend.classify_document(EndpointArn=arn, Text="refund " * 1_000)["Classes"]
        assert refusal(aws.client("comprehend").classify_document, EndpointArn=arn, Text="x" * 6_000) == (
            "ThrottlingException", 400,
        )  # fmt: skip
        assert sum(measured(aws, arn, REQUESTED, "Sum")) == pytest.approx(13 / 6)
        assert sum(measured(aws, arn, CONSUMED, "Sum")) == pytest.approx(7 / 6)

    def test_another_region_has_its_own(self, aws: LocalAwsServer, comprehend: Any, classifier: str) -> None:
        arn = created(comprehend, "regional", classifier)
        comprehend.classify_document(EndpointArn=arn, Text=TEXT)
        elsewhere = aws.client("cloudwatch", region="eu-west-1")
        assert elsewhere.list_metrics(Namespace="AWS/Comprehend")["Metrics"] == []

    def test_nothing_can_be_written(self, aws: LocalAwsServer) -> None:
        datum = {"MetricName": "x", "Value": 1.0}
        with pytest.raises(ClientError) as caught:
            aws.client("cloudwatch").put_metric_data(Namespace="mine", MetricData=[datum])
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


class TestScaling:
    def test_use_above_the_target_adds_units_and_little_use_takes_them_away(
        self, aws: LocalAwsServer, comprehend: Any, scaling: Any, classifier: str
    ) -> None:
        arn = created(comprehend, "elastic", classifier)
        aws.control.set_behaviour(delays={"scaling_seconds": 0.5})
        scaling.register_scalable_target(**named(arn), MinCapacity=1, MaxCapacity=3)
        scaling.put_scaling_policy(**named(arn), **policy())

        def units_after(text: str) -> int:
            comprehend.classify_document(EndpointArn=arn, Text=text)
            found: int = described(comprehend, arn)["CurrentInferenceUnits"]
            return found

        # Without rate limits an endpoint answers more than its units: the use is far above any target.
        wait_until(lambda: units_after("refund " * 1_000) == 3, "the most units")
        wait_until(lambda: units_after("x") == 1, "the fewest units")

        activities = scaling.describe_scaling_activities(ServiceNamespace="comprehend", ResourceId=arn)
        found = [item["Description"] for item in activities["ScalingActivities"]]
        assert found[-1] == "Setting desired inference units to 3."
        assert found[0] == "Setting desired inference units to 1."
        assert {item["StatusCode"] for item in activities["ScalingActivities"]} == {"Successful"}
        scaling.deregister_scalable_target(**named(arn))

    def test_an_endpoint_that_nobody_asks_keeps_its_units(
        self, aws: LocalAwsServer, comprehend: Any, scaling: Any, classifier: str
    ) -> None:
        """A metric without data scales nothing in: an idle endpoint has to be closed by somebody else."""
        idle, watched = (
            created(comprehend, "idle", classifier, 2),
            created(comprehend, "watched", classifier, 2),
        )
        aws.control.set_behaviour(delays={"scaling_seconds": 0.1})
        for arn in (idle, watched):
            scaling.register_scalable_target(**named(arn), MinCapacity=1, MaxCapacity=2)
            scaling.put_scaling_policy(**named(arn), **policy())

        def scaled_in() -> bool:
            comprehend.classify_document(EndpointArn=watched, Text="x")
            return bool(described(comprehend, watched)["CurrentInferenceUnits"] == 1)

        wait_until(scaled_in, "the one that is asked a little")
        assert described(comprehend, idle)["CurrentInferenceUnits"] == 2
        for arn in (idle, watched):
            scaling.deregister_scalable_target(**named(arn))

    def test_policies_live_as_long_as_their_target(
        self, comprehend: Any, scaling: Any, classifier: str
    ) -> None:
        arn = created(comprehend, "registered", classifier)
        for call in (scaling.deregister_scalable_target, scaling.put_scaling_policy):
            request = {**named(arn), **(policy() if call.__name__ == "put_scaling_policy" else {})}
            assert refusal(call, **request) == ("ObjectNotFoundException", 400)
        target = scaling.register_scalable_target(**named(arn), MinCapacity=1, MaxCapacity=4)
        again = scaling.register_scalable_target(**named(arn), MaxCapacity=5)
        assert again["ScalableTargetARN"] == target["ScalableTargetARN"]
        (found,) = scaling.describe_scalable_targets(ServiceNamespace="comprehend", ResourceIds=[arn])[
            "ScalableTargets"
        ]
        assert (found["MinCapacity"], found["MaxCapacity"]) == (1, 5)

        alarms = scaling.put_scaling_policy(**named(arn), **policy())["Alarms"]
        assert len(alarms) == 2
        assert scaling.put_scaling_policy(**named(arn), **policy(50))["Alarms"] == alarms
        (kept,) = scaling.describe_scaling_policies(ServiceNamespace="comprehend", ResourceId=arn)[
            "ScalingPolicies"
        ]
        assert kept["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 50
        scaling.deregister_scalable_target(**named(arn))
        assert not scaling.describe_scaling_policies(ServiceNamespace="comprehend", ResourceId=arn)[
            "ScalingPolicies"
        ]
        assert refusal(scaling.delete_scaling_policy, **named(arn), PolicyName="use") == (
            "ObjectNotFoundException", 400,
        )  # fmt: skip

    @pytest.mark.parametrize(
        "request_",
        [
            {"MinCapacity": 1},
            {"MinCapacity": 3, "MaxCapacity": 2},
            {"MinCapacity": 1, "MaxCapacity": 2, "ServiceNamespace": "dynamodb"},
            {"MinCapacity": 1, "MaxCapacity": 2, "ServiceNamespace": "nothing"},
            {"MinCapacity": 1, "MaxCapacity": 2, "ResourceId": f"{ARN}/nobody"},
        ],
    )  # fmt: skip
    def test_what_cannot_be_scaled_is_refused(
        self, comprehend: Any, scaling: Any, classifier: str, request_: dict[str, Any]
    ) -> None:
        arn = created(comprehend, f"refused-{abs(hash(str(request_)))}"[:30], classifier)
        request = {**named(arn), **request_}
        assert refusal(scaling.register_scalable_target, **request) == ("ValidationException", 400)
        comprehend.delete_endpoint(EndpointArn=arn)

    def test_only_target_tracking_of_the_use(self, comprehend: Any, scaling: Any, classifier: str) -> None:
        arn = created(comprehend, "tracked", classifier)
        scaling.register_scalable_target(**named(arn), MinCapacity=1, MaxCapacity=2)
        for wrong in (
            policy(0),
            {**policy(), "PolicyType": "StepScaling"},
            policy(PredefinedMetricSpecification={"PredefinedMetricType": "KafkaBrokerStorageUtilization"}),
        ):  # fmt: skip
            assert refusal(scaling.put_scaling_policy, **named(arn), **wrong) == ("ValidationException", 400)
        bad = {"ServiceNamespace": "comprehend", "NextToken": "x"}
        assert refusal(scaling.describe_scalable_targets, **bad) == ("InvalidNextTokenException", 400)
        pages = scaling.describe_scalable_targets(ServiceNamespace="comprehend", MaxResults=1)
        assert len(pages["ScalableTargets"]) == 1
        scaling.deregister_scalable_target(**named(arn))


def test_metrics_and_policies_survive_a_restart(tmp_path: Path) -> None:
    with local_aws(tmp_path) as aws:
        comprehend, scaling = aws.client("comprehend"), aws.client("application-autoscaling")
        arn = created(comprehend, "kept", trained_classifier(aws, comprehend, "kept"))
        comprehend.classify_document(EndpointArn=arn, Text="x" * 600)
        scaling.register_scalable_target(**named(arn), MinCapacity=2, MaxCapacity=2)
        aws.process.kill()
    with local_aws(tmp_path) as aws:
        comprehend, scaling = aws.client("comprehend"), aws.client("application-autoscaling")
        assert sum(measured(aws, arn, CONSUMED, "Sum")) == pytest.approx(0.1)
        aws.control.set_behaviour(delays={"scaling_seconds": 0.2})
        scaling.put_scaling_policy(**named(arn), **policy())
        wait_until(
            lambda: described(comprehend, arn)["CurrentInferenceUnits"] == 2, "the minimum of the target"
        )


def allowed(actions: list[str]) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def test_each_call_needs_its_permission(tmp_path: Path) -> None:
    with local_aws(tmp_path, {"NIGHTSORT_LOCAL_AWS_ENFORCE_IAM": "true"}) as aws:
        reader = user(aws, "reader", allowed(["s3:ListAllMyBuckets"]))
        metrics, scaling = reader.client("cloudwatch"), reader.client("application-autoscaling")
        describe = {"ServiceNamespace": "comprehend"}
        assert refusal(metrics.list_metrics) == ("AccessDenied", 403)
        answer = refusal(scaling.describe_scalable_targets, **describe)
        assert answer == ("AccessDeniedException", 400)
        actions = ["cloudwatch:ListMetrics", "application-autoscaling:DescribeScalableTargets"]
        reader.may(allowed(actions))
        assert metrics.list_metrics()["Metrics"] == []
        assert scaling.describe_scalable_targets(**describe)["ScalableTargets"] == []
        arn = f"{ARN}/one"
        request = {**named(arn), "MinCapacity": 1, "MaxCapacity": 2}
        assert refusal(scaling.register_scalable_target, **request) == ("AccessDeniedException", 400)
