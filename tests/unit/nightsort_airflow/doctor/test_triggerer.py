"""What the triggerer says of itself: that it runs Nightsort's code, and whether Comprehend answers there."""

from __future__ import annotations

import asyncio
from typing import Any

from nightsort_airflow.doctor.triggerer import TriggererCheckTrigger


def events(trigger: TriggererCheckTrigger) -> list[dict[str, Any]]:
    async def collect() -> list[dict[str, Any]]:
        return [event.payload async for event in trigger.run()]

    return asyncio.run(collect())


def test_its_event_tells_of_each_connection_and_what_is_out_of_reach_is_no_exception() -> None:
    (event,) = events(TriggererCheckTrigger(["aws_one", "aws_two"]))
    alive, *comprehends = event["findings"]
    assert (alive["subject"], alive["state"]) == ("answers", "ok")
    assert [found["subject"] for found in comprehends] == ["aws_one: Comprehend", "aws_two: Comprehend"]
    for found in comprehends:
        assert found["state"] == "failed"
        assert "Could not connect" in found["says"]
