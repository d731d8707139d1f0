"""The commands that prepare data for Comprehend, and forecast what it costs."""

from __future__ import annotations

import typer
from rich.table import Table

from nightsort.cli.asked_for import Anywhere, Day, SourceUri, check_source, day_of
from nightsort.cli.command import AsJson, SpecFile, app
from nightsort.cli.output import err, out, print_json, print_values, progress_shown, user_errors


@app.command()
def prepare_training(spec: SpecFile, day: Day = None, as_json: AsJson = False) -> None:
    """Write training.csv, test.csv, the report and the rejects, and check the limits of Comprehend."""
    with user_errors(), progress_shown() as progress:
        from nightsort.classifier_spec.day_template import has_day
        from nightsort.classifier_spec.model import load_spec
        from nightsort.storage import plain_access
        from nightsort.training.prepare import prepare_training_data

        loaded = load_spec(spec)
        reads = day_of(day, loaded) if has_day(loaded.labelled.template) else None
        prepared = prepare_training_data(loaded, plain_access(), day=reads, progress=progress)
    values = prepared.to_dict()
    if as_json:
        print_json(values)
        return
    labels = values.pop("labels")
    warnings = values.pop("warnings")
    print_values({**values, "labels": len(labels)})
    for warning in warnings:
        out.print(f"Warning: {warning}", style="yellow", markup=False, soft_wrap=True)


@app.command()
def prepare_batches(
    spec: SpecFile,
    day: Day = None,
    source_uri: SourceUri = None,
    anywhere: Anywhere = False,
    as_json: AsJson = False,
) -> None:
    """Write the input files of a run's jobs, their manifests and the rejects, below the spec's work_uri."""
    with user_errors(), progress_shown() as progress:
        from nightsort.batches import prepare as batches
        from nightsort.classifier_spec.model import load_spec
        from nightsort.comprehend.prices import forecast_classification
        from nightsort.naming import run_key
        from nightsort.storage import plain_access

        loaded, access = load_spec(spec), plain_access()
        classifies = day_of(day, loaded)
        check_source(loaded, source_uri, classifies, access, anywhere=anywhere)
        prepared = batches.prepare_batches(
            loaded,
            access,
            run_key=run_key(classifies, source_uri),
            day=classifies,
            source_uri=source_uri,
            progress=progress,
        )
    values = prepared.to_dict()
    if as_json:
        print_json(values)
        return
    written = values.pop("batches")
    print_values(values)
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
    spec: SpecFile,
    day: Day = None,
    source_uri: SourceUri = None,
    anywhere: Anywhere = False,
    as_json: AsJson = False,
) -> None:
    """Forecast the cost of classifying the incoming documents, and compare it with the budget."""
    with user_errors(), progress_shown() as progress:
        from nightsort.batches.prepare import forecast_run
        from nightsort.classifier_spec.model import load_spec
        from nightsort.comprehend.prices import OverBudgetError, check_budget
        from nightsort.storage import plain_access

        loaded, access = load_spec(spec), plain_access()
        classifies = day_of(day, loaded)
        check_source(loaded, source_uri, classifies, access, anywhere=anywhere)
        forecast, rejected = forecast_run(
            loaded, access, day=classifies, source_uri=source_uri, progress=progress
        )
    budget = loaded.budget.run_usd
    try:
        check_budget(forecast, budget)
        problem = None
    except OverBudgetError as error:
        problem = str(error)
    if as_json:
        limits = {"budget_usd": budget, "within_budget": problem is None}
        print_json({**forecast.to_dict(), "rejected": rejected, **limits})
    else:
        out.print(str(forecast), soft_wrap=True)
        if rejected:
            out.print(f"{rejected:,} documents would be rejected, at no cost.")
    if problem is not None:
        err.print(problem, style="red", markup=False, soft_wrap=True)
        raise typer.Exit(2)
