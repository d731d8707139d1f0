"""
The states of Comprehend's models, jobs and endpoints, as closed sets.

The members are those of botocore's enums ``ModelStatus``, ``JobStatus`` and ``EndpointStatus``. Each state
has one phase, and mypy reports a member without one. ``waiters/comprehend.json`` says the same as data. A
contract test compares this module, that file and botocore: a state that AWS adds fails the test, not a night.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class Phase(Enum):
    """The phase of a training, a job or an endpoint."""

    RUNNING = auto()
    SUCCEEDED = auto()
    FAILED = auto()


class _Status(str, Enum):
    """A state by Comprehend's name."""

    def __str__(self) -> str:
        return str(self.value)


class ModelStatus(_Status):
    """The states of a classifier version."""

    SUBMITTED = "SUBMITTED"
    TRAINING = "TRAINING"
    STOP_REQUESTED = "STOP_REQUESTED"
    TRAINED = "TRAINED"
    TRAINED_WITH_WARNING = "TRAINED_WITH_WARNING"
    STOPPED = "STOPPED"
    IN_ERROR = "IN_ERROR"
    DELETING = "DELETING"

    @property
    def phase(self) -> Phase:
        """The phase of this state. A training that is asked to stop can still end TRAINED."""
        match self:
            case ModelStatus.SUBMITTED | ModelStatus.TRAINING | ModelStatus.STOP_REQUESTED:
                return Phase.RUNNING
            case ModelStatus.TRAINED | ModelStatus.TRAINED_WITH_WARNING:
                return Phase.SUCCEEDED
            case ModelStatus.STOPPED | ModelStatus.IN_ERROR | ModelStatus.DELETING:
                return Phase.FAILED


class JobStatus(_Status):
    """The states of a classification job."""

    SUBMITTED = "SUBMITTED"
    IN_PROGRESS = "IN_PROGRESS"
    STOP_REQUESTED = "STOP_REQUESTED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"

    @property
    def phase(self) -> Phase:
        """The phase of this state."""
        match self:
            case JobStatus.SUBMITTED | JobStatus.IN_PROGRESS | JobStatus.STOP_REQUESTED:
                return Phase.RUNNING
            case JobStatus.COMPLETED:
                return Phase.SUCCEEDED
            case JobStatus.FAILED | JobStatus.STOPPED:
                return Phase.FAILED


class EndpointStatus(_Status):
    """The states of an endpoint."""

    CREATING = "CREATING"
    UPDATING = "UPDATING"
    IN_SERVICE = "IN_SERVICE"
    FAILED = "FAILED"
    DELETING = "DELETING"

    @property
    def phase(self) -> Phase:
        """The phase of this state, for who waits until the endpoint is in service."""
        match self:
            case EndpointStatus.CREATING | EndpointStatus.UPDATING:
                return Phase.RUNNING
            case EndpointStatus.IN_SERVICE:
                return Phase.SUCCEEDED
            case EndpointStatus.FAILED | EndpointStatus.DELETING:
                return Phase.FAILED

    @property
    def answers(self) -> bool:
        """Whether ClassifyDocument is answered. During an update, the old model answers."""
        return self in {EndpointStatus.IN_SERVICE, EndpointStatus.UPDATING}


JOB_RUNNING: Final = tuple(state for state in JobStatus if state.phase is Phase.RUNNING)
JOB_FAILED: Final = tuple(state for state in JobStatus if state.phase is Phase.FAILED)
