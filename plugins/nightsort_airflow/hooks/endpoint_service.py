"""What AWS is asked about a classifier's endpoint: Comprehend, CloudWatch and Application Auto Scaling."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

from nightsort.naming import endpoint_name
from nightsort.opening.keeper import Seen
from nightsort.opening.plan import Endpoint
from nightsort_airflow.comprehend_requests import endpoint_parameters
from nightsort_airflow.hooks.comprehend import DEFAULT_CONFIG, ComprehendClassificationHook
from nightsort_airflow.hooks.endpoints import scalable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.classifier_spec.real_time import Autoscale

NAMESPACE: Final = "AWS/Comprehend"
CONSUMED: Final = "ConsumedInferenceUnits"
"""What one inference unit processes in a minute is 1 (guide, manage-endpoints-monitor)."""

_LONGEST_LOOK: Final = timedelta(days=1)


class EndpointService:
    """
    Ask AWS about the endpoint of a classifier, and change it.

    :param spec: the classifier spec.
    """

    def __init__(self, spec: ClassifierSpec) -> None:
        self._spec = spec
        self._name = endpoint_name(spec.name)

    @cached_property
    def hook(self) -> ComprehendClassificationHook:
        """Comprehend, by the spec's connection."""
        return ComprehendClassificationHook(aws_conn_id=self._spec.aws_conn_id)

    @cached_property
    def arn(self) -> str:
        """The ARN that the endpoint has or will have."""
        return self.hook.classifier_endpoint_arn(self._spec.data_access_role_arn, self._spec.name)

    def look(self) -> Seen | None:
        """Return the endpoint; None: there is none."""
        found = self.hook.find_endpoint(self.arn)
        if found is None or found.created is None:
            return None
        endpoint = Endpoint(
            found.status, found.model_arn, found.desired_model_arn, found.units, found.desired_units
        )
        return Seen(endpoint, found.created)

    def open(self, model_arn: str, units: int) -> None:
        """
        Create the endpoint; nothing happens if it is there.

        :param model_arn: the classifier version that it serves.
        :param units: its inference units.
        """
        self.hook.create_endpoint(
            {
                "EndpointName": self._name,
                "ModelArn": model_arn,
                "DesiredInferenceUnits": units,
                **endpoint_parameters(self._spec),
            }
        )

    def change(self, *, model_arn: str | None = None, units: int | None = None) -> bool:
        """
        Give the endpoint a model or units; what it has answers until they are ready.

        :param model_arn: the classifier version; None: as it is.
        :param units: its inference units; None: as they are.
        :returns: False: it is being changed already.
        """
        return self.hook.update_endpoint(self.arn, model_arn=model_arn, units=units)

    def close(self) -> bool:
        """Delete the endpoint; return False if it is being changed, which has to end first."""
        return self.hook.delete_endpoint(self.arn)

    def scale(self, autoscale: Autoscale) -> None:
        """
        Let the units follow the load, by Application Auto Scaling.

        :param autoscale: the fewest and the most units, and the share of them that is to be used.
        """
        target, scaling = scalable(self.arn), self.hook.scaling
        scaling.register_scalable_target(**target, MinCapacity=autoscale.min, MaxCapacity=autoscale.max)
        metric = {"PredefinedMetricType": "ComprehendInferenceUtilization"}
        scaling.put_scaling_policy(
            **target,
            PolicyName=self._name,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": round(100 * autoscale.target, 3),
                "PredefinedMetricSpecification": metric,
            },
        )

    def unscale(self) -> None:
        """Let the units stay as they are."""
        self.hook.unscale(self.arn)

    def used(self, since: datetime, until: datetime) -> Sequence[tuple[datetime, float]]:
        """
        Return the inference units that were used in each minute, by its begin.

        CloudWatch answers at most 100,800 values, and nobody needs more than those of a day.

        :param since: the first minute.
        :param until: the end.
        """
        query = {
            "Id": "used",
            "MetricStat": {
                "Metric": {
                    "Namespace": NAMESPACE,
                    "MetricName": CONSUMED,
                    "Dimensions": [{"Name": "EndpointArn", "Value": self.arn}],
                },
                "Period": 60,
                "Stat": "Sum",
            },
        }
        pages = self._cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[query], StartTime=max(since, until - _LONGEST_LOOK), EndTime=until
        )
        return [
            minute
            for page in pages
            for result in page["MetricDataResults"]
            for minute in zip(result["Timestamps"], result["Values"], strict=True)
        ]

    @cached_property
    def _cloudwatch(self) -> Any:
        return AwsBaseHook(
            aws_conn_id=self._spec.aws_conn_id, client_type="cloudwatch", config=DEFAULT_CONFIG
        ).conn
