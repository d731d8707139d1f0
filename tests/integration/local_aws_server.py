"""A local AWS in a process of its own, and waiting for what it does.

``with local_aws() as aws: aws.client("s3")``; see :mod:`nightsort_local.local_aws.launcher`. It has one
worker: each one more imports scikit-learn, which takes longer than most tests.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from nightsort_local.local_aws.launcher import CREDENTIALS, PROJECT, REGION, LocalAwsServer, launch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = [
    "CREDENTIALS", "PROJECT", "REGION", "ROLE", "LocalAwsServer", "answer_of", "aws_connection", "hold_reads",
    "local_aws", "wait_for_classifier", "wait_for_job", "wait_until",
]  # fmt: skip

ROLE = "arn:aws:iam::123456789012:role/NightsortComprehendDataAccess"

PATIENCE_SECONDS = 240

answer_of = partial(httpx.request, trust_env=False, timeout=PATIENCE_SECONDS)
"""The answer to one request, as any program may send it: ``answer_of("GET", url)``."""

OWN_KEY = CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"]


@contextmanager
def local_aws(
    data: Path | None = None, environment: Mapping[str, str] | None = None, port: int = 0
) -> Iterator[LocalAwsServer]:
    """Start a local AWS as :func:`launch` does; it is gone at the end of the block."""
    with launch(data, {"NIGHTSORT_LOCAL_AWS_WORKERS": "1", **(environment or {})}, port) as server:
        yield server


def aws_connection(url: str, key_id: str = OWN_KEY[0], secret: str = OWN_KEY[1], **extra: str) -> str:
    """An Airflow connection to a local AWS, as the value of its variable; the key is the server's."""
    places = {"region_name": REGION, "endpoint_url": url, **extra}
    return json.dumps({"conn_type": "aws", "login": key_id, "password": secret, "extra": places})


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a state, however slow the machine is; the limit is only a little below pytest's own."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE_SECONDS} s for {what}"
        time.sleep(0.02)


def wait_for_classifier(comprehend: Any, arn: str) -> dict[str, Any]:
    """Wait until a classifier is in a final state; return its properties."""
    found: dict[str, Any] = {}

    def ended() -> bool:
        answer = comprehend.describe_document_classifier(DocumentClassifierArn=arn)
        found.clear()
        found.update(answer["DocumentClassifierProperties"])
        return found["Status"] not in ("SUBMITTED", "TRAINING", "STOP_REQUESTED")

    wait_until(ended, f"{arn} to end")
    return found


def wait_for_job(comprehend: Any, job_id: str) -> dict[str, Any]:
    """Wait until a job is in a final state; return its properties."""
    found: dict[str, Any] = {}

    def ended() -> bool:
        answer = comprehend.describe_document_classification_job(JobId=job_id)
        found.clear()
        found.update(answer["DocumentClassificationJobProperties"])
        return found["JobStatus"] not in ("SUBMITTED", "IN_PROGRESS")

    wait_until(ended, f"job {job_id} to end")
    return found


def hold_reads(aws: LocalAwsServer) -> None:
    """Keep work in its first read from S3, where it occupies its worker, until the faults are cleared."""
    aws.control.inject("latency", operation="s3:GetObject", seconds=3_600, times=None)
