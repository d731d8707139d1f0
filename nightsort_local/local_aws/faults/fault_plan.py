"""The faults in force, and how often each one struck."""

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
        """Count one match; return whether the fault strikes."""
        fault = self.fault
        if fault.times is not None and self.struck >= fault.times:
            return False
        self.matched += 1
        strikes = self.matched > fault.after and self.chance.random() < fault.rate
        self.struck += strikes
        return strikes


class FaultPlan:
    """The faults in force, in the order of their creation. Thread-safe.

    Every fault has its own random generator with the same seed: the same calls get the same faults.

    :param faults: the initial faults.
    """

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._planned: tuple[_Planned, ...] = ()
        self.replace(faults)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> FaultPlan:
        """Return the plan in the variable :data:`FAULTS`, a JSON list.

        :raises SettingError: the variable is invalid.
        """
        try:
            faults = json.loads(environment.get(FAULTS) or "[]")
            if not isinstance(faults, list):
                raise SettingError("it must be a JSON list of faults")
            return cls([parse_fault(fault) for fault in faults])
        except (ValueError, SettingError) as error:
            raise SettingError(f"{FAULTS} is invalid: {error}.") from error

    # --- faults in force -----------------------------------------------------------------------------------

    def replace(self, faults: Iterable[Fault]) -> None:
        """Replace all faults."""
        with self._lock:
            self._planned = tuple(self._plan(fault) for fault in faults)

    def add(self, fault: Fault) -> str:
        """Add a fault after the others; return its id."""
        with self._lock:
            planned = self._plan(fault)
            self._planned += (planned,)
        return planned.id

    def remove(self, fault_id: str) -> bool:
        """Remove a fault; return False if no fault has this id."""
        with self._lock:
            kept = tuple(planned for planned in self._planned if planned.id != fault_id)
            found = len(kept) < len(self._planned)
            self._planned = kept
        return found

    def has(self, fault: Fault) -> bool:
        """Return whether this fault object is still in the plan, used up or not."""
        return any(planned.fault is fault for planned in self._planned)

    def shown(self) -> list[dict[str, Any]]:
        """Return the faults as JSON, each with its ``id`` and how often it ``struck``."""
        with self._lock:
            return [
                {"id": planned.id, "struck": planned.struck, **planned.fault.model_dump(mode="json")}
                for planned in self._planned
            ]

    # --- matching ---------------------------------------------------------------------------------------

    def has_s3_faults(self) -> bool:
        """Return whether any fault is for S3 requests; otherwise their operation need not be parsed."""
        return any(
            isinstance(planned.fault, RequestFault) and planned.fault.operation.startswith(S3)
            for planned in self._planned
        )

    def strike_request(self, operation: str) -> list[RequestFault]:
        """Return a request's faults: all latencies before the first other fault that strikes, and it."""
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
        """Return all faults of a training or a job, in their order."""
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
