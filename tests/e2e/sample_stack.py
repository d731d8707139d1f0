"""A stack with the samples, as a person uses it: its command line, its tables, its Comprehend."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import boto3

from nightsort_local import postgres, sample_corpus
from nightsort_local.home import REPOSITORY, SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from pathlib import Path

    from nightsort_local.stack import LocalStack

FIRST, SECOND = sample_corpus.days()[:2]
SERVICES, TOPICS = "aws-services", "aws-topics"
PATIENCE_SECONDS = 900
"""As long as a busy machine needs, for what takes seconds on one that is not."""

DAGS = {
    "nightsort_doctor",
    *(f"{kind}_{name}" for kind in ("train", "classify") for name in (SERVICES, TOPICS)),
}


def command(stack: LocalStack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call the stack's command line as a person would, who has settings of their own in the shell."""
    environment = {
        **os.environ,
        "NIGHTSORT_HOME": str(stack.home.root),
        "NIGHTSORT_SPECS": ":".join(stack.specs),
        "AWS_PROFILE": "production",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "PGHOST": "db.example.com",
    }
    return subprocess.run(
        [sys.executable, "-m", "nightsort_local", *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def query(stack: LocalStack, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with postgres.connect(stack.home, "nightsort") as connection:
        return connection.execute(statement, values).fetchall()


def predictions(stack: LocalStack, classifier: str, day: date) -> list[tuple[Any, ...]]:
    return query(
        stack,
        "SELECT batch, line, document_id, status, label, score, labels, scores, accepted, reason"
        " FROM nightsort.predictions WHERE classifier = %s AND day = %s ORDER BY batch, line",
        classifier,
        day,
    )


def comprehend(stack: LocalStack) -> Any:
    return boto3.client(
        "comprehend",
        endpoint_url=stack.aws_url,
        region_name="us-east-1",
        aws_access_key_id=stack.aws_key[0],
        aws_secret_access_key=stack.aws_key[1],
    )


def job_ids(stack: LocalStack) -> set[str]:
    pages = comprehend(stack).get_paginator("list_document_classification_jobs").paginate()
    return {job["JobId"] for page in pages for job in page["DocumentClassificationJobPropertiesList"]}


def spec_like(stack: LocalStack, specs: Path, sample: str, name: str, **keys: str) -> Path:
    """Write a spec on the sample's documents under another name, and wait until Airflow has its DAGs."""
    file = specs / f"{name}.yaml"
    text = (SAMPLES / f"{sample}.yaml").read_text(encoding="utf-8")
    text = text.replace(f"name: {sample}", f"name: {name}").replace(f"{sample}/work", f"{name}/work")
    kept = [line for line in text.splitlines() if line.partition(":")[0] not in keys]
    file.write_text("\n".join([*kept, *(f"{key}: {value}" for key, value in keys.items()), ""]), "utf-8")
    for dag_id in (f"train_{name}", f"classify_{name}"):
        until(lambda dag_id=dag_id: stack.api.dag(dag_id), f"{dag_id} is not parsed")  # type: ignore[misc]
        stack.api.unpause(dag_id)
    return file


def until(found: Callable[[], Any], problem: str) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (result := found()):
        assert time.monotonic() < deadline, problem
        time.sleep(0.3)
    return result


def question(stack: LocalStack, dag_id: str, run_id: str) -> Any:
    """
    Return the question of a run as soon as it can be answered, else None.

    Airflow shows it before it has parked the task, and an answer in between wakes nobody. A task that goes on
    before the scheduler has read that its process ended is taken for one that died (apache/airflow#67287): it
    asks again. No person answers that fast.
    """
    path = f"/dags/{dag_id}/dagRuns/{run_id}/hitlDetails"
    found = stack.api._json("GET", path, params={"response_received": False})["hitl_details"]
    log = (stack.home.logs / "scheduler.log").read_text(encoding="utf-8").splitlines()
    events = [line for line in log if "Received executor event" in line and f"run_id='{run_id}'" in line]
    for asked in found:
        task = asked["task_instance"]
        process = f"task_id='{task['task_id']}', run_id='{run_id}', try_number={task['try_number']},"
        if task["state"] == "awaiting_input" and any(process in event for event in events):
            return asked
    return None
