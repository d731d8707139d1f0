"""Starts a local AWS as a process of its own: for tests, and for scripts that want one for a while.

``with launch() as aws: aws.client("comprehend")``; for pytest see
:mod:`nightsort_local.local_aws.pytest_plugin`.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

from nightsort_local.local_aws.control.client import LocalAwsControl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROJECT = Path(__file__).parents[2]
"""Where the server runs: in a tested project's folder it would import that project's modules."""

REGION = "us-east-1"

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}


START_SECONDS = 60
STOP_SECONDS = 20

_READY = "The local AWS is ready: "


class LaunchError(Exception):
    """The local AWS did not start; the message says what it printed and how it ended."""


@dataclass(frozen=True)
class LocalAwsServer:
    """A running local AWS.

    Attributes:
        url: the endpoint URL.
        process: the server's process.
    """

    url: str
    process: subprocess.Popen[str]

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which any AWS client uses it."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url}

    @property
    def control(self) -> LocalAwsControl:
        """Tells the server to fail, to be slow, to limit."""
        return LocalAwsControl(self.url)

    @contextmanager
    def for_this_process(self) -> Iterator[None]:
        """Lead this process's own clients here, s3fs too, which remembers a file system with its endpoint."""
        with mock.patch.dict(os.environ, self.environment):
            _forget_file_systems()
            yield
        _forget_file_systems()

    def client(self, service: str, region: str = REGION, **config: Any) -> Any:
        """Return a boto3 client; by default it does not retry, so that a test sees the first answer.

        Args:
            service: boto3's name of the service.
            region: the region that it signs for.
            config: settings of :class:`botocore.config.Config`.
        """
        # Later than this module: every run of pytest that has the plugin imports it.
        import boto3
        from botocore.config import Config

        return cast("Any", boto3).client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(**{"retries": {"total_max_attempts": 1}, **config}),
        )


@contextmanager
def launch(
    data: Path | None = None, environment: Mapping[str, str] | None = None, port: int = 0
) -> Iterator[LocalAwsServer]:
    """Start a local AWS; it is gone at the end of the block.

    Args:
        data: the folder that keeps buckets and classifiers over a restart; None keeps nothing.
        environment: variables for the server, besides those of this process.
        port: the port; 0 takes a free one.

    Raises:
        LaunchError: the server ended, or said nothing for :data:`START_SECONDS`.
    """
    command = [sys.executable, "-m", "nightsort_local.local_aws", "--port", str(port)]
    if data is not None:
        command += ["--data", str(data.absolute())]
    process = subprocess.Popen(  # noqa: S603 - this Python, with arguments of our own
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
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            if process.stdout is not None:
                process.stdout.close()


def _forget_file_systems() -> None:
    s3fs = sys.modules.get("s3fs")
    if s3fs is not None:
        s3fs.S3FileSystem.clear_instance_cache()


def _wait_until_ready(process: subprocess.Popen[str]) -> str:
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(
        target=lambda: lines.put(process.stdout.readline() if process.stdout else ""), daemon=True
    ).start()
    try:
        line = lines.get(timeout=START_SECONDS)
        if not line:
            process.wait(timeout=STOP_SECONDS)
    except queue.Empty:
        line = ""
    if not line.startswith(_READY):
        raise LaunchError(
            f"The local AWS did not start: it said {line!r} and its exit code is {process.poll()}; "
            "what it wrote to standard error says why."
        )
    return line.removeprefix(_READY).split()[0]
