"""Target tracking: change the inference units of endpoints so that their use stays near a target.

The rules are those of AWS's alarms for target tracking, whose description shows them in CloudWatch: scale out
when the metric was above the target in each of three minutes, scale in when it was below nine tenths of it
in fifteen. Minutes without data do not scale in (Application Auto Scaling User Guide, "Target tracking
scaling policies").
"""

from __future__ import annotations

import math
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from nightsort.comprehend.limits import ENDPOINT_UNIT_CHARACTERS
from nightsort_local.local_aws.clock import now
from nightsort_local.local_aws.comprehend.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nightsort_local.local_aws.autoscaling.scaling_store import ScalableTarget, ScalingStore
    from nightsort_local.local_aws.comprehend.endpoint_metrics import EndpointMetrics
    from nightsort_local.local_aws.comprehend.service import Comprehend
    from nightsort_local.local_aws.comprehend.store import Resource, Store
    from nightsort_local.local_aws.comprehend.timers import Timers

OUT_PERIODS: Final = 3
IN_PERIODS: Final = 15
IN_SHARE: Final = 0.9

_DELAY: Final = "scaling_seconds"
_MINUTE: Final = 60


def wanted_units(units: int, utilization: Sequence[float | None], target: float) -> int:
    """Return the inference units that would bring the use to the target; the present ones if nothing is due.

    :param units: the present inference units.
    :param utilization: percent of each period, the newest last; None for a period without requests.
    :param target: percent.
    """
    newest = [value for value in utilization[-OUT_PERIODS:] if value is not None and value > target]
    if len(newest) == OUT_PERIODS:
        return math.ceil(units * sum(newest) / OUT_PERIODS / target)
    known = [value for value in utilization[-IN_PERIODS:] if value is not None]
    if len(utilization) >= IN_PERIODS and known and max(known) < IN_SHARE * target:
        return math.ceil(units * max(known) / target)
    return units


@dataclass
class _Watch:
    """What is known of an endpoint since its units changed."""

    characters: int
    since: float
    utilization: deque[float | None] = field(default_factory=lambda: deque(maxlen=IN_PERIODS))
    scaled_at: float = -math.inf


class TargetTracking:
    """Look at every endpoint with a policy once a period. Call it with the store's lock held.

    :param targets: the scalable targets with their policies.
    :param store: has the endpoints.
    :param comprehend: updates them.
    :param metrics: has their use.
    :param timers: call it once a period, while there is a policy.
    """

    def __init__(
        self,
        targets: ScalingStore,
        store: Store,
        comprehend: Comprehend,
        metrics: EndpointMetrics,
        timers: Timers,
    ) -> None:
        self._targets = targets
        self._store = store
        self._comprehend = comprehend
        self._metrics = metrics
        self._timers = timers
        self._watched: dict[str, _Watch] = {}

    def start(self) -> None:
        """Begin, or go on, to look at the endpoints."""
        self._timers.after(_DELAY, time.time(), _DELAY, self._look)

    def settle(self, target: ScalableTarget) -> None:
        """End the activities whose change of the endpoint has ended."""
        running = [activity for activity in target.activities if activity["StatusCode"] == "InProgress"]
        endpoint = self._store.find(target.resource_id)
        if not running or (endpoint is not None and endpoint.state == "UPDATING"):
            return
        for activity in running:
            done = endpoint is not None and endpoint.state == "IN_SERVICE"
            activity |= {
                "StatusCode": "Successful" if done else "Failed",
                "EndTime": now(),
                "StatusMessage": "Successfully set desired inference units."
                if done
                else f"The endpoint is {endpoint.state if endpoint else 'deleted'}.",
            }
        self._targets.keep(target)

    def _look(self) -> None:
        tracked = [target for target in self._targets.all_of() if target.policies]
        self._watched = {arn: watch for arn, watch in self._watched.items() if self._targets.find(arn)}
        for target in tracked:
            self.settle(target)
            endpoint = self._store.find(target.resource_id)
            if endpoint is None or endpoint.state != "IN_SERVICE":
                # What was measured is of other units than those that come.
                self._watched.pop(target.resource_id, None)
            else:
                self._scale(target, endpoint)
        if tracked:
            self.start()

    def _scale(self, target: ScalableTarget, endpoint: Resource) -> None:
        units: int = endpoint.properties["CurrentInferenceUnits"]
        watch = self._measured(endpoint, units)
        if watch is None:
            return
        low, high = target.properties["MinCapacity"], target.properties["MaxCapacity"]
        # With several policies AWS takes the one that asks for most.
        wanted, name = max(
            (
                wanted_units(
                    units,
                    list(watch.utilization),
                    policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"],
                ),
                name,
            )
            for name, policy in target.policies.items()
        )
        wanted = min(high, max(low, wanted))
        policy = target.policies[name]
        if wanted != units and self._allowed(target, policy, wanted > units, watch):
            self._update(target, policy, wanted, wanted > units, watch)

    def _measured(self, endpoint: Resource, units: int) -> _Watch | None:
        """Add the period that ends; return None for the first look at an endpoint."""
        characters, moment = self._metrics.answered_characters(endpoint.arn), time.monotonic()
        watch = self._watched.get(endpoint.arn)
        if watch is None:
            self._watched[endpoint.arn] = _Watch(characters, moment)
            return None
        used, seconds = characters - watch.characters, moment - watch.since
        capacity = ENDPOINT_UNIT_CHARACTERS * units * seconds
        watch.utilization.append(used / capacity * 100 if used and capacity else None)
        watch.characters, watch.since = characters, moment
        return watch

    def _allowed(self, target: ScalableTarget, policy: dict[str, Any], out: bool, watch: _Watch) -> bool:
        configuration = policy["TargetTrackingScalingPolicyConfiguration"]
        suspended = target.properties["SuspendedState"]
        if out:
            paused = suspended["DynamicScalingOutSuspended"]
            cooldown = configuration.get("ScaleOutCooldown", 0)
        else:
            paused = suspended["DynamicScalingInSuspended"] or configuration.get("DisableScaleIn", False)
            cooldown = configuration.get("ScaleInCooldown", 0)
        cooling = cooldown * getattr(self._timers.delays, _DELAY) / _MINUTE
        return not paused and time.monotonic() - watch.scaled_at >= cooling

    def _update(
        self, target: ScalableTarget, policy: dict[str, Any], wanted: int, out: bool, watch: _Watch
    ) -> None:
        alarm = next(item["AlarmName"] for item in policy["Alarms"] if ("High" in item["AlarmName"]) is out)
        activity = {
            "ActivityId": str(uuid.uuid4()),
            "ServiceNamespace": target.properties["ServiceNamespace"],
            "ResourceId": target.resource_id,
            "ScalableDimension": target.properties["ScalableDimension"],
            "Description": f"Setting desired inference units to {wanted}.",
            "Cause": f"monitor alarm {alarm} in state ALARM triggered policy {policy['PolicyName']}",
            "StartTime": now(),
            "StatusCode": "InProgress",
        }
        request = {"EndpointArn": target.resource_id, "DesiredInferenceUnits": wanted}
        try:
            self._comprehend.answer("UpdateEndpoint", request, target.region)
        except ApiError as error:
            activity |= {"StatusCode": "Failed", "EndTime": now(), "StatusMessage": error.message}
        watch.scaled_at = time.monotonic()
        watch.utilization.clear()
        target.activities.append(activity)
        self._targets.keep(target)
