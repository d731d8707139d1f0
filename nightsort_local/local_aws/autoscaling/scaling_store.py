"""Scalable targets, scaling policies and what was scaled; each change is stored before it is answered."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from nightsort_local.local_aws.state_file import StateFile

MAX_ACTIVITIES: Final = 100
"""Activities that are kept of an endpoint, the newest. AWS keeps those of six weeks."""

_ROW = "scalable_target"


@dataclass
class ScalableTarget:
    """An endpoint that may be scaled.

    :param properties: the members that DescribeScalableTargets returns; the resource id is its key.
    :param policies: the members that DescribeScalingPolicies returns, by policy name.
    :param activities: the members that DescribeScalingActivities returns, oldest first.
    """

    region: str
    properties: dict[str, Any]
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    activities: list[dict[str, Any]] = field(default_factory=list)

    @property
    def resource_id(self) -> str:
        """The endpoint's ARN."""
        arn: str = self.properties["ResourceId"]
        return arn


class ScalingStore:
    """The scalable targets of all regions.

    :param state: keeps them across restarts.
    """

    def __init__(self, state: StateFile) -> None:
        self._state = state
        targets = [ScalableTarget(**json.loads(content)) for _, _, content in state.read(_ROW)]
        self._targets = {target.resource_id: target for target in targets}

    def find(self, resource_id: str) -> ScalableTarget | None:
        """Return the target of an endpoint, or None."""
        return self._targets.get(resource_id)

    def all_of(self, region: str | None = None) -> list[ScalableTarget]:
        """Return the targets of a region, or all."""
        return [target for target in self._targets.values() if region in (None, target.region)]

    def keep(self, target: ScalableTarget) -> None:
        """Store a target after a change."""
        del target.activities[:-MAX_ACTIVITIES]
        self._targets[target.resource_id] = target
        self._state.write([(_ROW, target.resource_id, "", json.dumps(asdict(target)).encode())])

    def remove(self, target: ScalableTarget) -> None:
        """Remove a target with its policies."""
        del self._targets[target.resource_id]
        self._state.write([(_ROW, target.resource_id, "", None)])
