"""A local AWS in a process of its own, and waiting for what it does.

``with local_aws() as aws: aws.client("s3")``; see :mod:`nightsort_local.local_aws.launcher`. It has one
worker: each one more imports scikit-learn, which takes longer than most tests.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nightsort_local.local_aws.launcher import CREDENTIALS, PROJECT, REGION, LocalAwsServer, launch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = [
    "CREDENTIALS", "PROJECT", "REGION", "ROLE", "LocalAwsServer", "local_aws", "wait_for_classifier",
    "wait_for_job",
]  # fmt: skip

ROLE = "arn:aws:iam::123456789012:role/NightsortComprehendDataAccess"


@contextmanager
def local_aws(
    data: Path | None = None, environment: Mapping[str, str] | None = None, port: int = 0
) -> Iterator[LocalAwsServer]:
    """Start a local AWS as :func:`launch` does; it is gone at the end of the block."""
    with launch(data, {"NIGHTSORT_LOCAL_AWS_WORKERS": "1", **(environment or {})}, port) as server:
        yield server


def wait_for_classifier(comprehend: Any, arn: str, seconds: float = 120) -> dict[str, Any]:
    """Wait until a classifier is in a final state; return its properties."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = comprehend.describe_document_classifier(DocumentClassifierArn=arn)
        properties: dict[str, Any] = answer["DocumentClassifierProperties"]
        if properties["Status"] not in ("SUBMITTED", "TRAINING", "STOP_REQUESTED"):
            return properties
        time.sleep(0.05)
    raise AssertionError(f"{arn} is still {properties['Status']} after {seconds} s")


def wait_for_job(comprehend: Any, job_id: str, seconds: float = 120) -> dict[str, Any]:
    """Wait until a job is in a final state; return its properties."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = comprehend.describe_document_classification_job(JobId=job_id)
        properties: dict[str, Any] = answer["DocumentClassificationJobProperties"]
        if properties["JobStatus"] not in ("SUBMITTED", "IN_PROGRESS"):
            return properties
        time.sleep(0.05)
    raise AssertionError(f"job {job_id} is still {properties['JobStatus']} after {seconds} s")
