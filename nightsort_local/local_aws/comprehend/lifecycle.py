"""What becomes of resources by itself: each state that passes, how long it lasts and what follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nightsort_local.local_aws.comprehend.store import Resource
    from nightsort_local.local_aws.comprehend.timers import Timers


class Lifecycle:
    """Has what follows a resource's state happen when its time has come.

    :param timers: what is to happen later.
    :param following: of each state that passes, the name of its delay (a member of
        :class:`~nightsort_local.local_aws.comprehend.behaviour.Delays`) and what ends it.
    """

    def __init__(
        self, timers: Timers, following: Mapping[str, tuple[str, Callable[[Resource], None]]]
    ) -> None:
        self._timers = timers
        self._following = following

    def schedule_next(self, resource: Resource) -> None:
        """Wait for what follows the resource's state, if anything does."""
        if resource.state in self._following:
            delay, action = self._following[resource.state]
            self._timers.after(delay, resource.since, resource.arn, lambda: action(resource))

    def enter(self, resource: Resource, state: str) -> None:
        """Bring a resource into the state in which its work is done."""
        delay, work = self._following[state]
        if getattr(self._timers.delays, delay):
            resource.step(state)
            self.schedule_next(resource)
        else:
            # Without a delay it is in that state from when a worker takes it.
            work(resource)
