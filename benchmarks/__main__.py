"""Run the benchmarks: ``python -m benchmarks [SUBJECT ...]``, or ``make bench SUBJECT=load``.

A run with all sizes and rounds is kept in ``benchmarks/results`` and RESULTS.md; any other is only printed.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.measuring import Comparison, StepFailedError, compare
from benchmarks.results import as_markdown, save, write_page

SUBJECTS = (
    "sources",
    "training_data",
    "batches",
    "reuse",
    "load",
    "export",
    "night",
    "table_at_size",
    "orchestration",
    "dag_parsing",
    "pages",
    "learning",
)
"""The modules with benchmarks, in the order of RESULTS.md."""

ONLY_BY_NAME = frozenset({"table_at_size"})
"""Those that take too long or too much disk to run with the others."""

console = Console()


def main(
    subjects: Annotated[
        list[str] | None, typer.Argument(help="Which; all but the largest if none are named.")
    ] = None,
    sizes: Annotated[list[int] | None, typer.Option(help="Only at this size; can be repeated.")] = None,
    runs: Annotated[int | None, typer.Option(help="So many rounds at each size.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One round at a small size.")] = False,
) -> None:
    """Measure each step of Nightsort beside its floor and its peers."""
    if unknown := sorted(set(subjects or ()) - set(SUBJECTS)):
        raise typer.BadParameter(f"no subject {', '.join(unknown)}; there are {', '.join(SUBJECTS)}")
    chosen = subjects or [subject for subject in SUBJECTS if subject not in ONLY_BY_NAME]
    failed = [subject for subject in chosen if not _measured(subject, sizes, runs, quick)]
    if failed:
        console.print(f"[red]Failed:[/] {', '.join(failed)}")
        raise typer.Exit(1)


def _measured(subject: str, sizes: list[int] | None, runs: int | None, quick: bool) -> bool:
    results = []
    for comparison in import_module(f"benchmarks.{subject}").COMPARISONS:
        narrowed = _narrowed(comparison, sizes, runs, quick)
        if not narrowed.sizes:
            continue
        try:
            results.append(_with_progress(narrowed))
        except StepFailedError as error:
            console.print(str(error), style="red", markup=False, highlight=False)
            return False
        console.print(as_markdown(results[-1]), markup=False, highlight=False, soft_wrap=True)
    if not (sizes or runs or quick):
        save(subject, results)
        write_page(SUBJECTS)
    return True


def _narrowed(comparison: Comparison, sizes: list[int] | None, runs: int | None, quick: bool) -> Comparison:
    rounds = dict(comparison.sizes)
    if quick:
        rounds = {comparison.quick_size: 1} if comparison.quick_size else {}
    elif sizes:
        rounds = {size: rounds.get(size, 1) for size in sorted(sizes)}
    if runs:
        rounds = dict.fromkeys(rounds, runs)
    contenders = comparison.contenders
    if quick:
        contenders = [replace(contender, sizes=None) for contender in contenders]
    return replace(comparison, sizes=rounds, contenders=contenders)


def _with_progress(comparison: Comparison) -> dict[str, object]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(comparison.name, total=len(list(comparison.turns())))

        def report(done: int, following: str) -> None:
            progress.update(task, completed=done, description=f"{comparison.name} {following}")
            if not console.is_terminal:
                console.print(f"{comparison.name} {following}", highlight=False)

        result = compare(comparison, report=report)
        progress.update(task, completed=len(list(comparison.turns())), description=comparison.name)
        return result


if __name__ == "__main__":
    typer.run(main)
