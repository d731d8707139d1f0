"""Runs checks: each within its time, and none that can keep the others from being made."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Final

from airflow.sdk.log import redact  # type: ignore[attr-defined]  # no other public way to it
from botocore.exceptions import BotoCoreError, ClientError

from nightsort_airflow.aws_errors import remedy
from nightsort_airflow.doctor.findings import Finding, Outcome, State, failed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nightsort_airflow.doctor.findings import Check

CHECK_SECONDS: Final = 30.0
"""How long one check may take."""


def examine(checks: Iterable[Check], seconds: float = CHECK_SECONDS) -> Iterator[Finding]:
    """
    Make the checks, one after the other, and give a finding for each as it is made.

    :param checks: in the order of the report; one that is needed comes before those that need it.
    :param seconds: the time that a check may take, unless it says that it needs more. One that takes longer
        is left to itself, in a thread that ends with the process.
    """
    useless: set[Check] = set()
    for check in checks:
        blocked = next((needed for needed in check.needs if needed in useless), None)
        if blocked is not None:
            outcome = Outcome(State.CANNOT_TELL, f"not looked at, because this failed: {blocked.subject}")
        else:
            outcome = _looked(check, max(seconds, check.seconds or 0))
        if blocked is not None or outcome.state is State.FAILED:
            useless.add(check)
        yield Finding.of(check, outcome)


def raised(error: Exception) -> Outcome:
    """
    Return the finding for a check that ended with an exception; passwords that Airflow knows are not in it.

    :param error: what the check raised.
    """
    told = (
        str(error) if isinstance(error, (BotoCoreError, ClientError)) else f"{type(error).__name__}: {error}"
    )
    return failed(
        str(redact(" ".join(told.split()))),
        remedy(error) or "mend what the message names; if it names nothing of yours, report it as a fault",
    )


def _looked(check: Check, seconds: float) -> Outcome:
    answers: queue.SimpleQueue[Outcome] = queue.SimpleQueue()

    def look() -> None:
        try:
            outcome = check.look()
        except Exception as error:
            # Whatever it is, the other checks are to be made, and this one's line says it.
            outcome = raised(error)
        answers.put(outcome)

    # A daemon: a call that never returns must not keep the process from ending.
    threading.Thread(target=look, name=f"doctor: {check.subject}", daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except queue.Empty:
        return failed(
            f"no answer within {seconds:g} s",
            "let this machine reach it: address, security group, VPC endpoint, proxy",
        )
