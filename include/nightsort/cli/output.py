"""What commands print: values, JSON, progress, and the errors that a user can correct."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from nightsort.errors import NightsortError
from nightsort.terminal import Terminal
from nightsort.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nightsort.storage import Progress

out = Terminal()
err = Terminal(stderr=True)

QUIET_SECONDS = 2
_AWS_SDK = ("botocore.", "aiobotocore.")
_AWS_REMEDY = (
    "S3 is reached with the settings of this shell: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, and AWS_ENDPOINT_URL if it is not AWS's. For the local stack:  "
    'eval "$(nightsort-local env)"'
)


@contextmanager
def user_errors(*others: type[Exception]) -> Iterator[None]:
    """Show only the message of errors that the user can correct; other errors keep their traceback.

    :param others: errors of a library that the user can correct too.
    """
    try:
        yield
    except Exception as error:
        # The AWS SDK is not imported here, so its errors are recognised by name: the user can correct
        # credentials and buckets.
        is_aws_error = type(error).__module__.startswith(_AWS_SDK)
        if not is_aws_error and not isinstance(error, (NightsortError, OSError, *others)):
            raise
        raise _error_exit(error, _AWS_REMEDY if is_aws_error else None) from error


def _error_exit(error: Exception, remedy: str | None) -> typer.Exit:
    message = str(error) or type(error).__name__
    if isinstance(error, OSError):
        message = one_line(message)
    if remedy is not None:
        message = f"{message.rstrip('.')}. {remedy}"
    err.print(message, style="red", soft_wrap=True)
    return typer.Exit(2)


@contextmanager
def progress_shown() -> Iterator[Progress]:
    """Show the progress after two seconds."""
    began = time.monotonic()
    with err.status("") as status:
        status.stop()
        shown = False

        def show(step: str, documents: int) -> None:
            nonlocal shown
            elapsed = time.monotonic() - began
            if elapsed < QUIET_SECONDS:
                return
            if not shown:
                status.start()
                shown = True
            of = f": {documents:,} documents" if documents else ""
            status.update(Text(f"{step}{of}, {elapsed:.0f} s"))

        yield show


def print_json(values: Any) -> None:
    """Print values as JSON to standard output."""
    typer.echo(json.dumps(values, indent=2, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> None:
    """Print rows below the names of their columns; whole numbers stand to the right."""
    listed = list(rows)
    if not listed:
        return
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column, value in zip(columns, listed[0], strict=True):
        table.add_column(column, justify="right" if isinstance(value, int) else "left", overflow="fold")
    for row in listed:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in row))
    out.print(table)


def print_rejects(
    counts: Mapping[str, int], examples: Mapping[str, Sequence[str]], uri: str | None = None
) -> None:
    """Print how many documents were rejected for which reason, where the first are, and what to do.

    :param counts: by reason.
    :param examples: by reason.
    :param uri: the file with all of them, if there is one.
    """
    from nightsort.sources.rejects import REASONS

    rows = [(reason, count, "; ".join(examples[reason]), REASONS[reason]) for reason, count in counts.items()]
    print_table(("rejected", "documents", "for instance", "what to do"), rows)
    if rows and uri is not None:
        out.print(f"All rejects: {uri}", soft_wrap=True)


def warn(message: str) -> None:
    """Print a warning."""
    out.print(f"Warning: {message}", style="yellow", soft_wrap=True)


def print_values(values: Mapping[str, Any]) -> None:
    """Print names with their values as a table."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for key, value in values.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name} {number:,}" for name, number in value.items()) or "none"
        elif isinstance(value, list):
            value = ", ".join(map(str, value)) or "none"
        table.add_row(key.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
    out.print(table)
