"""The command line of the local stack: ``nightsort-local``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from nightsort.classifier_spec.loading import FOLDERS_VARIABLE, spec_folders
from nightsort.terminal import CommandGroup
from nightsort.wording import number_of
from nightsort_local.actions import follow, print_access, start
from nightsort_local.errors import StackError, StillRunningError
from nightsort_local.home import OWN_SPECS, home_from_environment
from nightsort_local.progress import Progress, make_console
from nightsort_local.stack import LocalStack
from nightsort_local.stack_settings import enter, shell_exports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


app = typer.Typer(
    help="The local stack: PostgreSQL, a local AWS and Airflow on this machine's loopback interface.",
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
)
CONSOLE = make_console()
ERRORS = make_console(stderr=True)
PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True}
"""The settings of a command whose arguments another parser reads."""

Source = Annotated[
    Path, typer.Argument(help="A file, or a folder with all that is in it.", show_default=False)
]
Target = Annotated[
    str, typer.Argument(help="Where to, such as s3://my-bucket/tickets/labelled/.", show_default=False)
]

STILL_RUNNING = 3
"""The exit code when the command has waited as long as it may, and the run goes on."""

INTERRUPTED = 130
"""The exit code after Ctrl-C."""


@contextmanager
def _reported_errors(
    after_interruption: str = "`make stop` stops the processes that still run.",
) -> Iterator[None]:
    """Print an error of the stack as a message, and exit with code 1."""
    try:
        yield
    except StillRunningError as error:
        ERRORS.print(str(error), soft_wrap=True)
        raise typer.Exit(STILL_RUNNING) from error
    except StackError as error:
        ERRORS.print(Text.assemble(("error: ", "bold red"), str(error)), soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        ERRORS.print(f"\nInterrupted. {after_interruption}", soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None


def _running_stack(report: Callable[[str], None] | None = None) -> LocalStack:
    """Return the stack of this checkout, with the settings of its start."""
    return LocalStack(home_from_environment(os.environ), report=report)


def _stack_to_start(progress: Progress, *, schedules: bool | None = None) -> LocalStack:
    """Return the stack of this checkout, with the settings of this shell.

    Where the shell names no folders of specs, a stack that runs keeps its own.
    """
    home = home_from_environment(os.environ)
    specs = None
    if os.environ.get(FOLDERS_VARIABLE, "").strip():
        specs = spec_folders(os.environ)
        for folder in specs:
            if not folder.is_dir():
                CONSOLE.print(
                    f"Warning: {FOLDERS_VARIABLE} names {folder}, which is not a folder: create it, or "
                    "correct the variable.",
                    style="yellow",
                    soft_wrap=True,
                )
    elif not LocalStack(home).status():
        specs = [OWN_SPECS] if OWN_SPECS.is_dir() else []
    return LocalStack(home, specs, schedules=schedules, report=progress.detail)


@app.command()
def up(
    schedules: Annotated[
        bool | None,
        typer.Option(
            "--schedules/--no-schedules",
            help="Let cron schedules and asset events start runs. By default you start the runs.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Start the stack; components that already run stay as they are."""
    progress = Progress(CONSOLE)
    with _reported_errors():
        stack = _stack_to_start(progress, schedules=schedules)
        start(stack, progress)
        print_access(CONSOLE, stack)


@app.command()
def down(
    remove: Annotated[bool, typer.Option("--remove", help="Delete data, logs and password too.")] = False,
) -> None:
    """Stop all processes of the stack, and keep the data."""
    progress = Progress(CONSOLE)
    with _reported_errors():
        stack = _running_stack(progress.detail)
        with progress.step("Stopping the local stack"):
            progress.retitle("The local stack is down" if stack.down() else "No local stack was up")
            if remove:
                stack.home.remove()
                progress.retitle(f"The local stack is down and removed ({stack.home.root})")


@app.command()
def status() -> None:
    """Show the components and the address of Airflow. Exit code 0 if all run, 1 if not."""
    with _reported_errors():
        stack = _running_stack()
        states = stack.status()
        if not states:
            CONSOLE.print("The local stack is down: `nightsort-local up` starts it.")
            raise typer.Exit(1)
        table = Table("component", "state", "pid", "up for", "log", box=None, header_style="dim")
        for state in states.values():
            running = state.is_running
            table.add_row(
                state.name,
                Text(state.state.lower(), style="green" if running else "bold red"),
                str(state.pid) if running else "",
                _duration(time.time() - state.started) if running else state.problem,
                os.path.relpath(stack.home.logs / f"{state.name}.log"),
            )
        CONSOLE.print(table)
        print_access(CONSOLE, stack)
        if not stack.is_up():
            raise typer.Exit(1)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


@app.command()
def env() -> None:
    """Print exports that lead aws, psql, airflow and the tests to the stack: eval "$(… env)"."""
    with _reported_errors():
        stack = _running_stack()
        # Not through rich, which would wrap and colour the lines for the shell.
        typer.echo(shell_exports(stack.environment(), os.environ))


@app.command()
def put(source: Source, uri: Target) -> None:
    """Copy files into the local S3, and create the bucket if needed."""
    # Imported here: s3fs would make every other command a second slower.
    from nightsort.storage import plain_access
    from nightsort_local.put_files import put_files

    with _reported_errors():
        stack = _running_stack()
        if not stack.status():
            raise StackError("The stack is down: `nightsort-local up` starts it.")
        enter(stack.environment())
        number = put_files(source, uri, plain_access())
        CONSOLE.print(f"{number_of(number, 'file')} copied to {uri}", soft_wrap=True)


@app.command(context_settings=PASSED_ON)
def doctor(context: typer.Context) -> None:
    """Check the stack as a deployment. It takes the options of `nightsort doctor`."""
    with _reported_errors():
        command = [sys.executable, "-m", "nightsort", "doctor", *context.args]
        environment = _running_stack().environment()
        raise typer.Exit(subprocess.run(command, env=environment, check=False).returncode)  # noqa: S603


@app.command(context_settings=PASSED_ON, add_help_option=False)
def aws(context: typer.Context) -> None:
    """Run the local AWS alone, in the foreground: `nightsort-local aws --help`."""
    from nightsort_local.local_aws.__main__ import main

    raise typer.Exit(main(context.args))


@app.command("run-dag")
def run_dag(
    dag_id: Annotated[str, typer.Argument(help="Such as classify_aws-services.", show_default=False)],
    conf: Annotated[str, typer.Option(help='The params as JSON, such as {"day": "2026-11-01"}.')] = "{}",
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the end of the run.")] = 3600,
) -> None:
    """Run a DAG and show its tasks. Exit code 0 if it succeeds, 1 if not, 3 if it still runs.

    A run with the same params that has not ended is followed, and no other is started.
    """
    with _reported_errors():
        params = _params(conf)
        progress = Progress(CONSOLE)
        stack = _running_stack(progress.detail)
        _note_other_specs(stack)
        result = follow(stack, dag_id, params, progress, timeout=timeout)
        if not result.succeeded:
            raise typer.Exit(1)


def _note_other_specs(stack: LocalStack) -> None:
    """Say that this shell names folders of specs with which the stack does not run."""
    named = [str(folder.resolve()) for folder in spec_folders(os.environ)]
    if os.environ.get(FOLDERS_VARIABLE) and not {*named} <= {*stack.specs}:
        CONSOLE.print(
            f"{FOLDERS_VARIABLE} names {' and '.join(named)}, but the stack runs with the specs of "
            f"{' and '.join(stack.specs)}. `nightsort-local up` changes that.",
            style="yellow",
            soft_wrap=True,
        )


@app.command()
def demo() -> None:
    """Train on the sample, classify its next day and show the result, as `make run` does."""
    # Imported here: boto3 and scikit-learn would make every other command a second slower.
    from nightsort_local.demo import run_demo

    progress = Progress(CONSOLE)
    with _reported_errors():
        if not run_demo(_stack_to_start(progress), progress):
            raise typer.Exit(1)


@app.command("compare")
def compare_command(
    bucket: Annotated[str, typer.Option(help="A bucket in the region of the other side.")],
    role: Annotated[str, typer.Option(help="ARN of a data access role that may use the bucket.")],
    most_usd: Annotated[float, typer.Option(help="Refuse to start if it may cost more.")] = 5.0,
    endpoint: Annotated[bool, typer.Option("--endpoint", help="Ask an endpoint for a minute, too.")] = False,
    more_trainings: Annotated[
        bool, typer.Option("--more-trainings", help="Train on doubtful data four times, too.")
    ] = False,
    other_url: Annotated[str, typer.Option(help="Compare with a second local AWS instead of AWS.")] = "",
    profile: Annotated[str, typer.Option(help="A profile of your AWS configuration.")] = "",
    region: Annotated[str, typer.Option(help="The region; by default that of the profile.")] = "",
    output: Annotated[Path, typer.Option(help="Folder of the report and of what it remembers.")] = Path(
        "nightsort-compare"
    ),
    keep: Annotated[
        bool, typer.Option("--keep", help="On Ctrl-C leave what runs and is paid for, to go on later.")
    ] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Only delete what an interrupted comparison left.")
    ] = False,
) -> None:
    """Compare the local Comprehend with AWS, on generated documents, and write a report.

    Everything that it makes is deleted at the end. It can be interrupted and started again.
    """
    # Imported here: boto3 would make every other command a second slower.
    from nightsort_local.compare import command

    request = command.Request(
        bucket=bucket,
        role=role,
        most_usd=most_usd,
        options=command.options_of(endpoint=endpoint, more_trainings=more_trainings),
        other_url=other_url,
        profile=profile,
        region=region,
        output=output,
        keep=keep,
    )
    with _reported_errors("The same command goes on from here; with --remove it deletes what is left."):
        (command.remove if remove else command.compare)(request, Progress(CONSOLE))


def _params(conf: str) -> dict[str, Any]:
    try:
        params = json.loads(conf)
    except ValueError as error:
        raise StackError(f"--conf is not JSON ({error}): give an object, such as '{{}}'.") from error
    if not isinstance(params, dict):
        raise StackError(f"--conf must be a JSON object, not {conf}.")
    return params
