"""Start a local AWS in its own process, for tests and scripts.

``with launch() as aws: aws.client("comprehend")``. For pytest see
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


START_SECONDS = 240
"""A busy machine needs minutes for the imports. A server that ends is noticed at once."""
STOP_SECONDS = 120

_READY = "The local AWS is ready: "


class LaunchError(Exception):
    """The local AWS did not start; the message has its output and its exit code."""


@dataclass(frozen=True)
class LocalAwsServer:
    """A running local AWS.

    :param url: the endpoint URL.
    :param process: the server's process.
    """

    url: str
    process: subprocess.Popen[str]

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that lead any AWS client to it."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url}

    @property
    def control(self) -> LocalAwsControl:
        """A client of the control API: faults, delays and rate limits."""
        return LocalAwsControl(self.url)

    @contextmanager
    def for_this_process(self) -> Iterator[None]:
        """Lead this process's own clients to the server; clear the cache of s3fs, which keeps endpoints."""
        with mock.patch.dict(os.environ, self.environment):
            _forget_file_systems()
            yield
        _forget_file_systems()

    def client(self, service: str, region: str = REGION, **config: Any) -> Any:
        """Return a boto3 client. By default it does not retry, so that a test sees the first answer.

        :param service: boto3's name of the service.
        :param region: the region that it signs requests for.
        :param config: settings of :class:`botocore.config.Config`.
        """
        # Imported late: every run of pytest with the plugin imports this module.
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
    """Start a local AWS; stop it at the end of the block.

    :param data: the folder that keeps buckets and classifiers across restarts; None keeps nothing.
    :param environment: variables for the server, in addition to those of this process.
    :param port: the port; 0 takes a free one.
    :raises LaunchError: the server ended, or was not ready within :data:`START_SECONDS`.
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
            f"The local AWS did not start. It printed {line!r}; its exit code is {process.poll()}. "
            "Its standard error has the reason."
        )
    return line.removeprefix(_READY).split()[0]
