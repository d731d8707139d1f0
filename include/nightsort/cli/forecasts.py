"""The command that forecasts what a night or a training costs."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nightsort.cli.asked_for import Anywhere, Day, SourceUri, check_source, day_of
from nightsort.cli.command import AsJson, Spec, app, named_spec
from nightsort.cli.output import (
    err,
    out,
    print_json,
    print_rejects,
    print_table,
    progress_shown,
    user_errors,
)
from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from nightsort.batches.past_nights import ReadNight
    from nightsort.batches.plan import Batch
    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.comprehend.prices import Forecast, TrainingForecast
    from nightsort.reuse.savings import PastNights, Saving
    from nightsort.storage import Access, Progress

ASKED_DAYS: Final = (1, 7, 30, 90)
"""Values of ``reuse.days`` that --reuse computes."""


@app.command()
def forecast_cost(
    spec: Spec,
    day: Day = None,
    source_uri: SourceUri = None,
    anywhere: Anywhere = False,
    training: Annotated[
        bool, typer.Option("--training", help="Forecast a training instead of a night.")
    ] = False,
    reuse: Annotated[
        bool,
        typer.Option(
            "--reuse", help="Say what reuse.days would have saved on the nights up to --day, instead."
        ),
    ] = False,
    nights: Annotated[int, typer.Option(help="How many nights --reuse looks at.", min=1)] = 30,
    dsn: Annotated[
        str | None,
        typer.Option(
            help="PostgreSQL connection string of the tables: batches that are loaded count as paid, texts "
            "that reuse.days need not send are left out, and --reuse tells versions apart.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Forecast the cost of a night, or with --training of a training, and compare it with the budget.

    With --reuse: what it would have saved to pay for a text once. Nothing is written and nothing is paid
    for. Exit code 2: the budget does not allow it.
    """
    import psycopg

    if reuse:
        _print_savings(spec, day, nights, dsn, as_json=as_json)
        return

    with user_errors(psycopg.OperationalError), progress_shown() as progress:
        from nightsort.classifier_spec.day_template import has_day
        from nightsort.comprehend.prices import OverBudgetError, budget_text, check_budget
        from nightsort.storage import plain_access

        loaded, access = named_spec(spec), plain_access()
        forecast: Forecast | TrainingForecast
        if training:
            reads = day_of(day, loaded) if has_day(loaded.labelled.template) else None
            forecast, found = _of_training(loaded, access, reads, progress)
            budget = loaded.budget.training_usd
        else:
            classifies = day_of(day, loaded)
            check_source(loaded, source_uri, classifies, access, anywhere=anywhere)
            forecast, found = _of_night(loaded, access, classifies, source_uri, dsn, progress)
            budget = loaded.budget.run_usd
        problem = None
        try:
            check_budget(forecast, budget)
        except OverBudgetError as error:
            problem = str(error)
    if as_json:
        limits = {"budget_usd": budget, "within_budget": problem is None}
        print_json({**forecast.to_dict(), "rejected": sum(found["counts"].values()), **limits})
    else:
        if problem is None:
            out.print(str(forecast), soft_wrap=True)
            out.print(budget_text(forecast, budget), soft_wrap=True)
        below = loaded.batch.endpoint_below
        if not training and below is not None and 0 < forecast.documents < below:
            out.print(
                "If the endpoint is open then with the active version, it goes through that and costs "
                f"nothing (batch.endpoint_below: {below:,}).",
                soft_wrap=True,
            )
        print_rejects(found["counts"], found["examples"])
    if problem is not None:
        if loaded.budget.when_over == "ask":
            problem += ". The DAG asks a person for approval (budget.when_over: ask)"
        err.print(problem, style="red", soft_wrap=True)
        raise typer.Exit(2)


def _of_training(
    spec: ClassifierSpec, access: Access, day: date | None, progress: Progress
) -> tuple[TrainingForecast, dict[str, Any]]:
    from nightsort.comprehend.prices import forecast_training
    from nightsort.training.prepare import prepare_training_data

    prepared = prepare_training_data(spec, access, day=day, progress=progress, write=False)
    sent = prepared.training_documents + prepared.test_documents
    rejects = {"counts": prepared.reject_counts, "examples": prepared.reject_examples}
    return forecast_training(sent, prepared.test_units), rejects


def _of_night(
    spec: ClassifierSpec,
    access: Access,
    day: date,
    source_uri: str | None,
    dsn: str | None,
    progress: Progress,
) -> tuple[Forecast, dict[str, Any]]:
    from nightsort.batches.prepare import forecast_run
    from nightsort.naming import run_key

    key = run_key(day, source_uri)
    forecast, rejects = forecast_run(
        spec,
        access,
        run_key=key,
        day=day,
        source_uri=source_uri,
        **({} if dsn is None else _known(dsn, spec, access, key)),
        progress=progress,
    )
    return forecast, {"counts": rejects.counts, "examples": rejects.examples}


def _known(dsn: str, spec: ClassifierSpec, access: Access, run_key: str) -> dict[str, Any]:
    """Return what the tables know of a run: the active version, and what it has classified already."""
    import psycopg

    from nightsort.tables.reuse import runs_to_reuse
    from nightsort.tables.runs import loaded_batches
    from nightsort.tables.schema import ensure_schema
    from nightsort.tables.versions import active_version

    with psycopg.connect(dsn) as connection:
        ensure_schema(connection)
        active = active_version(connection, spec.name)
        if active is None:
            return {}
        version = active.version
        runs = runs_to_reuse(connection, spec, access, version=version, run_key=run_key)

    def paid(kept: Sequence[Batch]) -> set[str]:
        names = [batch.name for batch in kept]
        with psycopg.connect(dsn) as connection:
            loaded = loaded_batches(connection, classifier=spec.name, run_key=run_key, batches=names)
        return {name for name, found in loaded.items() if found.version == version}

    return {"version": version, "runs": runs, "paid": paid}


def _print_savings(spec: str, day: datetime | None, nights: int, dsn: str | None, *, as_json: bool) -> None:
    """Print what it would have saved on past nights to pay for a text once."""
    import psycopg

    with user_errors(psycopg.OperationalError), progress_shown() as progress:
        from nightsort.batches.past_nights import read_past_nights
        from nightsort.comprehend.prices import classification_cost
        from nightsort.reuse.savings import PastNights
        from nightsort.storage import plain_access

        loaded, access = named_spec(spec), plain_access()
        last = day_of(day, loaded)
        with tempfile.TemporaryDirectory(prefix="nightsort-") as scratch, PastNights(Path(scratch)) as past:
            versions = {} if dsn is None else _versions(dsn, loaded)
            found = read_past_nights(
                loaded, access, past, last=last, nights=nights, versions=versions, progress=progress
            )
            savings = past.savings(ASKED_DAYS)
    usd = classification_cost(past.units)
    if as_json:
        print_json(
            {
                "nights": [night.to_dict() for night in found],
                "documents": past.documents,
                "units": past.units,
                "usd": usd,
                "savings": [saving.to_dict() for saving in savings],
            }
        )
        return
    _print_savings_table(found, past, savings, usd, first=last - timedelta(nights - 1), last=last)
    if dsn is None:
        out.print(
            "All nights are taken as classified by one version, whose promotion makes every text new; "
            "--dsn tells versions apart.",
            soft_wrap=True,
        )


def _print_savings_table(
    found: Sequence[ReadNight],
    past: PastNights,
    savings: Sequence[Saving],
    usd: float,
    *,
    first: date,
    last: date,
) -> None:
    from nightsort.comprehend.prices import usd_text

    if not found:
        out.print(f"No night from {first} to {last} has documents, neither below work_uri nor in the source.")
        return
    again = sum(night.read_from == "source" for night in found)
    out.print(
        f"{number_of(len(found), 'night')} from {found[0].day} to {found[-1].day}"
        + (f", {again} read from the source again" if again else "")
        + f": {number_of(past.documents, 'document')}, {number_of(past.units, 'unit')}, {usd_text(usd)}.",
        soft_wrap=True,
    )
    rows = [
        (
            "reuse.same_night" if saving.days is None else f"reuse.days: {saving.days}",
            saving.documents,
            saving.units,
            usd_text(saving.usd),
            f"{saving.units / max(1, past.units):.0%}",
        )
        for saving in savings
    ]
    print_table(("with", "documents not sent", "units saved", "saved", "of the bill"), rows)


def _versions(dsn: str, spec: ClassifierSpec) -> dict[str, str | None]:
    """Return the version of each run that the tables know."""
    import psycopg

    from nightsort.tables.reuse import versions_of_runs
    from nightsort.tables.schema import ensure_schema

    with psycopg.connect(dsn) as connection:
        ensure_schema(connection)
        return versions_of_runs(connection, spec.name)
