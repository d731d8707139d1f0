"""Every state that AWS can report is classified exactly once, the same way in code and in the waiters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.waiter import WaiterModel

import nightsort_airflow
from nightsort_airflow.hooks.comprehend import (
    WAITER_DELETED,
    WAITER_IN_SERVICE,
    WAITER_JOB_COMPLETE,
    WAITER_TRAINED,
)
from nightsort_airflow.states import EndpointStatus, JobStatus, ModelStatus, Phase
from tests.contract.comprehend_model import enum

WAITERS = Path(nightsort_airflow.__file__).parent / "waiters" / "comprehend.json"

ENDS = {"retry": Phase.RUNNING, "success": Phase.SUCCEEDED, "failure": Phase.FAILED}
MODEL = {end: [state.value for state in ModelStatus if state.phase is phase] for end, phase in ENDS.items()}
JOB = {end: [state.value for state in JobStatus if state.phase is phase] for end, phase in ENDS.items()}

ENDPOINT = {
    end: [state.value for state in EndpointStatus if state.phase is phase] for end, phase in ENDS.items()
}


def ends(waiter: str, response: dict[str, dict[str, str]]) -> list[str]:
    config = WaiterModel(json.loads(WAITERS.read_text())).get_waiter(waiter)
    return [acceptor.state for acceptor in config.acceptors if acceptor.matcher_func(response)]


def model_in(state: str) -> dict[str, dict[str, str]]:
    return {"DocumentClassifierProperties": {"Status": state}}


def job_in(state: str) -> dict[str, dict[str, str]]:
    return {"DocumentClassificationJobProperties": {"JobStatus": state}}


def endpoint_in(state: str) -> dict[str, dict[str, str]]:
    return {"EndpointProperties": {"Status": state}}


@pytest.mark.parametrize(
    ("shape", "sets"), [("ModelStatus", MODEL), ("JobStatus", JOB), ("EndpointStatus", ENDPOINT)]
)
def test_each_state_of_botocore_is_in_exactly_one_set(shape: str, sets: dict[str, list[str]]) -> None:
    ours = [state for members in sets.values() for state in members]
    assert sorted(ours) == sorted(enum(shape))


@pytest.mark.parametrize("state", enum("ModelStatus"))
def test_the_training_waiter_classifies_each_state_once_and_as_the_code_does(state: str) -> None:
    expected = next(end for end, members in MODEL.items() if state in members)
    assert ends(WAITER_TRAINED, model_in(state)) == [expected]


@pytest.mark.parametrize("state", enum("JobStatus"))
def test_the_job_waiter_classifies_each_state_once_and_as_the_code_does(state: str) -> None:
    expected = next(end for end, members in JOB.items() if state in members)
    assert ends(WAITER_JOB_COMPLETE, job_in(state)) == [expected]


@pytest.mark.parametrize("state", enum("EndpointStatus"))
def test_the_endpoint_waiters_classify_each_state_once_and_as_the_code_does(state: str) -> None:
    expected = next(end for end, members in ENDPOINT.items() if state in members)
    assert ends(WAITER_IN_SERVICE, endpoint_in(state)) == [expected]
    assert ends(WAITER_DELETED, endpoint_in(state)) == ["retry" if state == "DELETING" else "failure"]


def test_an_endpoint_that_is_gone_is_deleted_and_never_in_service() -> None:
    gone = {"Error": {"Code": "ResourceNotFoundException", "Message": ""}}
    for waiter, expected in ((WAITER_DELETED, ["success"]), (WAITER_IN_SERVICE, [])):
        config = WaiterModel(json.loads(WAITERS.read_text())).get_waiter(waiter)
        assert [each.state for each in config.acceptors if each.matcher_func(gone)] == expected


def test_a_state_that_nobody_knows_ends_the_wait_as_a_failure() -> None:
    assert ends(WAITER_TRAINED, model_in("PONDERING")) == ["failure"]
    assert ends(WAITER_JOB_COMPLETE, job_in("PONDERING")) == ["failure"]
    assert ends(WAITER_IN_SERVICE, endpoint_in("PONDERING")) == ["failure"]
    assert ends(WAITER_DELETED, endpoint_in("PONDERING")) == ["failure"]


@pytest.mark.parametrize("waiter", [WAITER_TRAINED, WAITER_JOB_COMPLETE, WAITER_IN_SERVICE, WAITER_DELETED])
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ThrottlingException", ["retry"]),
        ("TooManyRequestsException", ["retry"]),
        ("InternalServerException", ["retry"]),
        ("AccessDeniedException", []),
    ],
)
def test_a_wait_goes_on_when_aws_is_busy(waiter: str, code: str, expected: list[str]) -> None:
    config = WaiterModel(json.loads(WAITERS.read_text())).get_waiter(waiter)
    answer = {"Error": {"Code": code, "Message": ""}}
    assert [acceptor.state for acceptor in config.acceptors if acceptor.matcher_func(answer)] == expected
