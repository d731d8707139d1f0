"""Application Auto Scaling for endpoints: targets, policies with target tracking, and what was scaled.

moto's was measured (5.2.5): it takes a policy without a target, an endpoint that is not there and a minimum
above the maximum, keeps the policies of a target that is gone, has no DescribeScalingActivities and never
scales.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from nightsort_local.local_aws.account import ACCOUNT_ID
from nightsort_local.local_aws.autoscaling.requests import parse_request
from nightsort_local.local_aws.autoscaling.scaling_store import ScalableTarget, ScalingStore
from nightsort_local.local_aws.autoscaling.target_tracking import TargetTracking
from nightsort_local.local_aws.clock import now
from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.comprehend.store import ENDPOINT
from nightsort_local.local_aws.comprehend.timers import Timers
from nightsort_local.local_aws.permissions.needed_permissions import SCALING_ROLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from nightsort_local.local_aws.comprehend.behaviour import Behaviour
    from nightsort_local.local_aws.comprehend.endpoint_metrics import EndpointMetrics
    from nightsort_local.local_aws.comprehend.service import Comprehend
    from nightsort_local.local_aws.comprehend.store import Store
    from nightsort_local.local_aws.state_file import StateFile

NAMESPACE: Final = "comprehend"
DIMENSION: Final = "comprehend:document-classifier-endpoint:DesiredInferenceUnits"
METRIC: Final = "ComprehendInferenceUtilization"

_RUNNING: Final = {
    "DynamicScalingInSuspended": False,
    "DynamicScalingOutSuspended": False,
    "ScheduledScalingSuspended": False,
}
_DEFAULT_PAGE: Final = 50


class AutoScaling:
    """All operations. Its changes of endpoints are those of UpdateEndpoint.

    :param state: keeps targets and policies across restarts.
    :param store: has the endpoints; its lock is held by every operation.
    :param comprehend: updates the endpoints.
    :param metrics: has their use.
    :param behaviour: how long a minute of target tracking takes.
    """

    def __init__(
        self,
        state: StateFile,
        store: Store,
        comprehend: Comprehend,
        metrics: EndpointMetrics,
        behaviour: Behaviour,
    ) -> None:
        self._store = store
        self._targets = ScalingStore(state)
        timers = Timers(store.lock, behaviour)
        self._tracking = TargetTracking(self._targets, store, comprehend, metrics, timers)
        self._handlers: dict[str, Callable[[Mapping[str, Any], str], dict[str, Any]]] = {
            "RegisterScalableTarget": self._register,
            "DescribeScalableTargets": self._describe_targets,
            "DeregisterScalableTarget": self._deregister,
            "PutScalingPolicy": self._put_policy,
            "DescribeScalingPolicies": self._describe_policies,
            "DeleteScalingPolicy": self._delete_policy,
            "DescribeScalingActivities": self._describe_activities,
        }

    def answer(self, operation: str, body: Any, region: str) -> dict[str, Any]:
        """Return the answer to a request.

        :param operation: the operation's name in the service model.
        :param body: the decoded body.
        :param region: the region of the request's signature.
        :raises ApiError: the request is refused.
        """
        request = parse_request(operation, body)
        if operation not in self._handlers:
            message = f"The local Application Auto Scaling has only target tracking, not {operation}."
            raise ApiError("UnknownOperationException", message)
        with self._store.lock:
            return self._handlers[operation](request, region)

    def resume(self) -> None:
        """Go on with the policies of an earlier server."""
        with self._store.lock:
            self._tracking.start()

    # --- targets --------------------------------------------------------------------------------------------

    def _register(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        _check_dimension(request)
        endpoint = self._store.find(request["ResourceId"])
        if endpoint is None or endpoint.kind != ENDPOINT or endpoint.region != region:
            raise _invalid(f"Comprehend endpoint doesn't exist: {request['ResourceId']}")
        target = self._targets.find(request["ResourceId"])
        properties = dict(target.properties) if target else _new_target(request, region)
        for member in ("MinCapacity", "MaxCapacity"):
            if member in request:
                properties[member] = request[member]
            elif target is None:
                raise _invalid(f"{member} must be specified for a new scalable target.")
        if properties["MinCapacity"] > properties["MaxCapacity"]:
            raise _invalid("Maximum capacity cannot be less than minimum capacity")
        properties["SuspendedState"] = {**properties["SuspendedState"], **request.get("SuspendedState", {})}
        if target is None:
            target = ScalableTarget(region, properties)
        target.properties = properties
        self._targets.keep(target)
        return {"ScalableTargetARN": properties["ScalableTargetARN"]}

    def _describe_targets(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        asked = request.get("ResourceIds")
        found = [
            target.properties
            for target in self._matching(request, region)
            if not asked or target.resource_id in asked
        ]
        return _page(found, request, "ScalableTargets")

    def _deregister(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        self._targets.remove(self._target(request, region))
        return {}

    # --- policies -------------------------------------------------------------------------------------------

    def _put_policy(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        target = self._target(request, region)
        configuration = request.get("TargetTrackingScalingPolicyConfiguration")
        if request.get("PolicyType") != "TargetTrackingScaling" or configuration is None:
            # AWS has no others for this dimension (Application Auto Scaling User Guide, Comprehend).
            raise _invalid("Comprehend endpoints support only policies of type TargetTrackingScaling.")
        metric = configuration.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
        if metric != METRIC:
            raise _invalid(f"The local Application Auto Scaling knows only the predefined metric {METRIC}.")
        if configuration["TargetValue"] <= 0:
            raise _invalid("Target value must be greater than 0.")
        name = request["PolicyName"]
        policy = target.policies.get(name) or _new_policy(name, target)
        policy["TargetTrackingScalingPolicyConfiguration"] = configuration
        target.policies[name] = policy
        self._targets.keep(target)
        self._tracking.start()
        return {"PolicyARN": policy["PolicyARN"], "Alarms": policy["Alarms"]}

    def _describe_policies(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        asked = request.get("PolicyNames")
        found = [
            policy
            for target in self._matching(request, region)
            for name, policy in target.policies.items()
            if not asked or name in asked
        ]
        return _page(found, request, "ScalingPolicies")

    def _delete_policy(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        target = self._target(request, region)
        if request["PolicyName"] not in target.policies:
            raise _not_found("scaling policy", request)
        del target.policies[request["PolicyName"]]
        self._targets.keep(target)
        return {}

    # --- activities -----------------------------------------------------------------------------------------

    def _describe_activities(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        targets = self._matching(request, region)
        for target in targets:
            self._tracking.settle(target)
        found = [activity for target in targets for activity in target.activities]
        found.sort(key=lambda activity: -activity["StartTime"])
        return _page(found, request, "ScalingActivities")

    # --- finding --------------------------------------------------------------------------------------------

    def _target(self, request: Mapping[str, Any], region: str) -> ScalableTarget:
        _check_dimension(request)
        target = self._targets.find(request["ResourceId"])
        if target is None or target.region != region:
            raise _not_found("scalable target", request)
        return target

    def _matching(self, request: Mapping[str, Any], region: str) -> list[ScalableTarget]:
        asked_for = (request["ServiceNamespace"], request.get("ScalableDimension", DIMENSION))
        if asked_for != (NAMESPACE, DIMENSION):
            return []
        asked = request.get("ResourceId")
        return [target for target in self._targets.all_of(region) if asked in (None, target.resource_id)]


def _new_target(request: Mapping[str, Any], region: str) -> dict[str, Any]:
    return {
        "ServiceNamespace": NAMESPACE,
        "ResourceId": request["ResourceId"],
        "ScalableDimension": DIMENSION,
        "RoleARN": SCALING_ROLE,
        "CreationTime": now(),
        "SuspendedState": _RUNNING,
        "ScalableTargetARN": f"arn:aws:application-autoscaling:{region}:{ACCOUNT_ID}:scalable-target/"
        + uuid.uuid4().hex,
    }


def _new_policy(name: str, target: ScalableTarget) -> dict[str, Any]:
    region, resource = target.region, target.resource_id
    alarms = [f"TargetTracking-{resource}-Alarm{side}-{uuid.uuid4()}" for side in ("High", "Low")]
    return {
        "PolicyARN": f"arn:aws:autoscaling:{region}:{ACCOUNT_ID}:scalingPolicy:{uuid.uuid4()}:"
        f"resource/{NAMESPACE}/{resource}:policyName/{name}",
        "PolicyName": name,
        "ServiceNamespace": NAMESPACE,
        "ResourceId": resource,
        "ScalableDimension": DIMENSION,
        "PolicyType": "TargetTrackingScaling",
        "CreationTime": now(),
        "Alarms": [
            {"AlarmName": alarm, "AlarmARN": f"arn:aws:cloudwatch:{region}:{ACCOUNT_ID}:alarm:{alarm}"}
            for alarm in alarms
        ],
    }


def _check_dimension(request: Mapping[str, Any]) -> None:
    if (request["ServiceNamespace"], request["ScalableDimension"]) != (NAMESPACE, DIMENSION):
        raise _invalid("Unsupported service namespace, resource type or scalable dimension")


def _page(found: Iterable[dict[str, Any]], request: Mapping[str, Any], member: str) -> dict[str, Any]:
    items = list(found)
    token = request.get("NextToken", "0")
    if not token.isdecimal() or int(token) > len(items):
        raise ApiError("InvalidNextTokenException", "The next token is invalid.")
    start, size = int(token), request.get("MaxResults", _DEFAULT_PAGE)
    more = {"NextToken": str(start + size)} if start + size < len(items) else {}
    return {member: items[start : start + size], **more}


def _invalid(message: str) -> ApiError:
    return ApiError("ValidationException", message)


def _not_found(what: str, request: Mapping[str, Any]) -> ApiError:
    message = (
        f"No {what} found for service namespace: {request['ServiceNamespace']}, resource ID: "
        f"{request['ResourceId']}, scalable dimension: {request['ScalableDimension']}"
    )
    return ApiError("ObjectNotFoundException", message)
