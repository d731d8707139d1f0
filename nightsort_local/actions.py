"""Common parts of commands: start the stack and run a DAG, with visible progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from nightsort_local.stack_settings import ADMIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nightsort.terminal import Terminal
    from nightsort_local.dag_runs import DagRunResult
    from nightsort_local.progress import Progress
    from nightsort_local.stack import LocalStack


def start(stack: LocalStack, progress: Progress) -> None:
    """Start the stack as a visible step."""
    with progress.step("Starting the local stack"):
        progress.retitle("The local stack is up" if stack.up() else "The local stack was already up")


def follow(
    stack: LocalStack, dag_id: str, conf: Mapping[str, Any], progress: Progress, *, timeout: float = 3600
) -> DagRunResult:
    """Run a DAG as a visible step; print what its tasks warned of, and the logs of a failed run."""
    with progress.step(dag_id):
        result = stack.run_dag(dag_id, conf, timeout=timeout, observer=progress)
        if not result.succeeded:
            progress.fail()
    for warning in result.warnings:
        progress.console.print(f"Warning: {warning}", style="yellow", soft_wrap=True)
    if not result.succeeded:
        print_failure(progress.console, stack, result)
    return result


def print_failure(console: Terminal, stack: LocalStack, result: DagRunResult) -> None:
    """Print the end of each failed task's log, and what to do next."""
    for label, tail in result.log_tails.items():
        console.print(Text(f"The end of the log of {label}:", style="bold"))
        console.print(tail, soft_wrap=True)
    url = f"{stack.airflow_url}/dags/{result.dag_id}/runs/{result.run_id}"
    console.print(
        Text.assemble(
            (f"{result.dag_id} failed. ", "bold red"),
            f"The run: {url}\nFix the cause, then run it again. Finished work is found and not repeated.",
        ),
        soft_wrap=True,
    )


def print_access(console: Terminal, stack: LocalStack) -> None:
    """Print the addresses of Airflow and the local AWS, and the login."""
    schedules = "on" if stack.schedules else "off: you trigger the runs (`up --schedules` switches them on)"
    table = Table.grid(padding=(0, 2))
    table.add_row("Airflow", f"{stack.airflow_url}  user {ADMIN}  password {stack.password}")
    table.add_row("local AWS", stack.aws_url)
    table.add_row("schedules", schedules)
    table.add_row("specs", "\n".join(stack.specs))
    console.print(table)
