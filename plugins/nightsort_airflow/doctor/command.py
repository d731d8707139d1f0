"""``nightsort doctor``: the report on a terminal or as JSON, and the exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from nightsort_airflow.doctor.examination import examine
from nightsort_airflow.doctor.examinations import deployment_checks
from nightsort_airflow.doctor.findings import State, counted, report_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nightsort_airflow.doctor.findings import Finding

STYLES: Final = {
    State.OK: "",
    State.WARNING: "yellow",
    State.FAILED: "bold red",
    State.CANNOT_TELL: "cyan",
    None: "bold",
}


def run(specs: Sequence[str], *, as_json: bool, seconds: float) -> int:
    """
    Examine this deployment and print the report; return the exit code: 1 if a line failed.

    :param specs: names of the specs to look at; none: all.
    :param as_json: whether to print JSON.
    :param seconds: the time that one check may take.
    """
    with Console(stderr=True).status("looking at the deployment"):
        findings = examine(deployment_checks(specs, in_a_task=False), seconds)
    if as_json:
        print(
            json.dumps(
                {"counts": counted(findings), "findings": [found.to_dict() for found in findings]}, indent=2
            )
        )
    else:
        _print(findings)
    return 1 if counted(findings)[State.FAILED.value] else 0


def _print(findings: Sequence[Finding]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for state, line in report_lines(findings):
        console.print(Text(line, style=STYLES[state]))
    console.print(", ".join(f"{number} {state}" for state, number in counted(findings).items()))
