"""The means and the places of the crash matrix: what strikes a task, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# --- means --------------------------------------------------------------------------------------------------

EXCEPTION: Final = "an exception"
TASK: Final = "SIGKILL of the task"
WORKER: Final = "SIGKILL of the worker"
WORKER_ALONE: Final = "SIGKILL of the worker, while its task lives on"
SCHEDULER: Final = "SIGKILL of the scheduler and all below it"
TRIGGERER: Final = "SIGKILL of the triggerer"
POSTGRES: Final = "SIGKILL of PostgreSQL"
LOST: Final = "a connection that breaks"
AWS: Final = "SIGKILL of the local AWS"
CLEAR: Final = "a clear in the UI"
SECOND_RUN: Final = "a second run of the same day"
BACKFILL: Final = "a backfill over it"
GIVE_UP: Final = "a person who marks the run as failed"

# --- places of every task -----------------------------------------------------------------------------------

BEFORE: Final = "before it does anything"
AFTER: Final = "after its work and before Airflow knows"
API_CALL: Final = "botocore.client:BaseClient._make_api_call"


@dataclass(frozen=True)
class Point:
    """A place in the code that a task runs through.

    :param call: what is called there, as ``module:function`` or ``module:Class.method``.
    :param when: ``before`` the call or ``after`` it.
    :param operation: of botocore's calls, the one of this operation.
    :param time: of several such calls, this one, from 1.
    """

    call: str
    when: str
    operation: str | None = None
    time: int = 1


@dataclass(frozen=True)
class Hang:
    """AWS has done what this operation asks for, and does not answer.

    :param operation: the operation.
    :param since: where the task has to be first. Needed where other tasks call this operation, too.
    """

    operation: str
    since: Point | None = None


@dataclass(frozen=True)
class Lost:
    """AWS has done what this operation asks for, and the connection breaks before its answer."""

    operation: str


@dataclass(frozen=True)
class Waiting:
    """The task is deferred: the training or the job does not end, or the endpoint is open or changes."""

    resource: str


@dataclass(frozen=True)
class Complete:
    """The whole run is complete."""


Place = Point | Hang | Lost | Waiting | Complete
