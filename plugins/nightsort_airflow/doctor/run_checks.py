"""Run checks, each within its time; a check that fails or hangs does not stop the others."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Final

from airflow.sdk.log import redact  # type: ignore[attr-defined]  # no other public way to it
from botocore.exceptions import BotoCoreError, ClientError

from nightsort_airflow.aws_errors import remedy
from nightsort_airflow.doctor.findings import Finding, Outcome, State, failed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nightsort_airflow.doctor.findings import Check

CHECK_SECONDS: Final = 30.0
"""How long one check may take."""


def examine(checks: Iterable[Check], seconds: float = CHECK_SECONDS) -> list[Finding]:
    """
    Make the checks, and return a finding for each, in their order.

    Checks that are made apart begin at once, and are waited for at the end. The others are made one after the
    other.

    :param checks: in the order of the report; a needed check comes before those that need it, and is not made
        apart.
    :param seconds: the time that a check may take, unless it says that it needs more. A check that takes
        longer is abandoned in a thread that ends with the process.
    """
    checks = list(checks)
    apart = {check: _begin(check) for check in checks if check.apart}
    outcomes: dict[Check, Outcome] = {}
    blocking: set[Check] = set()
    for check in checks:
        if check.apart:
            continue
        blocked = next((needed for needed in check.needs if needed in blocking), None)
        if blocked is None:
            outcome = _outcome(check, _begin(check), seconds)
        else:
            outcome = Outcome(State.CANNOT_TELL, f"not checked, because this failed: {blocked.subject}")
        if blocked is not None or outcome.state is State.FAILED:
            blocking.add(check)
        outcomes[check] = outcome
    for check, answers in apart.items():
        outcomes[check] = _outcome(check, answers, seconds)
    return [Finding.of(check, outcomes[check]) for check in checks]


def raised(error: Exception) -> Outcome:
    """
    Return the finding for a check that raised; passwords that Airflow knows are masked.

    :param error: what the check raised.
    """
    message = (
        str(error) if isinstance(error, (BotoCoreError, ClientError)) else f"{type(error).__name__}: {error}"
    )
    return failed(
        str(redact(" ".join(message.split()))),
        remedy(error) or "correct what the message names; if it is nothing of yours, report it as a bug",
    )


def _begin(check: Check) -> queue.SimpleQueue[Outcome]:
    """Make the check in a thread; its outcome comes through the queue that is returned."""
    answers: queue.SimpleQueue[Outcome] = queue.SimpleQueue()

    def look() -> None:
        try:
            outcome = check.look()
        except Exception as error:
            # Whatever it is, the other checks go ahead, and this check's line has it.
            outcome = raised(error)
        answers.put(outcome)

    # A daemon: a call that never returns must not keep the process from ending.
    threading.Thread(target=look, name=f"doctor: {check.subject}", daemon=True).start()
    return answers


def _outcome(check: Check, answers: queue.SimpleQueue[Outcome], seconds: float) -> Outcome:
    """Wait for the outcome, for as long as the check may take."""
    seconds = max(seconds, check.seconds or 0)
    try:
        return answers.get(timeout=seconds)
    except queue.Empty:
        return failed(
            f"no answer within {seconds:g} s",
            "let this machine reach it: address, security group, VPC endpoint, proxy",
        )
