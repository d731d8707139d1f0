"""A stack with the samples, as a person uses it: its command line, its tables, its Comprehend."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import boto3

from nightsort_local import postgres, sample_corpus
from nightsort_local.home import REPOSITORY
from nightsort_local.stack_settings import SECRET_KEY

if TYPE_CHECKING:
    from datetime import date

    from nightsort_local.stack import LocalStack

FIRST, SECOND = sample_corpus.days()[:2]
SERVICES, TOPICS = "aws-services", "aws-topics"
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
        aws_access_key_id="test",
        aws_secret_access_key=SECRET_KEY,
    )


def job_ids(stack: LocalStack) -> set[str]:
    pages = comprehend(stack).get_paginator("list_document_classification_jobs").paginate()
    return {job["JobId"] for page in pages for job in page["DocumentClassificationJobPropertiesList"]}
