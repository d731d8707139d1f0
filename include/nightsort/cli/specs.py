"""The command that checks classifier specs."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 (Typer reads annotations)
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
        list[Path] | None,
        typer.Argument(
            help="Specs, or folders of specs. Default: the folders in NIGHTSORT_SPECS.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check classifier specs: show each problem with its file, its key and what to do."""
    from nightsort.classifier_spec.model import load_spec, load_specs, spec_folders
    from nightsort.classifier_spec.problems import SpecError

    given = paths or spec_folders(os.environ)
    loaded = load_specs([path for path in given if path.is_dir()])
    specs, errors = dict(loaded.specs), list(loaded.errors)
    for path in given:
        if path.is_dir():
            continue
        try:
            spec = load_spec(path)
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
            table.add_row(
                spec.name, spec.mode, spec.schedule or "by hand", f"train_{spec.name}, classify_{spec.name}"
            )
        if specs:
            out.print(table)
        for problem in errors:
            err.print(str(problem), style="red", markup=False, soft_wrap=True)
        if not specs and not errors:
            out.print("No specs found.")
    if errors:
        raise typer.Exit(2)


def _print_warnings(specs: Iterable[ClassifierSpec]) -> None:
    from nightsort.classifier_spec.warnings import spec_warnings

    for spec in specs:
        for warning in spec_warnings(spec):
            message = f"Warning: {spec.name}: {warning.key}: {warning.message}"
            err.print(message, style="yellow", markup=False, soft_wrap=True)
