"""What commands have in common: starting the stack and running a DAG, before a person's eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from nightsort_local.environment import ADMIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from nightsort_local.dag_runs import DagRunResult
    from nightsort_local.progress import Progress
    from nightsort_local.stack import LocalStack


def start(stack: LocalStack, progress: Progress) -> None:
    """Start the stack, with a step that says so."""
    with progress.step("Starting the local stack"):
        progress.retitle("The local stack is up" if stack.up() else "The local stack was up already")


def follow(
    stack: LocalStack, dag_id: str, conf: Mapping[str, Any], progress: Progress, *, timeout: float = 3600
) -> DagRunResult:
    """Run a DAG in a step of its own; of a run that fails, show what went wrong."""
    with progress.step(dag_id):
        result = stack.run_dag(dag_id, conf, timeout=timeout, observer=progress)
        if not result.succeeded:
            progress.fail()
    if not result.succeeded:
        print_failure(progress.console, stack, result)
    return result


def print_failure(console: Console, stack: LocalStack, result: DagRunResult) -> None:
    """Print the end of the log of every failed task, and what to do."""
    for label, tail in result.log_tails.items():
        console.print(Text(f"The end of the log of {label}:", style="bold"))
        console.print(tail, soft_wrap=True, markup=False)
    url = f"{stack.airflow_url}/dags/{result.dag_id}/runs/{result.run_id}"
    console.print(
        Text.assemble(
            (f"{result.dag_id} failed. ", "bold red"),
            f"The whole run: {url}\nMend the cause, then run it again: what was done already is found again, "
            "and not done twice.",
        ),
        soft_wrap=True,
    )


def print_access(console: Console, stack: LocalStack) -> None:
    """Print where Airflow and the local AWS are, and how to get in."""
    schedules = "on" if stack.schedules else "off, runs start when you trigger them (`up --schedules`: on)"
    table = Table.grid(padding=(0, 2))
    table.add_row("Airflow", f"{stack.airflow_url}  user {ADMIN}  password {stack.password}")
    table.add_row("local AWS", stack.aws_url)
    table.add_row("schedules", schedules)
    console.print(table)
