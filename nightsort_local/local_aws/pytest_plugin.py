"""A local AWS for the tests of any project.

pytest finds these fixtures by the entry point of the installed package. The server starts with the first test
that asks for it, on a free port, and ends with the last test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nightsort_local.local_aws.control.client import LocalAwsControl
    from nightsort_local.local_aws.launcher import LocalAwsServer


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalAwsServer]:
    """One local AWS for all tests: its ``url`` and ``environment``; ``client("s3")`` is a boto3 client."""
    # Every pytest of the environment loads this file; only who asks for a server waits for its imports.
    from nightsort_local.local_aws.launcher import launch

    with launch() as server:
        yield server


@pytest.fixture
def local_aws_environment(local_aws: LocalAwsServer) -> Iterator[LocalAwsServer]:
    """Set the ``AWS_*`` variables during the test, so that this process's clients use the server."""
    with local_aws.for_this_process():
        yield local_aws


@pytest.fixture
def local_aws_control(local_aws: LocalAwsServer) -> Iterator[LocalAwsControl]:
    """Control faults, delays and rate limits of the server; restore them after the test."""
    control = local_aws.control
    before = control.behaviour()
    yield control
    control.clear()
    control.set_behaviour(**before)
