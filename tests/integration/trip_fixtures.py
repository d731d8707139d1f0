"""The trip that tests begin with which run commands too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.operator_trips import Trip, make_trip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.local_aws_server import LocalAwsServer


@pytest.fixture
def bare_trip(
    aws: LocalAwsServer, empty_database: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Trip]:
    """A trip whose storage this process reads too. Nothing is labelled or trained."""
    with aws.for_this_process():
        yield make_trip(aws, empty_database, monkeypatch, request.node.name)
