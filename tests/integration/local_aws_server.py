"""A local AWS in a process of its own, for tests of any part.

``with local_aws() as aws: aws.client("s3")``; see :class:`LocalAwsServer`.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from s3fs import S3FileSystem

from include.local_stack.local_aws.control.client import LocalAwsControl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROJECT = Path(__file__).parents[2]
REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/NightsortComprehendDataAccess"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}

_READY = "The local AWS is ready: "
_START_SECONDS = 60


@dataclass(frozen=True)
class LocalAwsServer:
    """A running local AWS.

    Attributes:
        url: the endpoint URL.
        process: the server's process.
        environment: variables with which any AWS client uses it.
    """

    url: str
    process: subprocess.Popen[str]

    @property
    def environment(self) -> dict[str, str]:
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url}

    @property
    def control(self) -> LocalAwsControl:
        """Tells the server to fail, to be slow, to limit."""
        return LocalAwsControl(self.url)

    @contextmanager
    def for_this_process(self) -> Iterator[None]:
        """Lead this process's own clients here, s3fs too, which remembers a file system with its endpoint."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            S3FileSystem.clear_instance_cache()
            yield
        S3FileSystem.clear_instance_cache()

    def client(self, service: str, region: str = REGION, **config: Any) -> Any:
        """A boto3 client; by default it does not retry, so that a test sees the first answer."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(**{"retries": {"total_max_attempts": 1}, **config}),
        )


@contextmanager
def local_aws(
    data: Path | None = None, environment: Mapping[str, str] | None = None, port: int = 0
) -> Iterator[LocalAwsServer]:
    """Start a local AWS on a free port; it is gone at the end of the block."""
    command = [sys.executable, "-m", "include.local_stack.local_aws", "--port", str(port)]
    if data is not None:
        command += ["--data", str(data)]
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield LocalAwsServer(_wait_until_ready(process), process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            if process.stdout is not None:
                process.stdout.close()


def _wait_until_ready(process: subprocess.Popen[str]) -> str:
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(
        target=lambda: lines.put(process.stdout.readline() if process.stdout else ""), daemon=True
    ).start()
    line = lines.get(timeout=_START_SECONDS)
    assert line.startswith(_READY), f"the local AWS said {line!r} and ended with {process.poll()}"
    return line.removeprefix(_READY).split()[0]


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
