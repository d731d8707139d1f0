"""A local stack of a benchmark's own, with LocalExecutor and the real scheduler, and a trained classifier."""

from __future__ import annotations

import csv
import io
import os
import shutil
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import psycopg
import yaml

from benchmarks.measuring import ROOT
from nightsort.naming import run_key
from nightsort.storage import plain_access
from nightsort_local.stack import LocalStack
from nightsort_local.stack_settings import enter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nightsort_local.dag_runs import DagRunResult, RunObserver

BUCKET = "s3://nightsort"

_HOME = "NIGHTSORT_HOME"


def spec(**settings: Any) -> dict[str, Any]:
    """Return the spec of the classifier ``night``, whose labelled documents are a CSV without header."""
    return {
        "name": "night",
        "mode": "MULTI_CLASS",
        "language": "en",
        "labelled": {
            "uri": f"{BUCKET}/labelled.csv",
            "format": "csv",
            "header": False,
            "columns": ["label", "text"],
        },
        "work_uri": f"{BUCKET}/work",
        "data_access_role_arn": "arn:aws:iam::123456789012:role/NightsortComprehendDataAccess",
        "budget": {"run_usd": 10_000.0, "training_usd": 10_000.0},
        **settings,
    }


@contextmanager
def trained_stack(
    folder: Path, spec: Mapping[str, Any], labelled: Iterable[tuple[str, str]], **dags: str
) -> Iterator[dict[str, str]]:
    """Start a stack, train its classifier, and give the environment in which `running_stack` finds it.

    :param folder: of its own; the path of a socket in it must stay below 107 bytes.
    :param spec: of :func:`spec`.
    :param labelled: label and text of each document to learn from.
    :param dags: the text of more DAG files, by name; they hold a DAG of that name, which is run once.
    """
    dags_folder, specs = folder / "dags", folder / "specs"
    for made in (dags_folder, specs):
        made.mkdir()
    for name in ("train_classifier.py", "classify_documents.py"):
        shutil.copy(ROOT / "dags" / name, dags_folder)
    for name, text in dags.items():
        (dags_folder / f"{name}.py").write_text(text)
    (specs / "night.yaml").write_text(yaml.safe_dump(dict(spec)))
    stack = LocalStack(folder / "stack", [specs], dags=dags_folder)
    try:
        stack.up()
        stream = io.StringIO()
        csv.writer(stream).writerows(labelled)
        with _entered(stack.environment()):
            plain_access().path(BUCKET).mkdir(exist_ok=True)
            write("labelled.csv", stream.getvalue().encode())
        for dag_id in ("train_night", *dags):
            run_to_success(stack, dag_id)
        yield {_HOME: str(stack.home.root)}
    finally:
        stack.remove()


def running_stack() -> LocalStack:
    """Return the stack around this process, which then sees it as the stack's components do."""
    stack = LocalStack(Path(os.environ[_HOME]))
    enter(stack.environment())
    return stack


def run_to_success(
    stack: LocalStack,
    dag_id: str,
    conf: Mapping[str, Any] | None = None,
    observer: RunObserver | None = None,
) -> DagRunResult:
    """Run a DAG to its end; a run that fails ends the benchmark."""
    result = stack.run_dag(dag_id, conf, observer=observer)
    if not result.succeeded:
        raise SystemExit(f"{dag_id} ended {result.state}: {result.states()} {result.log_tails}")
    return result


def run_seconds(stack: LocalStack, result: DagRunResult) -> float:
    """Return how long a run took in Airflow, from its start to its end."""
    run = stack.api.run(result.dag_id, result.run_id)
    if run.start is None or run.end is None:
        raise SystemExit(f"{run.run_id} is {run.state}")
    return (run.end - run.start).total_seconds()


def jobs_of(day: date) -> list[Any]:
    """Return what Comprehend tells of the jobs of a day's run."""
    pages = boto3.client("comprehend").get_paginator("list_document_classification_jobs").paginate()
    jobs = [job for page in pages for job in page["DocumentClassificationJobPropertiesList"]]
    return [job for job in jobs if run_key(day, None) in job["JobName"]]


def unused_day() -> date:
    """Return a day that was not classified yet."""
    with psycopg.connect("") as connection:
        row = connection.execute("SELECT max(day) FROM nightsort.classification_runs").fetchone()
    return (row[0] if row and row[0] else date(2026, 1, 1)) + timedelta(days=1)


def write(key: str, content: bytes) -> None:
    """Put an object into the stack's bucket."""
    plain_access().path(f"{BUCKET}/{key}").write_bytes(content)


@contextmanager
def _entered(environment: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    enter(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
