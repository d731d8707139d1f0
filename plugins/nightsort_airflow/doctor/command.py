"""``nightsort doctor``: the report on a terminal or as JSON, and the exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from rich.text import Text

from nightsort.terminal import Terminal
from nightsort_airflow.doctor.all_checks import deployment_checks
from nightsort_airflow.doctor.dag_parsing import begin_parse_in_fork
from nightsort_airflow.doctor.findings import State, counted, report_lines
from nightsort_airflow.doctor.run_checks import examine

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
    Check this deployment and print the report; return the exit code: 1 if a line failed.

    :param specs: names of the specs to check; none: all.
    :param as_json: whether to print JSON.
    :param seconds: the time that one check may take.
    """
    parse = begin_parse_in_fork()  # before the status line, which has a thread
    with Terminal(stderr=True).status("checking the deployment"):
        findings = examine(deployment_checks(specs, in_a_task=False, parse=parse), seconds)
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
    console = Terminal(soft_wrap=True, highlight=False)
    for state, line in report_lines(findings):
        console.print(Text(line, style=STYLES[state]))
    console.print(", ".join(f"{number} {state}" for state, number in counted(findings).items()))
