"""The report of one night, from the tables and the known labels of the sample."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.rows import dict_row
from rich.columns import Columns
from rich.table import Table
from rich.text import Text

from nightsort.comprehend.prices import Forecast, forecast_training
from nightsort.evaluation import from_predictions
from nightsort.reports.outcomes import outcome
from nightsort.tables.run_summaries import find_run
from nightsort.wording import number_of, with_reasons
from nightsort_local.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from typing import Any

    import psycopg

    from nightsort.evaluation import Metrics
    from nightsort.reports.outcomes import Outcome
    from nightsort.tables.run_summaries import RunSummary
    from nightsort.terminal import Terminal

EXAMPLES = 5


@dataclass(frozen=True)
class Example:
    """One row of the table, with its known label."""

    document_id: str
    label: str
    score: float
    known: str


@dataclass(frozen=True)
class NightReport:
    """One run of the nightly DAG, from the tables."""

    classifier: str
    day: date
    version: str
    outcome: Outcome
    """How it went, in the word that the pages say."""
    run: RunSummary
    """Its counts."""
    reasons: Mapping[str, int]
    label_counts: Mapping[str, int]
    metrics: Metrics | None
    """Metrics of the classified documents with known labels; None if there are none."""
    cost: Forecast
    """The cost of the night on AWS."""
    training_documents: int
    """Number of training and test documents of the version."""
    examples: tuple[Example, ...]


def read_known_labels(content: str, delimiter: str) -> dict[str, frozenset[str]]:
    """Return the labels by document id from a truth file: CSV with the columns ``id`` and ``label``."""
    rows = csv.DictReader(io.StringIO(content, newline=""))
    return {row["id"]: frozenset(row["label"].split(delimiter)) for row in rows}


def read_night(
    connection: psycopg.Connection[Any], classifier: str, day: date, known: Mapping[str, frozenset[str]]
) -> NightReport:
    """Read the run of `day` from the tables.

    :param known: the known labels by document id.
    :raises StackError: the tables have no such run.
    """
    cursor = connection.cursor(row_factory=dict_row)
    run = cursor.execute(
        "SELECT * FROM nightsort.classification_runs"
        " WHERE classifier = %s AND day = %s AND source_uri IS NULL",
        (classifier, day),
    ).fetchone()
    summary = find_run(connection, classifier, run["run_key"]) if run else None
    if run is None or summary is None:
        raise StackError(f"nightsort.classification_runs has no run of {classifier} for {day}.")
    rows = cursor.execute(
        "SELECT document_id, label, score, accepted FROM nightsort.predictions"
        " WHERE classifier = %s AND run_key = %s AND status = 'classified' ORDER BY batch, line",
        (classifier, run["run_key"]),
    ).fetchall()
    counts = cursor.execute(
        "SELECT counted AS label, count(*) AS documents FROM nightsort.predictions,"
        " unnest(coalesce(nullif(accepted, '{}'), ARRAY[label])) AS counted"
        " WHERE classifier = %s AND run_key = %s AND status = 'classified'"
        " GROUP BY 1 ORDER BY 2 DESC, 1",
        (classifier, run["run_key"]),
    ).fetchall()
    trained = cursor.execute(
        "SELECT coalesce(training_documents + test_documents, 0) AS documents"
        " FROM nightsort.classifier_versions WHERE classifier = %s AND version = %s",
        (classifier, run["version"]),
    ).fetchone()
    evaluated = [row for row in rows if _name(row["document_id"]) in known]
    actual = [known[_name(row["document_id"])] for row in evaluated]
    predicted = [frozenset(row["accepted"]) for row in evaluated]
    labels = sorted(frozenset().union(*actual, *predicted))
    return NightReport(
        classifier=classifier,
        day=day,
        version=run["version"] or "",
        outcome=outcome(summary),
        run=summary,
        reasons=run["reasons"],
        label_counts={row["label"]: row["documents"] for row in counts},
        metrics=from_predictions(actual, predicted, labels) if evaluated else None,
        cost=Forecast(run["classified"] + run["failed"], run["units"], float(run["cost_usd"])),
        training_documents=trained["documents"] if trained else 0,
        examples=tuple(
            Example(
                row["document_id"],
                row["label"],
                row["score"],
                ", ".join(sorted(known[_name(row["document_id"])])),
            )
            for row in evaluated[:EXAMPLES]
        ),
    )


def _name(document_id: str) -> str:
    """Return a document's name in the truth file: without the day that the id of a file begins with."""
    return document_id.rpartition("/")[2]


def show_night(console: Terminal, report: NightReport) -> None:
    """Print the report."""
    console.print()
    version = f"version {report.version}" if report.version else "no version"
    console.print(Text(f"{report.classifier}, {report.day}, {version}: {report.outcome.word}", style="bold"))
    for reason in report.outcome.reasons:
        console.print(Text(reason, style="red"), soft_wrap=True)
    run = report.run
    sums = Table(box=None, header_style="dim", pad_edge=False)
    counts = {
        "documents in": run.documents_in,
        "classified": run.classified,
        "failed": run.failed,
        "rejected": run.rejected,
        **({"missing": run.missing} if run.missing else {}),
    }
    for title in counts:
        sums.add_column(title, justify="right")
    sums.add_row(*(f"{number:,}" for number in counts.values()))
    console.print(sums)
    if report.reasons:
        console.print(f"without a label, by reason: {with_reasons(report.reasons)}", soft_wrap=True)
    if run.retried:
        console.print(f"sent again: {number_of(run.retried, 'failed document')}")
    console.print()
    console.print("labels", style="dim")
    console.print(
        Columns([f"{label} {number:,}" for label, number in report.label_counts.items()], column_first=True)
    )
    console.print()
    if report.metrics is not None:
        accuracy, macro_f1 = (f"{value:.3f}" for value in (report.metrics.accuracy, report.metrics.macro_f1))
        console.print(
            Text.assemble(
                "against the known labels: accuracy ", (accuracy, "bold"), ", macro-F1 ", (macro_f1, "bold")
            )
        )
    console.print()
    console.print("What the same would have cost on AWS:")
    console.print(f"  every night like this one: {report.cost}", soft_wrap=True)
    if report.training_documents:
        console.print(f"  once: {forecast_training(report.training_documents)}", soft_wrap=True)
    console.print()
    examples = Table(
        "document", "label", "score", "known label", "", box=None, header_style="dim", pad_edge=False
    )
    for example in report.examples:
        right = example.label in example.known.split(", ")
        examples.add_row(
            example.document_id,
            example.label,
            f"{example.score:.3f}",
            example.known,
            Text("✔", "green") if right else Text("✘", "red"),
        )
    console.print(examples)
