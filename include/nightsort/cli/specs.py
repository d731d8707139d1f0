"""The command that checks classifier specs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from nightsort.cli.command import AsJson, app
from nightsort.cli.output import err, out, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nightsort.classifier_spec.model import ClassifierSpec


@app.command()
def validate_spec(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Specs (files or names), or folders of specs. Default: the folders in NIGHTSORT_SPECS.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check classifier specs: show each problem with its file, its key and what to do."""
    from nightsort.classifier_spec.finding import find_spec
    from nightsort.classifier_spec.model import load_specs, spec_folders
    from nightsort.classifier_spec.problems import SpecError

    given = paths or [str(folder) for folder in spec_folders(os.environ)]
    # A path that does not exist is a folder where the environment names it, and else a spec.
    folders = [Path(path) for path in given if not paths or Path(path).is_dir()]
    loaded = load_specs(folders)
    specs, errors = dict(loaded.specs), list(loaded.errors)
    for path in given:
        if Path(path) in folders:
            continue
        try:
            spec = find_spec(path, os.environ)
        except SpecError as error:
            errors.append(error)
        else:
            specs[spec.name] = spec
    _print_warnings(specs.values())
    if as_json:
        print_json({"specs": sorted(specs), "errors": [str(problem) for problem in errors]})
    else:
        table = Table("spec", "mode", "schedule", "DAGs", box=None, header_style="dim", pad_edge=False)
        for spec in specs.values():
            table.add_row(spec.name, spec.mode, spec.schedule or "by hand", ", ".join(spec.dag_ids))
        if specs:
            out.print(table)
        for problem in errors:
            err.print(str(problem), style="red", soft_wrap=True)
        if not specs and not errors:
            out.print("No specs found.")
    if errors:
        raise typer.Exit(2)


def _print_warnings(specs: Iterable[ClassifierSpec]) -> None:
    from nightsort.classifier_spec.warnings import spec_warnings

    for spec in specs:
        for warning in spec_warnings(spec):
            message = f"Warning: {spec.name}: {warning.key}: {warning.message}"
            err.print(message, style="yellow", soft_wrap=True)
