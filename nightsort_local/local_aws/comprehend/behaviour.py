"""How fast the local Comprehend goes through its states, and whether it limits calls; changed as it runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nightsort_local.local_aws.settings import SettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENVIRONMENT_PREFIX: Final = "NIGHTSORT_LOCAL_AWS_"

LONGEST_SECONDS: Final = 7 * 24 * 3_600

_Seconds = Annotated[float, Field(ge=0, le=LONGEST_SECONDS, allow_inf_nan=False)]


class Delays(BaseModel):
    """How long a resource is in a state before its work begins, in seconds; the work itself comes on top.

    :param profile: where the delays come from that were not set by themselves.
    :param submitted_seconds: SUBMITTED, of classifiers and jobs.
    :param training_seconds: TRAINING.
    :param job_seconds: IN_PROGRESS.
    :param stopping_seconds: STOP_REQUESTED.
    :param endpoint_seconds: CREATING and UPDATING, of endpoints.
    :param deletion_seconds: DELETING, of classifiers and endpoints.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: Literal["fast", "realistic"] = "fast"
    submitted_seconds: _Seconds = 0
    training_seconds: _Seconds = 0
    job_seconds: _Seconds = 0
    stopping_seconds: _Seconds = 0
    endpoint_seconds: _Seconds = 0.2
    deletion_seconds: _Seconds = 0.2


FAST: Final = Delays()
"""As fast as it can; but a call that only begins something returns before that is done, as on AWS."""

REALISTIC: Final = Delays(
    profile="realistic",
    submitted_seconds=150,
    training_seconds=2_000,
    job_seconds=210,
    stopping_seconds=60,
    endpoint_seconds=600,
    deletion_seconds=300,
)
"""What small data takes on AWS: published runs waited 2.6 and 4 minutes, then trained for 33; jobs took 6 to
8 minutes in all, endpoints about 10 to be made and 5 to go. No source says how long stopping takes."""

PROFILES: Final = {profile.profile: profile for profile in (FAST, REALISTIC)}


class _Behaviour(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    delays: Delays = FAST
    rate_limits: bool = False


class Behaviour:
    """The behaviour in force; safe to use from many threads.

    :param initial: as for :meth:`update`.
    """

    def __init__(self, initial: Mapping[str, Any] | None = None) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self._current = _Behaviour()
        self.update(initial or {})

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Behaviour:
        """Return what the environment says.

        ``NIGHTSORT_LOCAL_AWS_DELAYS`` names a profile, ``NIGHTSORT_LOCAL_AWS_TRAINING_SECONDS`` and so on
        change one delay, ``NIGHTSORT_LOCAL_AWS_RATE_LIMITS`` switches the limits on.

        :raises SettingError: a variable's value cannot be.
        """
        names = {_variable(member): member for member in Delays.model_fields}
        delays = {member: environment[name] for name, member in names.items() if environment.get(name)}
        limits = environment.get(_variable("rate_limits"))
        return cls(_checked({"delays": delays, **({"rate_limits": limits} if limits else {})}, _variable))

    @property
    def delays(self) -> Delays:
        """The delays in force."""
        return self._current.delays

    @property
    def rate_limits(self) -> bool:
        """Whether calls are limited as the real service does."""
        return self._current.rate_limits

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have a function called after every update."""
        self._listeners.append(listener)

    def to_dict(self) -> dict[str, Any]:
        """Return the behaviour as JSON."""
        return self._current.model_dump()

    def update(self, change: Mapping[str, Any]) -> None:
        """Change what is given and keep the rest; delays hold for what already waits, too.

        :param change: ``{"delays": {"profile": "realistic", "job_seconds": 5}, "rate_limits": true}``; a
            profile sets all delays, those given with it come after.
        :raises SettingError: there is no such member, or its value cannot be; nothing is changed then.
        """
        given = _checked(change, _dotted)
        with self._lock:
            current = self._current
            delays = given.get("delays", {})
            base = PROFILES[delays["profile"]] if "profile" in delays else current.delays
            self._current = _Behaviour(
                delays=base.model_copy(update=delays),
                rate_limits=given.get("rate_limits", current.rate_limits),
            )
        for listener in self._listeners:
            listener()


def _checked(change: Mapping[str, Any], name: Callable[..., str]) -> dict[str, Any]:
    """Return what is given, in its types; `name` tells what a person calls a member."""
    try:
        return _Behaviour.model_validate(change).model_dump(exclude_unset=True)
    except ValidationError as error:
        problems = [
            f"{name(*problem['loc'])} is {problem['input']!r}: {problem['msg']}" for problem in error.errors()
        ]
        raise SettingError(f"{'; '.join(problems)}. {_ALLOWED}") from error


_ALLOWED = (
    f"The delays are {', '.join(sorted(set(Delays.model_fields) - {'profile'}))}, in seconds from 0 to "
    f"{LONGEST_SECONDS}, the profiles {', '.join(PROFILES)}; rate_limits is true or false."
)


def _variable(*location: str) -> str:
    member = location[-1]
    return ENVIRONMENT_PREFIX + ("DELAYS" if member == "profile" else member.upper())


def _dotted(*location: str) -> str:
    return ".".join(map(str, location)) or "The behaviour"
