"""Delayed actions on resources, in one thread, so that no worker waits."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from nightsort_local.local_aws.comprehend.behaviour import Behaviour, Delays


@dataclass(frozen=True)
class _Wait:
    delay: str
    since: float
    action: Callable[[], None]


class Timers:
    """Run actions after their delays. A changed delay also applies to actions that already wait.

    :param lock: held while an action runs. Callers of all methods hold it, too: a cancelled action never
        runs.
    :param behaviour: the current delays.
    """

    def __init__(self, lock: threading.RLock, behaviour: Behaviour) -> None:
        self._condition = threading.Condition(lock)
        self._behaviour = behaviour
        self._waits: dict[str, _Wait] = {}
        behaviour.on_change(self._wake)
        threading.Thread(target=self._run, name="timers", daemon=True).start()

    @property
    def delays(self) -> Delays:
        """The current delays."""
        return self._behaviour.delays

    def after(self, delay: str, since: float, key: str, action: Callable[[], None]) -> None:
        """Schedule an action; it runs in another thread.

        :param delay: the name of a delay, a member of :class:`Delays`.
        :param since: start of the delay, in epoch seconds. The time of a restart counts.
        :param key: the key for :meth:`cancel`; one action per key.
        """
        self._waits[key] = _Wait(delay, since, action)
        self._wake()

    def cancel(self, key: str) -> bool:
        """Cancel an action; return False if none is pending."""
        return self._waits.pop(key, None) is not None

    def _wake(self) -> None:
        with self._condition:
            self._condition.notify()

    def _run(self) -> None:
        with self._condition:
            while True:
                delays = self.delays
                due = {key: wait.since + getattr(delays, wait.delay) for key, wait in self._waits.items()}
                moment = time.time()
                for key in sorted(due, key=lambda key: due[key]):
                    # An action can cancel another one.
                    if due[key] <= moment and key in self._waits:
                        self._waits.pop(key).action()
                if not any(time_due <= moment for time_due in due.values()):
                    self._condition.wait(min(due.values()) - moment if due else None)
