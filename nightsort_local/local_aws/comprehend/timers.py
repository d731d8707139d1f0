"""What is to happen to resources later: one thread that waits, so that no worker has to."""

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
    """Calls actions after their delays, as they are when it looks: a delay that is changed meanwhile counts.

    :param lock: held while an action runs, and by callers of all methods: what is cancelled will not happen.
    :param behaviour: has the delays.
    """

    def __init__(self, lock: threading.RLock, behaviour: Behaviour) -> None:
        self._condition = threading.Condition(lock)
        self._behaviour = behaviour
        self._waits: dict[str, _Wait] = {}
        behaviour.on_change(self._wake)
        threading.Thread(target=self._run, name="timers", daemon=True).start()

    @property
    def delays(self) -> Delays:
        """The delays as they are now."""
        return self._behaviour.delays

    def after(self, delay: str, since: float, key: str, action: Callable[[], None]) -> None:
        """Have an action called, in another thread.

        :param delay: the name of a delay, a member of :class:`Delays`.
        :param since: when it began, epoch seconds; what a restart of the server took counts.
        :param key: what :meth:`cancel` calls it by; one action a key.
        """
        self._waits[key] = _Wait(delay, since, action)
        self._wake()

    def cancel(self, key: str) -> bool:
        """Forget an action; False when it is not waited for (any more)."""
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
                    # An action may cancel another one.
                    if due[key] <= moment and key in self._waits:
                        self._waits.pop(key).action()
                if not any(time_due <= moment for time_due in due.values()):
                    self._condition.wait(min(due.values()) - moment if due else None)
