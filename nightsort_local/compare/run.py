"""Run the checks against one side, so that it can be interrupted anywhere and started again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from nightsort_local.compare.checks import Check, Stage, most_usd
from nightsort_local.compare.looks.requests import start_nothing
from nightsort_local.compare.side import NOT_REACHED, NotReachedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nightsort_local.compare.ledger import Ledger
    from nightsort_local.compare.side import Side


def is_done(check: Check, ledger: Ledger) -> bool:
    """Return whether a check has its observations. One that costs nothing must have all of them."""
    if check.name not in ledger.observed:
        return False
    observed = ledger.observed[check.name].values()
    is_whole = not any(isinstance(value, dict) and NOT_REACHED in value for value in observed)
    return is_whole or bool(check.trainings or check.jobs)


def forecast_usd(ledger: Ledger, checks: Sequence[Check]) -> float:
    """Return what a comparison will have cost at most, with what it has cost so far.

    :param ledger: what was made, paid and observed.
    :param checks: all checks that were chosen.
    """
    left = [check for check in checks if not is_done(check, ledger)]
    return round(ledger.total_usd() + most_usd(left, ledger), 4)


def run_side(side: Side, checks: Sequence[Check]) -> dict[str, str]:
    """Make every observation that is missing; return why others could not be made.

    :param side: the side; its ledger receives the observations.
    :param checks: the checks.
    :returns: reasons, by check.
    """
    unreached: dict[str, str] = {}
    left = [check for check in checks if not is_done(check, side.ledger)]
    _start_trainings(side, left)
    number = 0
    for stage in Stage:
        of_stage = [check for check in left if check.stage is stage]
        if stage is Stage.JOBS:
            _start_jobs(side, of_stage)
        for check in of_stage:
            number += 1
            side.say(f"{number} of {len(left)}: {check.name}")
            why = _look(side, check)
            if why:
                unreached[check.name] = side.mask.text(why)
    return unreached


def _look(side: Side, check: Check) -> str:
    """Make the observations of a check; return why not, or an empty text."""
    try:
        side.ledger.observed[check.name] = side.mask(check.look(side))
        side.ledger.save()
    except (NotReachedError, ClientError, BotoCoreError) as error:
        return str(error)
    except Exception as error:  # An answer of a form that nobody knew must not end the other checks.
        return f"unexpected answer ({type(error).__name__}: {error})"
    return ""


def _start_trainings(side: Side, checks: Sequence[Check]) -> None:
    """Start all trainings, which take long, before the first check. A check tells what went wrong."""
    names = sorted(frozenset[str]().union(*(check.all_trainings for check in checks)))
    for name in names:
        _try(side.start_training, name)
    if any(check.stage is Stage.REQUESTS for check in checks):
        _try(start_nothing, side)


def _start_jobs(side: Side, checks: Sequence[Check]) -> None:
    for name in sorted({job for check in checks for job in check.jobs}):
        _try(side.start_job, name)


def _try(start: Any, *arguments: Any) -> None:
    try:
        start(*arguments)
    except (NotReachedError, ClientError, BotoCoreError):
        return
