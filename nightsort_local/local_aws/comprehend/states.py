"""The state machines of Comprehend's resources, as data.

The states are the enums ModelStatus, JobStatus and EndpointStatus of the service model. The transitions come
from AWS's documentation and from the behaviour that AWS's tools rely on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class IllegalTransitionError(Exception):
    """The server tried a transition that does not exist: a defect of the server, not of the caller."""


@dataclass(frozen=True)
class StateMachine:
    """The states of one kind of resource.

        :param member: the API member that holds the state.
        :param created: the API member with the creation time; filters add Before and After to its name.
    :param first: the state of a new resource.
        :param transitions: for each state the states that can follow.
        :param active: states with work in progress or pending; they count against the quotas.
    """

    member: str
    created: str
    first: str
    transitions: Mapping[str, frozenset[str]]
    active: frozenset[str]

    def check(self, old: str, new: str) -> None:
        """Check that `new` can follow `old`.

        :raises IllegalTransitionError: it cannot.
        """
        if new not in self.transitions[old]:
            raise IllegalTransitionError(f"{self.member} cannot go from {old} to {new}")


CLASSIFIER = StateMachine(
    member="Status",
    created="SubmitTime",
    first="SUBMITTED",
    transitions={
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
    transitions={
        "SUBMITTED": frozenset({"IN_PROGRESS", "FAILED"}),
        "IN_PROGRESS": frozenset({"COMPLETED", "FAILED"}),
        "COMPLETED": frozenset(),
        "FAILED": frozenset(),
        "STOP_REQUESTED": frozenset(),
        "STOPPED": frozenset(),
    },
    active=frozenset({"SUBMITTED", "IN_PROGRESS"}),
)
"""STOP_REQUESTED and STOPPED are in the shared enum, but no operation stops a classification job."""

ENDPOINT = StateMachine(
    member="Status",
    created="CreationTime",
    first="CREATING",
    transitions={
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
"""States in which an endpoint answers. During an update it uses the old model (assumed)."""
