"""The command itself, its logging, and the options that several commands have."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.logging import RichHandler

from nightsort.cli.output import err

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help=(
        "Nightsort's steps, one by one, without Airflow. Paths may be local or s3://…; S3 is configured by "
        "the environment (AWS_ENDPOINT_URL, AWS_PROFILE, …). Results go to standard output, progress to "
        "standard error. Exit code 0: done; 2: the input cannot be used, and the message says why and what "
        "to do."
    ),
)

SpecFile = Annotated[Path, typer.Argument(help="The classifier spec, a YAML file.", show_default=False)]
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
