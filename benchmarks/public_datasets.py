"""Two public data sets that were not made for this, through both DAGs on the local stack.

For each: train on ``train.csv``; classify the version's own test documents and recompute Comprehend's
metrics from the rows in the table (they must agree to four digits); then classify the official ``test.csv``
and report its metrics.

    .venv/bin/python benchmarks/public_datasets.py --data FOLDER

``FOLDER`` holds ``banking77/{train,test}.csv`` and ``goemotions/{train,test}.csv``: label(s) and text, no
header, several labels joined by "|". Neither set is part of this repository.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from nightsort.classifier_spec.model import ClassifierSpec, load_spec
from nightsort.evaluation import Metrics, from_predictions
from nightsort.storage import plain_access
from nightsort_local.stack import LocalStack
from nightsort_local.stack_settings import enter

if TYPE_CHECKING:
    from upath import UPath

SPECS = Path(__file__).parent / "classifiers"
DAY = "2026-11-01"

console = Console()


def main(
    data: Annotated[Path, typer.Option(help="Folder with banking77/ and goemotions/.", exists=True)],
    names: Annotated[list[str] | None, typer.Argument(help="Which sets; default both.")] = None,
) -> None:
    """Run the data sets through a local stack of their own, and print what was measured."""
    home = Path(tempfile.mkdtemp(prefix="ns-bench-"))
    stack = LocalStack(home, [SPECS], report=console.print)
    agreed = True
    try:
        stack.up()
        enter(stack.environment())
        plain_access().path("s3://nightsort").mkdir(exist_ok=True)
        for name in names or ["banking77", "goemotions"]:
            agreed &= measure(stack, load_spec(SPECS / f"{name}.yaml"), data / name)
    finally:
        stack.remove()
    sys.exit(not agreed)


def measure(stack: LocalStack, spec: ClassifierSpec, folder: Path) -> bool:
    """Train and classify one set; give whether reported and recomputed metrics agree."""
    access = plain_access()
    for file in ("train.csv", "test.csv"):
        access.path(f"s3://nightsort/{spec.name}/{file}").write_bytes((folder / file).read_bytes())
    training = run(stack, f"train_{spec.name}", {})
    with psycopg.connect("") as connection:
        version, reported, test_uri = active_version(connection, spec)
        own = run(stack, f"classify_{spec.name}", {"day": DAY, "source_uri": test_uri})
        official = run(stack, f"classify_{spec.name}", {"day": DAY})
        recomputed = from_table(connection, spec, access.path(test_uri), test_uri)
        on_official = from_table(connection, spec, access.path(f"s3://nightsort/{spec.name}/test.csv"), None)
    table = Table(
        title=f"{spec.name} {version}: training {training:.0f} s, classifying {own:.0f} and {official:.0f} s"
    )
    for heading in ("metric", "Comprehend says", "from the table", "official test set"):
        table.add_column(heading)
    agreed = True
    for metric, value in asdict(recomputed).items():
        same = round(value, 4) == reported[metric]
        agreed &= same
        table.add_row(
            metric,
            f"{reported[metric]:.4f}",
            f"{value:.4f}{'' if same else ' !'}",
            f"{asdict(on_official)[metric]:.4f}",
        )
    console.print(table)
    return agreed


def run(stack: LocalStack, dag_id: str, conf: dict[str, str]) -> float:
    """Run a DAG to its end; give the seconds it took."""
    result = stack.run_dag(dag_id, conf)
    if not result.succeeded:
        raise SystemExit(f"{dag_id} ended {result.state}: {result.states()}\n{result.log_tails}")
    return result.seconds


def active_version(
    connection: psycopg.Connection[Any], spec: ClassifierSpec
) -> tuple[str, dict[str, float], str]:
    """Return the active version, the metrics that Comprehend reported, and where its test documents are."""
    row = connection.execute(
        "SELECT version, metrics, test_uri FROM nightsort.classifier_versions"
        " WHERE classifier = %s AND active",
        [spec.name],
    ).fetchone()
    if row is None:
        raise SystemExit(f"{spec.name} has no active version")
    version, metrics, test_uri = row
    return version, metrics, test_uri


def from_table(
    connection: psycopg.Connection[Any], spec: ClassifierSpec, test: UPath, source_uri: str | None
) -> Metrics:
    """Compute the metrics of one run from its rows in the table and the labels in the file it classified."""
    rows = connection.execute(
        """
        SELECT split_part(document_id, ':', 2)::int, accepted
        FROM nightsort.predictions JOIN nightsort.classification_runs USING (classifier, run_key)
        WHERE classifier = %s AND source_uri IS NOT DISTINCT FROM %s AND status = 'classified'
        ORDER BY 1
        """,
        [spec.name, source_uri],
    ).fetchall()
    with test.open(newline="") as file:
        cells = [row[0] for row in csv.reader(file)]
    split = spec.label_delimiter
    actual = [set(cells[place].split(split) if split else [cells[place]]) for place, _ in rows]
    predicted = [set(accepted) for _, accepted in rows]
    return from_predictions(actual, predicted, sorted(set().union(*actual)), mode=spec.mode)


if __name__ == "__main__":
    typer.run(main)
