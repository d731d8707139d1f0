"""Timed state transitions of resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nightsort_local.local_aws.comprehend.store import Resource
    from nightsort_local.local_aws.comprehend.timers import Timers


class Lifecycle:
    """Run the action that ends a state, after the state's delay.

    :param timers: the pending actions.
    :param transitions: for each temporary state the name of its delay (a member of
        :class:`~nightsort_local.local_aws.comprehend.behaviour.Delays`) and the action that ends the state.
    """

    def __init__(
        self, timers: Timers, transitions: Mapping[str, tuple[str, Callable[[Resource], None]]]
    ) -> None:
        self._timers = timers
        self._transitions = transitions

    def schedule_next(self, resource: Resource) -> None:
        """Schedule the action that ends the resource's state, if the state is temporary."""
        if resource.state in self._transitions:
            delay, action = self._transitions[resource.state]
            self._timers.after(delay, resource.since, resource.arn, lambda: action(resource))

    def enter(self, resource: Resource, state: str) -> None:
        """Put a resource into the state of its work, and start the work after the state's delay."""
        delay, work = self._transitions[state]
        if getattr(self._timers.delays, delay):
            resource.change_state(state)
            self.schedule_next(resource)
        else:
            # Without a delay, the resource enters the state when a worker takes its task.
            work(resource)
