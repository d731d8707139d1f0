"""Requests are counted by minute and endpoint; what a server counted, the next one has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort_local.local_aws.comprehend.endpoint_metrics import (
    CONSUMED,
    KEPT_SECONDS,
    PROVISIONED,
    REQUESTED,
    UTILIZATION,
    EndpointMetrics,
)
from nightsort_local.local_aws.state_file import StateFile

if TYPE_CHECKING:
    from pathlib import Path

ARN = "arn:1"


@given(st.lists(st.tuples(st.integers(1, 10_000), st.integers(1, 10), st.booleans()), min_size=1))
def test_the_sums_are_those_of_the_requests(requests: list[tuple[int, int, bool]]) -> None:
    metrics = EndpointMetrics(StateFile(None), lambda: 125.0)
    for characters, units, answered in requests:
        metrics.count(ARN, units, characters, answered=answered)
    ((arn, start, minute),) = metrics.minutes()
    assert (arn, start) == (ARN, 120)
    done = [(characters, units) for characters, units, answered in requests if answered]
    assert minute[REQUESTED].sum == pytest.approx(sum(characters for characters, _, _ in requests) / 6_000)
    assert minute[REQUESTED].count == len(requests)
    assert metrics.answered_characters(ARN) == sum(characters for characters, _ in done)
    if not done:
        assert set(minute) == {REQUESTED}
        return
    used = [characters / 6_000 for characters, _ in done]
    assert minute[CONSUMED].sum == pytest.approx(sum(used))
    assert (minute[CONSUMED].minimum, minute[CONSUMED].maximum) == (min(used), max(used))
    assert minute[PROVISIONED].maximum == max(units for _, units in done)
    percent = sum(characters / 6_000 / units * 100 for characters, units in done)
    assert minute[UTILIZATION].sum == pytest.approx(percent)


def test_the_next_server_has_the_minutes_of_fifteen_days(tmp_path: Path) -> None:
    moment = 1_000_000.0
    state = StateFile(tmp_path / "state.sqlite")
    metrics = EndpointMetrics(state, lambda: moment)
    metrics.count(ARN, 1, 600, answered=True)
    moment += 60
    metrics.count(ARN, 1, 6_000, answered=True)
    state.close()

    state = StateFile(tmp_path / "state.sqlite")
    again = EndpointMetrics(state, lambda: moment)
    assert sorted(minute[CONSUMED].sum for _, _, minute in again.minutes()) == [0.1, 1.0]
    moment += KEPT_SECONDS - 50
    assert [minute[CONSUMED].sum for _, _, minute in EndpointMetrics(state, lambda: moment).minutes()] == [
        1.0
    ]
    state.close()
    state = StateFile(tmp_path / "state.sqlite")
    assert len(state.read("endpoint_minute")) == 1, "what is forgotten leaves the file"
    state.close()
