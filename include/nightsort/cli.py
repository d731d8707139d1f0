"""The command line: each step of the two DAGs on its own, on local files or S3, without Airflow.

S3 is reached by what the environment says (``AWS_ENDPOINT_URL``, ``AWS_PROFILE``, …).
"""

from __future__ import annotations

import json
import logging
import os
import time
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table

from nightsort.errors import NightsortError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nightsort.storage import Progress

# Steps and storage are imported where they are used: --help and validate-spec need no pyarrow and no fsspec.

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help=(
        "Nightsort's steps, one by one, without Airflow. Paths may be local or s3://…; S3 is reached by what "
        "the environment says (AWS_ENDPOINT_URL, AWS_PROFILE, …). Results go to standard output, progress to "
        "standard error. Exit code 0: done; 2: the input cannot be used, the message says why and what to do."
    ),
)
out = Console()
err = Console(stderr=True)

QUIET_SECONDS = 2
_AWS_SDK = ("botocore.", "aiobotocore.")

SpecFile = Annotated[Path, typer.Argument(help="The classifier spec, a YAML file.", show_default=False)]
Day = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="Renders {day} in the source.", show_default=False),
]
SourceUri = Annotated[
    str | None,
    typer.Option(help="Read this in place of the spec's incoming source.", show_default=False),
]
Dsn = Annotated[
    str, typer.Argument(help="PostgreSQL connection string; empty: PGHOST, PGDATABASE and so on.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.callback()
def main(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what is done, to standard error.")
    ] = False,
) -> None:
    """Set up logging."""
    logging.basicConfig(
        level=logging.WARNING, format="%(message)s", handlers=[RichHandler(console=err, show_path=False)]
    )
    if verbose:
        logging.getLogger("nightsort").setLevel(logging.INFO)


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
    """Check classifier specs: every problem is named with its file, its key and the remedy."""
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
    if as_json:
        _print_json({"specs": sorted(specs), "errors": [str(problem) for problem in errors]})
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
            out.print("No specs there.")
    if errors:
        raise typer.Exit(2)


@app.command()
def prepare_training(spec: SpecFile, day: Day = None, as_json: AsJson = False) -> None:
    """Write training.csv, test.csv, report and rejects from the labelled documents, and check every limit."""
    with _user_errors(), _progress() as progress:
        from nightsort.classifier_spec.model import load_spec
        from nightsort.storage import plain_access
        from nightsort.training.prepare import prepare_training_data

        prepared = prepare_training_data(load_spec(spec), plain_access(), day=_day(day), progress=progress)
    values = prepared.to_dict()
    if as_json:
        _print_json(values)
        return
    labels = values.pop("labels")
    warnings = values.pop("warnings")
    _print_values({**values, "labels": len(labels)})
    for warning in warnings:
        out.print(f"Warning: {warning}", style="yellow", markup=False, soft_wrap=True)


@app.command()
def prepare_batches(
    spec: SpecFile, day: Day = None, source_uri: SourceUri = None, as_json: AsJson = False
) -> None:
    """Write the input files of one run's jobs, their manifests and the rejects, below the spec's work_uri."""
    with _user_errors(), _progress() as progress:
        from nightsort.batches import prepare as batches
        from nightsort.classifier_spec.model import load_spec
        from nightsort.comprehend.prices import forecast_classification
        from nightsort.naming import run_key
        from nightsort.storage import plain_access

        classifies = _day(day) or date.today()
        prepared = batches.prepare_batches(
            load_spec(spec),
            plain_access(),
            run_key=run_key(classifies, source_uri),
            day=classifies,
            source_uri=source_uri,
            progress=progress,
        )
    values = prepared.to_dict()
    if as_json:
        _print_json(values)
        return
    written = values.pop("batches")
    _print_values(values)
    table = Table(
        "batch", "documents", "bytes", "units", "input", box=None, header_style="dim", pad_edge=False
    )
    for batch in written:
        numbers = (f"{batch[key]:,}" for key in ("documents", "bytes", "units"))
        table.add_row(batch["name"], *numbers, batch["input_uri"])
    out.print(table)
    out.print(str(forecast_classification(prepared.documents_sent, prepared.units)), soft_wrap=True)


@app.command()
def forecast_cost(
    spec: SpecFile, day: Day = None, source_uri: SourceUri = None, as_json: AsJson = False
) -> None:
    """Say what classifying the incoming documents will cost, and whether the budget allows it."""
    with _user_errors(), _progress() as progress:
        from nightsort.batches.prepare import forecast_run
        from nightsort.classifier_spec.model import load_spec
        from nightsort.comprehend.prices import OverBudgetError, check_budget
        from nightsort.storage import plain_access

        loaded = load_spec(spec)
        forecast, rejected = forecast_run(
            loaded, plain_access(), day=_day(day), source_uri=source_uri, progress=progress
        )
    budget = loaded.budget.run_usd
    try:
        check_budget(forecast, budget)
        problem = None
    except OverBudgetError as error:
        problem = str(error)
    if as_json:
        limits = {"budget_usd": budget, "within_budget": problem is None}
        _print_json({**forecast.to_dict(), "rejected": rejected, **limits})
    else:
        out.print(str(forecast), soft_wrap=True)
        if rejected:
            out.print(f"{rejected:,} documents would be rejected, which costs nothing.")
    if problem is not None:
        err.print(problem, style="red", markup=False, soft_wrap=True)
        raise typer.Exit(2)


@app.command()
def read_predictions(
    archive: Annotated[str, typer.Argument(help="A job's output.tar.gz.", show_default=False)],
    manifest: Annotated[
        str | None,
        typer.Option(help="The batch's manifest: a row per document, with its id.", show_default=False),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option(help="The classifier spec: its mode and threshold decide on accepted labels."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Write the rows here: .jsonl, .csv or .parquet.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read a job's output: count what it holds and, with --output, write it as rows.

    With --manifest, there is a row for each document of the batch, as in the table predictions: its label, or
    the reason why there is none. Without, there is a row for each prediction, by file and line.
    """
    with _user_errors(), _progress() as progress:
        from upath import UPath

        from nightsort.classifier_spec.model import load_spec
        from nightsort.results.files import write_predictions, write_results

        if manifest is None:
            counts = write_predictions(UPath(archive), output, progress=progress)
        else:
            loaded = None if spec is None else load_spec(spec)
            counts = write_results(
                UPath(archive),
                UPath(manifest),
                output,
                mode="MULTI_CLASS" if loaded is None else loaded.mode,
                threshold=0.5 if loaded is None else loaded.threshold,
                progress=progress,
            )
    if as_json:
        _print_json(counts)
    else:
        _print_values(counts)


@app.command()
def init_db(
    dsn: Dsn = "",
) -> None:
    """Create the schema nightsort and its tables, or bring older ones up to date."""
    import psycopg

    from nightsort.tables.schema import SCHEMA_VERSION, ensure_schema

    with _user_errors(psycopg.OperationalError), psycopg.connect(dsn) as connection:
        ensure_schema(connection)
    out.print(f"The schema nightsort, version {SCHEMA_VERSION}, is there.")


@app.command()
def drop_runs(
    dsn: Dsn = "",
    keep_days: Annotated[int, typer.Option(min=1, help="How many days before today stay.")] = 400,
    classifier: Annotated[
        str | None, typer.Option(help="Only of this classifier.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete the predictions of old runs. What each run held and cost stays in classification_runs."""
    import psycopg

    from nightsort.tables.retention import drop_run, find_runs
    from nightsort.tables.schema import ensure_schema

    before = date.today() - timedelta(days=keep_days)
    with _user_errors(psycopg.OperationalError), psycopg.connect(dsn, autocommit=True) as connection:
        ensure_schema(connection)
        runs = find_runs(connection, before=before, classifier=classifier)
        told = f"{sum(run.rows for run in runs):,} predictions of {len(runs):,} runs before {before}"
        if runs and not yes:
            typer.confirm(f"Delete {told}?", abort=True)
        for run in runs:
            drop_run(connection, run)
    out.print(f"Deleted {told}.")


def _day(value: datetime | None) -> date | None:
    return None if value is None else value.date()


@contextmanager
def _user_errors(*others: type[Exception]) -> Iterator[None]:
    """End with the message alone where the user has to act; what is our mistake keeps its traceback.

    :param others: the errors of a library that are the user's as well.
    """
    try:
        yield
    except Exception as error:
        # The AWS SDK is not imported here, so its errors are known by name: credentials and buckets are the
        # user's to mend, too.
        of_the_sdk = type(error).__module__.startswith(_AWS_SDK)
        if not of_the_sdk and not isinstance(error, (NightsortError, OSError, *others)):
            raise
        raise _refusal(error) from error


def _refusal(error: Exception) -> typer.Exit:
    err.print(str(error) or type(error).__name__, style="red", markup=False, soft_wrap=True)
    return typer.Exit(2)


@contextmanager
def _progress() -> Iterator[Progress]:
    """Show what is being done, once it has taken two seconds."""
    began = time.monotonic()
    with err.status("") as status:
        status.stop()
        shown = False

        def tell(doing: str, documents: int) -> None:
            nonlocal shown
            elapsed = time.monotonic() - began
            if elapsed < QUIET_SECONDS:
                return
            if not shown:
                status.start()
                shown = True
            status.update(f"{doing}: {documents:,} documents, {elapsed:.0f} s")

        yield tell


def _print_json(values: Any) -> None:
    typer.echo(json.dumps(values, indent=2, default=str))


def _print_values(values: Mapping[str, Any]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    for key, value in values.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name} {number:,}" for name, number in value.items()) or "none"
        elif isinstance(value, list):
            value = ", ".join(map(str, value)) or "none"
        table.add_row(key.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
    out.print(table)
