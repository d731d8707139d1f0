"""Which fault strikes what, and how often each one did."""

from __future__ import annotations

import json
import random
import threading
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from nightsort_local.local_aws.faults.fault_types import (
    S3,
    Fault,
    Latency,
    RequestFault,
    WorkFault,
    parse_fault,
)
from nightsort_local.local_aws.settings import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FAULTS = "NIGHTSORT_LOCAL_AWS_FAULTS"

_SEED = 0


@dataclass
class _Planned:
    id: str
    fault: Fault
    chance: random.Random
    matched: int = 0
    struck: int = 0

    def strikes(self) -> bool:
        """Count one match, and tell whether the fault strikes it."""
        fault = self.fault
        if fault.times is not None and self.struck >= fault.times:
            return False
        self.matched += 1
        strikes = self.matched > fault.after and self.chance.random() < fault.rate
        self.struck += strikes
        return strikes


class FaultPlan:
    """The faults in force, in the order in which they were given; safe to use from many threads.

    Every fault has a random generator of its own with the same seed: the same calls meet the same faults.

    :param faults: those in force from the start.
    """

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._planned: tuple[_Planned, ...] = ()
        self.replace(faults)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> FaultPlan:
        """Return the plan that :data:`FAULTS` holds, a JSON list.

        :raises SettingError: it is no such list.
        """
        try:
            faults = json.loads(environment.get(FAULTS) or "[]")
            if not isinstance(faults, list):
                raise SettingError("it must be a JSON list of faults")
            return cls([parse_fault(fault) for fault in faults])
        except (ValueError, SettingError) as error:
            raise SettingError(f"{FAULTS} cannot be used: {error}.") from error

    # --- what is in force -----------------------------------------------------------------------------------

    def replace(self, faults: Iterable[Fault]) -> None:
        """Put other faults in the place of all."""
        with self._lock:
            self._planned = tuple(self._plan(fault) for fault in faults)

    def add(self, fault: Fault) -> str:
        """Add a fault behind the others; return its id."""
        with self._lock:
            planned = self._plan(fault)
            self._planned += (planned,)
        return planned.id

    def remove(self, fault_id: str) -> bool:
        """Take a fault out; False when there is none of this id."""
        with self._lock:
            left = tuple(planned for planned in self._planned if planned.id != fault_id)
            found = len(left) < len(self._planned)
            self._planned = left
        return found

    def has(self, fault: Fault) -> bool:
        """Tell whether this very fault has not been taken out; it may be spent."""
        return any(planned.fault is fault for planned in self._planned)

    def shown(self) -> list[dict[str, Any]]:
        """Return the faults as JSON, each with its ``id`` and how often it ``struck``."""
        with self._lock:
            return [
                {"id": planned.id, "struck": planned.struck, **planned.fault.model_dump(mode="json")}
                for planned in self._planned
            ]

    # --- what strikes ---------------------------------------------------------------------------------------

    def concerns_s3(self) -> bool:
        """Tell whether any fault is one of S3 requests; else nobody need find out their operation."""
        return any(
            isinstance(planned.fault, RequestFault) and planned.fault.operation.startswith(S3)
            for planned in self._planned
        )

    def strike_request(self, operation: str) -> list[RequestFault]:
        """Return what a request suffers: every latency up to the first other fault that strikes, and this."""
        struck: list[RequestFault] = []
        with self._lock:
            for planned in self._planned:
                fault = planned.fault
                if isinstance(fault, RequestFault) and fault.matches(operation) and planned.strikes():
                    struck.append(fault)
                    if not isinstance(fault, Latency):
                        break
        return struck

    def strike_work(self, resource: str, name: str) -> tuple[WorkFault, ...]:
        """Return all faults that a training or a job suffers, in their order."""
        with self._lock:
            return tuple(
                planned.fault
                for planned in self._planned
                if isinstance(planned.fault, WorkFault)
                and planned.fault.matches(resource, name)
                and planned.strikes()
            )

    def _plan(self, fault: Fault) -> _Planned:
        return _Planned(f"fault-{next(self._numbers)}", fault, random.Random(_SEED))
