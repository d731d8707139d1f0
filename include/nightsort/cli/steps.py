"""The commands that prepare data for Comprehend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nightsort.cli.asked_for import Anywhere, Day, SourceUri, check_source, day_of
from nightsort.cli.command import AsJson, Spec, app, named_spec
from nightsort.cli.output import (
    out,
    print_json,
    print_rejects,
    print_table,
    print_values,
    progress_shown,
    user_errors,
    warn,
)
from nightsort.wording import number_of

if TYPE_CHECKING:
    from nightsort.training.prepare import PreparedTraining

MOST_LABELS = 30


@app.command()
def prepare_training(spec: Spec, day: Day = None, as_json: AsJson = False) -> None:
    """Write training.csv, test.csv, the report and the rejects, and check the limits of Comprehend."""
    with user_errors(), progress_shown() as progress:
        from nightsort.classifier_spec.day_template import has_day
        from nightsort.comprehend.prices import budget_text, forecast_training
        from nightsort.storage import plain_access
        from nightsort.training.prepare import prepare_training_data

        loaded = named_spec(spec)
        reads = day_of(day, loaded) if has_day(loaded.labelled.template) else None
        prepared = prepare_training_data(loaded, plain_access(), day=reads, progress=progress)
    if as_json:
        print_json(prepared.to_dict())
        return
    _print_training(prepared)
    sent = prepared.training_documents + prepared.test_documents
    forecast = forecast_training(sent, prepared.test_units)
    out.print(str(forecast), soft_wrap=True)
    out.print(budget_text(forecast, loaded.budget.training_usd), soft_wrap=True)


def _print_training(prepared: PreparedTraining) -> None:
    from nightsort.training.checks import label_text

    folder, _, _ = prepared.report_uri.rpartition("/")
    print_values(
        {
            "version": prepared.version,
            "documents read": prepared.documents_read,
            "training documents": prepared.training_documents,
            "test documents": prepared.test_documents,
            "duplicates": prepared.duplicates,
            "left out documents": prepared.left_out_documents,
            "left out labels": prepared.left_out_labels,
            "rejected": prepared.rejected,
            "labels": len(prepared.labels),
            "folder": f"{folder}/",
        }
    )
    weakest = sorted(prepared.labels.items(), key=lambda item: (item[1]["training"], item[0]))
    rows = [(label_text(label), count["training"], count["test"]) for label, count in weakest[:MOST_LABELS]]
    print_table(("label, weakest first", "training", "test"), rows)
    if len(weakest) > MOST_LABELS:
        out.print(f"and {number_of(len(weakest) - MOST_LABELS, 'more label')}: see {prepared.report_uri}")
    print_rejects(prepared.reject_counts, prepared.reject_examples, prepared.rejects_uri)
    for warning in prepared.warnings:
        warn(warning)


@app.command()
def prepare_batches(
    spec: Spec,
    day: Day = None,
    source_uri: SourceUri = None,
    anywhere: Anywhere = False,
    as_json: AsJson = False,
) -> None:
    """Write the input files of a run's jobs, their manifests and the rejects, below the spec's work_uri."""
    with user_errors(), progress_shown() as progress:
        from nightsort.batches import prepare as batches
        from nightsort.comprehend.prices import budget_text, forecast_classification
        from nightsort.naming import run_key
        from nightsort.storage import plain_access

        loaded, access = named_spec(spec), plain_access()
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
    values: dict[str, Any] = prepared.to_dict()
    if as_json:
        print_json(values)
        return
    written = values.pop("batches")
    counts, examples = values.pop("reject_counts"), values.pop("reject_examples")
    print_values(values)
    print_rejects(counts, examples, prepared.rejects_uri)
    numbers = ("documents", "bytes", "units")
    rows = [(batch["name"], *(batch[key] for key in numbers), batch["input_uri"]) for batch in written]
    print_table(("batch", *numbers, "input"), rows)
    forecast = forecast_classification(
        prepared.lines,
        prepared.units,
        repeated=prepared.repeated,
        reused=prepared.reused,
        saved_units=prepared.saved_units,
    )
    out.print(str(forecast), soft_wrap=True)
    out.print(budget_text(forecast, loaded.budget.run_usd), soft_wrap=True)
