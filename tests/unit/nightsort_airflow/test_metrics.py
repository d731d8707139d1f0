"""When nothing is sent, and that no task fails for it. What is sent: ``test_observed_night.py``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils

from nightsort.tables.run_rows import AirflowRun
from nightsort_airflow.metrics import send_night, send_unsent_night
from tests.integration.udp_listener import udp_listener
from tests.unit.nightsort_airflow.ui.ui_rows import SPEC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUN = AirflowRun("classify_tickets", "scheduled__1")
BROKEN: Any = psycopg.connect
"""No connection: whoever asks it fails."""


@pytest.fixture(autouse=True)
def no_metrics_afterwards() -> Iterator[None]:
    yield
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """Airflow sends metrics to StatsD; what came there, asked once, at the end."""
    with udp_listener() as listener:
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(listener.port))
        stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)

        def read() -> list[str]:
            listener.close()
            return listener.lines

        yield read


def test_an_error_is_logged_and_nobody_else_learns_of_it(
    sent: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        send_night(BROKEN, SPEC, "20261118")
        send_unsent_night(BROKEN, "tickets", RUN, "20261118")
    assert caplog.messages == ["The night's metrics were not sent."] * 2
    assert sent() == []


def test_without_a_tool_for_metrics_nothing_is_read(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        send_night(BROKEN, SPEC, "20261118")
        send_unsent_night(BROKEN, "tickets", RUN, "20261118")
    assert not caplog.messages
