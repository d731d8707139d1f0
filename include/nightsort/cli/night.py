"""The command that shows a night."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nightsort.cli.command import AsJson, app
from nightsort.cli.output import out, print_json, print_table, user_errors, warn
from nightsort.cli.tables import Dsn  # noqa: TC001 (Typer reads annotations)
from nightsort.errors import NightsortError
from nightsort.wording import number_of, one_line

if TYPE_CHECKING:
    from datetime import date

    import psycopg

    from nightsort.tables.night_reports import LabelReport, NightReport
    from nightsort.tables.run_summaries import RunSummary

_BAR = 40
_LEAST_CONFIDENT_SHOWN = 10


@app.command()
def night(
    classifier: Annotated[str, typer.Argument(help="The classifier's name.", show_default=False)],
    day: Annotated[
        datetime,
        typer.Argument(
            formats=["%Y-%m-%d"], help="The day that was classified, as 2026-11-18.", show_default=False
        ),
    ],
    dsn: Dsn = "",
    run_key: Annotated[
        str | None,
        typer.Option("--run", help="The key of the run, if the day has several.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a night: its sums, reasons, jobs, labels, scores, cost and drift. Nothing is changed."""
    import psycopg

    from nightsort.tables.night_reports import night_report

    with user_errors(psycopg.OperationalError), psycopg.connect(dsn) as connection:
        connection.read_only = True
        run, others = asked_for(connection, classifier, day.date(), run_key)
        report = night_report(connection, classifier, run.run_key)
    if report is None or as_json:
        print_json(asdict(report) if report else None)
        return
    _print_run(report)
    _print_reasons(report)
    _print_jobs(report)
    if report.counted:
        _print_labels(report)
        _print_scores(report)
        _print_drift(report)
    elif report.run.classified:
        _say("\nThere are no figures of its labels: it was loaded before Nightsort counted them.")
    if others:
        _say(f"\nOther runs of the day, for --run: {', '.join(each.run_key for each in others)}")


def asked_for(
    conn: psycopg.Connection[Any], classifier: str, day: date, run_key: str | None
) -> tuple[RunSummary, list[RunSummary]]:
    """Return the run that is shown, and the others of its day.

    :raises NightsortError: there is none; the message names what there is.
    """
    from nightsort.tables.retention import check_classifier
    from nightsort.tables.run_summaries import last_runs, runs_of_day
    from nightsort.tables.schema import check_schema

    check_schema(conn)
    runs = runs_of_day(conn, classifier, day)
    for run in runs:
        if run_key in (None, run.run_key):
            return run, [each for each in runs if each is not run]
    check_classifier(conn, classifier)
    if runs:
        keys = ", ".join(run.run_key for run in runs)
        raise NightsortError(f"{day} has no run {run_key} of {classifier}; it has: {keys}")
    last = last_runs(conn, [classifier], runs=1)[classifier]
    which = f"the last day that has is {last[0].day}" if last else "no day has yet"
    raise NightsortError(f"{classifier} has no run of {day}; {which}")


def _print_run(report: NightReport) -> None:
    from nightsort.comprehend.prices import usd_text
    from nightsort.reports.outcomes import outcome
    from nightsort.tables.run_rows import RUNNING

    run = report.run
    found = outcome(run, _no_files(run.classifier))
    _say(f"{run.classifier}, {run.day}: {found.word}", bold=True)
    for reason in found.reasons:
        warn(reason)
    where = f", DAG run {run.run_id}" if run.run_id else ""
    source = f", source {run.source_uri}" if run.source_uri else ""
    _say(f"Run {run.run_key} with {f'version {run.version}' if run.version else 'no version'}{where}{source}")
    if run.counted:
        missing = f" + {run.missing:,} missing" if run.missing else ""
        _say(
            f"{number_of(run.documents_in, 'document')} in = {run.classified:,} classified + "
            f"{run.failed:,} failed + {run.rejected:,} rejected{missing}"
        )
    else:
        _say("Its documents are not counted" + (" yet" if run.state == RUNNING else ""))
    if run.retried:
        _say(f"{number_of(run.retried, 'failed document')} sent again")
    forecast = "no forecast"
    if run.forecast_usd is not None:
        forecast = f"forecast {usd_text(run.forecast_usd)} ({number_of(run.forecast_units or 0, 'unit')})"
    approved = ""
    if run.approved_by:
        when = f" on {_time(run.approved_at)}" if run.approved_at else ""
        approved = f", approved by {run.approved_by}{when}"
    cost = "Cost not known yet"
    if run.counted or run.state != RUNNING:
        cost = f"Cost {usd_text(run.cost_usd)} ({number_of(run.units, 'unit')})"
    _say(f"{cost}, {forecast}{approved}")
    if run.way:
        _say(f"Sent {'through the endpoint' if run.way == 'endpoint' else 'as jobs'}: {run.way_why}")
    known = [
        *([f"{run.repeated:,} with a text that was sent for another one"] if run.repeated else []),
        *([f"{run.reused:,} with a text that an earlier run classified"] if run.reused else []),
    ]
    if known:
        not_sent = number_of(run.not_sent, "document")
        saved = f"{usd_text(run.saved_usd)} ({number_of(run.saved_units, 'unit')})"
        _say(f"{not_sent} not sent, {' and '.join(known)}: {saved} saved")


def _no_files(classifier: str) -> str:
    """Return the spec's ``no_files``; where its spec is not to be had, that of a spec that says nothing."""
    from nightsort.classifier_spec.model import load_specs, spec_folders

    spec = load_specs(spec_folders(os.environ), containing=classifier).specs.get(classifier)
    return spec.no_files if spec else "warn"


def _print_reasons(report: NightReport) -> None:
    for what, reasons in (("failed", report.failed_reasons), ("rejected", report.rejected_reasons)):
        if reasons:
            _say("")
        print_table(
            (what, "documents", "for instance"),
            [
                (reason, number, ", ".join(map(one_line, report.examples.get(reason, ()))))
                for reason, number in reasons.items()
            ],
        )


def _print_jobs(report: NightReport) -> None:
    loaded = {batch.name: batch for batch in report.batches}
    rows = []
    for job in report.jobs:
        batch = loaded.get(job.batch or "")
        minutes = ""
        if job.submitted_at and job.ended_at:
            minutes = f"{(job.ended_at - job.submitted_at).total_seconds() / 60:.1f}"
        submitted = _time(job.submitted_at) if job.submitted_at else ""
        rows.append(
            (
                job.batch or "",
                "" if job.documents is None else job.documents,
                batch.loaded if batch and job.attempt == 0 else "",
                job.job_id or ("endpoint" if job.source == "endpoint" else ""),
                f"{job.status or 'not known'}{f': {job.message}' if job.message else ''}",
                submitted,
                minutes,
            )
        )
    if rows:
        _say("")
    print_table(("batch", "documents", "loaded", "job", "state", "submitted", "minutes"), rows)


def _print_labels(report: NightReport) -> None:
    if not report.labels:
        return
    compared = report.trailing_nights > 0
    before = f", beside {number_of(report.trailing_nights, 'night')} before" if compared else ""
    _say(f"\nLabels{before}", bold=True)
    columns = ("label", "documents", "share", *(("usual", "expected") if compared else ()), "mean score", "")
    print_table(columns, [_label_row(label, compared) for label in report.labels])


def _label_row(label: LabelReport, compared: bool) -> tuple[str | int, ...]:
    shift = label.shift
    usual: tuple[str, ...] = ("", "") if compared else ()
    outside = ""
    if shift is not None:
        usual = (f"{shift.usual:.1%}", f"{shift.low:.1%} to {shift.high:.1%}")
        outside = "more" if shift.share > shift.high else "fewer" if shift.share < shift.low else ""
    score = "" if label.mean_score is None else f"{label.mean_score:.3f}"
    return (one_line(label.label), label.documents, f"{label.share:.1%}", *usual, score, outside)


def _print_scores(report: NightReport) -> None:
    if not any(report.histogram):
        return
    _say("\nScores", bold=True)
    most = max(report.histogram)
    bins = len(report.histogram)
    print_table(
        ("from", "documents", ""),
        [
            (f"{place / bins:.2f}", number, "█" * -(-number * _BAR // most))
            for place, number in enumerate(report.histogram)
        ],
    )
    if not report.least_confident:
        _say("\nThe predictions of this night were deleted, so nothing is known of single documents")
        return
    _say("\nLeast confident", bold=True)
    print_table(
        ("document", "labels"),
        [
            (
                one_line(found["document_id"]),
                ", ".join(
                    f"{one_line(label)} {score:.3f}"
                    for label, score in zip(found["labels"], found["scores"], strict=True)
                ),
            )
            for found in report.least_confident[:_LEAST_CONFIDENT_SHOWN]
        ],
    )


def _print_drift(report: NightReport) -> None:
    if report.drift is None:
        return
    # That of a night that drifted is said above.
    if not report.run.drifted:
        _say(f"\n{report.drift['sentence']}")


def _time(when: datetime) -> str:
    return f"{when.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"


def _say(text: str, *, bold: bool = False) -> None:
    out.print(text, style="bold" if bold else "", highlight=False, soft_wrap=True)
