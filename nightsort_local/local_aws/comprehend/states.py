"""The lives of Comprehend's resources as data: every state, and which may follow which.

The names are the enums ModelStatus, JobStatus and EndpointStatus of the service model; the edges are AWS's
documentation and what its tools were seen to rely on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class IllegalTransitionError(Exception):
    """The server tried a step that the life cycle does not have: its own defect, never a caller's."""


@dataclass(frozen=True)
class StateMachine:
    """The states of one kind of resource.

    :param member: the API member that holds the state.
    :param created: the API member that holds when the resource was made; filters on it add Before and After.
    :param steps: for each state those that may follow.
    :param active: states in which work is going on or waits to be done; they count against the quotas.
    """

    member: str
    created: str
    first: str
    steps: Mapping[str, frozenset[str]]
    active: frozenset[str]

    def check(self, old: str, new: str) -> None:
        """Raise unless `new` may follow `old`."""
        if new not in self.steps[old]:
            raise IllegalTransitionError(f"{self.member} cannot go from {old} to {new}")


CLASSIFIER = StateMachine(
    member="Status",
    created="SubmitTime",
    first="SUBMITTED",
    steps={
        "SUBMITTED": frozenset({"TRAINING", "STOP_REQUESTED", "IN_ERROR"}),
        "TRAINING": frozenset({"TRAINED", "TRAINED_WITH_WARNING", "IN_ERROR", "STOP_REQUESTED"}),
        "STOP_REQUESTED": frozenset({"STOPPED", "TRAINED", "TRAINED_WITH_WARNING", "IN_ERROR"}),
        "STOPPED": frozenset({"DELETING"}),
        "TRAINED": frozenset({"DELETING"}),
        "TRAINED_WITH_WARNING": frozenset({"DELETING"}),
        "IN_ERROR": frozenset({"DELETING"}),
        "DELETING": frozenset(),
    },
    active=frozenset({"SUBMITTED", "TRAINING", "STOP_REQUESTED"}),
)

JOB = StateMachine(
    member="JobStatus",
    created="SubmitTime",
    first="SUBMITTED",
    steps={
        "SUBMITTED": frozenset({"IN_PROGRESS", "FAILED"}),
        "IN_PROGRESS": frozenset({"COMPLETED", "FAILED"}),
        "COMPLETED": frozenset(),
        "FAILED": frozenset(),
        "STOP_REQUESTED": frozenset(),
        "STOPPED": frozenset(),
    },
    active=frozenset({"SUBMITTED", "IN_PROGRESS"}),
)
"""STOP_REQUESTED and STOPPED are in the shared enum, but no call stops a classification job."""

ENDPOINT = StateMachine(
    member="Status",
    created="CreationTime",
    first="CREATING",
    steps={
        "CREATING": frozenset({"IN_SERVICE", "FAILED"}),
        "IN_SERVICE": frozenset({"UPDATING", "DELETING"}),
        "UPDATING": frozenset({"IN_SERVICE", "FAILED"}),
        "FAILED": frozenset({"DELETING"}),
        "DELETING": frozenset(),
    },
    active=frozenset({"CREATING", "IN_SERVICE", "UPDATING"}),
)

USABLE_CLASSIFIER = frozenset({"TRAINED", "TRAINED_WITH_WARNING"})
"""States in which a classifier can classify."""

USABLE_ENDPOINT = frozenset({"IN_SERVICE", "UPDATING"})
"""States in which an endpoint answers; while it is updated, with the model that it had (assumed)."""
