"""The command that reads Comprehend's output."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (Typer reads annotations)
from typing import TYPE_CHECKING, Annotated

import typer

from nightsort.cli.command import AsJson, app, named_spec
from nightsort.cli.output import print_json, print_values, progress_shown, user_errors
from nightsort.errors import NightsortError

if TYPE_CHECKING:
    from upath import UPath


@app.command()
def read_predictions(
    archive: Annotated[str, typer.Argument(help="A job's output.tar.gz.", show_default=False)],
    manifest: Annotated[
        str | None,
        typer.Option(
            help="The batch's manifest: writes a row per document, with its id.", show_default=False
        ),
    ] = None,
    spec: Annotated[
        str | None,
        typer.Option(
            help="The classifier spec (file or name), for its mode and threshold.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Write rows to this file: .jsonl, .csv or .parquet.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read a job's output: count its results and, with --output, write them as rows.

    With --manifest, there is a row for each document of the batch, as in the table predictions: its label, or
    the reason why it has none. Without, there is a row for each prediction, with its file and line.
    """
    with user_errors(), progress_shown() as progress:
        from upath import UPath

        from nightsort.results.files import write_predictions, write_results

        if manifest is None:
            counts = write_predictions(_existing(UPath(archive)), output, progress=progress)
        else:
            loaded = None if spec is None else named_spec(spec)
            counts = write_results(
                _existing(UPath(archive)),
                _existing(UPath(manifest)),
                output,
                mode="MULTI_CLASS" if loaded is None else loaded.mode,
                threshold=0.5 if loaded is None else loaded.threshold,
                progress=progress,
            )
    if as_json:
        print_json(counts)
    else:
        print_values(counts)


def _existing(path: UPath) -> UPath:
    """Check that there is a file, whose absence S3 reports without its name."""
    if not path.exists():
        raise NightsortError(f"{path} does not exist; correct the path, or the name of the bucket")
    return path
