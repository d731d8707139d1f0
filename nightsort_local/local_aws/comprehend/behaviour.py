"""Delays between states, and rate limits. Both can be changed while the server runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nightsort_local.local_aws.settings import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENVIRONMENT_PREFIX: Final = "NIGHTSORT_LOCAL_AWS_"

MAX_SECONDS: Final = 7 * 24 * 3_600

_Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]


class Delays(BaseModel):
    """How long a resource stays in a state before its work starts, in seconds. The work itself comes on top.

    :param profile: the profile of the delays that were not set individually.
    :param submitted_seconds: SUBMITTED, of classifiers and jobs.
    :param training_seconds: TRAINING.
    :param job_seconds: IN_PROGRESS.
    :param stopping_seconds: STOP_REQUESTED.
    :param endpoint_seconds: CREATING and UPDATING, of endpoints.
    :param deletion_seconds: DELETING, of classifiers and endpoints.
    :param scaling_seconds: how long a minute of target tracking takes: its periods and cooldowns.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: Literal["fast", "realistic"] = "fast"
    submitted_seconds: _Seconds = 0
    training_seconds: _Seconds = 0
    job_seconds: _Seconds = 0
    stopping_seconds: _Seconds = 0
    endpoint_seconds: _Seconds = 0.2
    deletion_seconds: _Seconds = 0.2
    scaling_seconds: Annotated[_Seconds, Field(ge=0.05)] = 1


FAST: Final = Delays()
"""Hardly any delays. Endpoints and deletions keep a short one: as on AWS, the call returns before they are
done."""

REALISTIC: Final = Delays(
    profile="realistic",
    submitted_seconds=150,
    training_seconds=2_000,
    job_seconds=210,
    stopping_seconds=60,
    endpoint_seconds=600,
    deletion_seconds=300,
    scaling_seconds=60,
)
"""Durations of small data on AWS. In published runs, trainings waited 2.6 and 4 minutes and then took 33;
jobs took 6 to 8 minutes in total; endpoints took about 10 minutes to create and 5 to delete. No source states
how long stopping takes."""

PROFILES: Final = {profile.profile: profile for profile in (FAST, REALISTIC)}


class _Behaviour(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    delays: Delays = FAST
    rate_limits: bool = False


class Behaviour:
    """The current delays and rate limits. Thread-safe.

    :param initial: a change, as in :meth:`update`.
    """

    def __init__(self, initial: Mapping[str, Any] | None = None) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._current = _Behaviour()
        self.update(initial or {})

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Behaviour:
        """Return the behaviour that the environment sets.

        ``NIGHTSORT_LOCAL_AWS_DELAYS`` names a profile. ``NIGHTSORT_LOCAL_AWS_TRAINING_SECONDS`` and the
        like set one delay. ``NIGHTSORT_LOCAL_AWS_RATE_LIMITS`` switches the limits on.

        :raises SettingError: the value of a variable is invalid.
        """
        names = {_variable(member): member for member in Delays.model_fields}
        delays = {member: environment[name] for name, member in names.items() if environment.get(name)}
        limits = environment.get(_variable("rate_limits"))
        return cls(_validated({"delays": delays, **({"rate_limits": limits} if limits else {})}, _variable))

    @property
    def delays(self) -> Delays:
        """The current delays."""
        return self._current.delays

    @property
    def rate_limits(self) -> bool:
        """Whether calls are limited, as in the real service."""
        return self._current.rate_limits

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call a function after every update."""
        self._listeners.append(listener)

    def to_dict(self) -> dict[str, Any]:
        """Return the behaviour as JSON."""
        return self._current.model_dump()

    def update(self, change: Mapping[str, Any]) -> None:
        """Change the given members and keep the others. New delays also apply to resources that already wait.

        :param change: ``{"delays": {"profile": "realistic", "job_seconds": 5}, "rate_limits": true}``; a
            profile sets all delays, those given with it come after.
        :raises SettingError: a member is unknown or its value is invalid. Nothing is changed.
        """
        changed = _validated(change, _dotted)
        with self._lock:
            current = self._current
            delays = changed.get("delays", {})
            base = PROFILES[delays["profile"]] if "profile" in delays else current.delays
            self._current = _Behaviour(
                delays=base.model_copy(update=delays),
                rate_limits=changed.get("rate_limits", current.rate_limits),
            )
        for listener in self._listeners:
            listener()


def _validated(change: Mapping[str, Any], name: Callable[..., str]) -> dict[str, Any]:
    """Return the change with its types converted.

    :param name: returns the name of a member for error messages.
    """
    try:
        return _Behaviour.model_validate(change).model_dump(exclude_unset=True)
    except ValidationError as error:
        problems = [
            f"{name(*problem['loc'])} is {problem['input']!r}: {problem['msg']}" for problem in error.errors()
        ]
        raise SettingError(f"{'; '.join(problems)}. {_ALLOWED}") from error


_ALLOWED = (
    f"The delays are {', '.join(sorted(set(Delays.model_fields) - {'profile'}))}, in seconds from 0 to "
    f"{MAX_SECONDS}, the profiles {', '.join(PROFILES)}; rate_limits is true or false."
)


def _variable(*location: str) -> str:
    member = location[-1]
    return ENVIRONMENT_PREFIX + ("DELAYS" if member == "profile" else member.upper())


def _dotted(*location: str) -> str:
    return ".".join(map(str, location)) or "The behaviour"
