from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook
from nightsort_airflow.triggers.comprehend import (
    ComprehendDocumentClassificationJobTrigger,
    ComprehendDocumentClassifierTrainedTrigger,
    ComprehendQuotaTrigger,
)

ARN = "arn:aws:comprehend:eu-west-1:123456789012:document-classifier/c/version/v1"
JOB = f"{1:032x}"


def first_event(trigger: Any) -> dict[str, Any]:
    async def one() -> Any:
        async for event in trigger.run():
            return event.payload
        raise AssertionError("the trigger ended without an event")

    return asyncio.run(one())


def test_the_hook_takes_everything_that_the_task_gave() -> None:
    trigger = ComprehendDocumentClassificationJobTrigger(
        job_id=JOB,
        aws_conn_id=None,
        region_name="eu-west-2",
        verify=False,
        botocore_config={"read_timeout": 5},
    )
    hook = trigger.hook()
    assert isinstance(hook, ComprehendClassificationHook)
    assert (hook.region_name, hook.verify, vars(hook.config)["read_timeout"]) == ("eu-west-2", False, 5)


@pytest.mark.parametrize(
    "trigger",
    [
        ComprehendDocumentClassificationJobTrigger(
            job_id=JOB, waiter_delay=1, waiter_max_attempts=2, aws_conn_id="dead"
        ),
        ComprehendDocumentClassifierTrainedTrigger(
            document_classifier_arn=ARN, waiter_delay=1, waiter_max_attempts=2, aws_conn_id="dead"
        ),
    ],
    ids=["job", "training"],
)
def test_a_connection_that_stays_lost_is_an_event_and_not_an_exception(
    trigger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {
        "region_name": "eu-west-1",
        "endpoint_url": "http://127.0.0.1:9",
        "config_kwargs": {"retries": {"total_max_attempts": 1}},
    }
    connection = {"conn_type": "aws", "login": "tester", "password": "secret-key", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_DEAD", json.dumps(connection))
    event = first_event(trigger)
    assert event["status"] == "error"
    assert "No connection" in event["message"]
    assert event[trigger.return_key] in {JOB, ARN}


def test_killing_a_deferred_job_says_that_it_runs_on(capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(ComprehendDocumentClassificationJobTrigger(job_id=JOB).on_kill())
    logged = capsys.readouterr().out
    assert "continues and is billed, because AWS cannot stop it" in logged
    assert JOB in logged


def test_killing_a_deferred_training_stops_nothing_unless_asked_to(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asyncio.run(ComprehendDocumentClassifierTrainedTrigger(document_classifier_arn=ARN).on_kill())
    assert "continues and is billed" in capsys.readouterr().out


@pytest.mark.parametrize("seconds", [-60, 0.2], ids=["past", "soon"])
def test_the_next_question_for_room_comes_at_its_moment_also_after_a_restart(seconds: float) -> None:
    moment = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    event = first_event(ComprehendQuotaTrigger(moment=moment.isoformat()))
    assert event == {"status": "success"}
    assert datetime.now(timezone.utc) >= moment
