"""The command itself, its logging, and the options that several commands have."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Annotated

import typer
from rich.logging import RichHandler

from nightsort.cli.output import err
from nightsort.terminal import CommandGroup

if TYPE_CHECKING:
    from nightsort.classifier_spec.model import ClassifierSpec

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
    help=(
        "Nightsort's steps, one by one, without Airflow. Paths may be local or s3://…; S3 is configured by "
        "the environment (AWS_ENDPOINT_URL, AWS_PROFILE, …). Results go to standard output, progress to "
        "standard error. Exit code 0: done; 2: the input cannot be used, and the message says why and what "
        "to do."
    ),
)

Spec = Annotated[
    str,
    typer.Argument(
        help="The classifier spec: its YAML file, or its name in the folders of NIGHTSORT_SPECS.",
        show_default=False,
    ),
]
_ANY_ARGUMENTS = {"allow_extra_args": True, "ignore_unknown_options": True}
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.callback()
def main(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Write a log to standard error.")] = False,
) -> None:
    """Set up logging."""
    logging.basicConfig(
        level=logging.WARNING, format="%(message)s", handlers=[RichHandler(console=err, show_path=False)]
    )
    if verbose:
        logging.getLogger("nightsort").setLevel(logging.INFO)


def named_spec(called: str) -> ClassifierSpec:
    """Read the spec of a name or of a file.

    :raises SpecError: there is no such spec, or it has problems.
    """
    from nightsort.classifier_spec.finding import find_spec

    return find_spec(called, os.environ)


@app.command("train", hidden=True, context_settings=_ANY_ARGUMENTS)
def train() -> None:
    """Say where a classifier is trained."""
    err.print(
        "There is no command train: this is the DAG train_<name of the spec>. Start it in Airflow, or "
        "on the local stack with  nightsort-local run-dag train_<name>. Its first step alone is the "
        "command prepare-training.",
        style="red",
        soft_wrap=True,
    )
    raise typer.Exit(2)
