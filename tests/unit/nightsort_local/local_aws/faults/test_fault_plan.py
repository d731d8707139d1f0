"""Which faults strike, and how often."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from nightsort_local.local_aws.faults.fault_plan import FAULTS, FaultPlan
from nightsort_local.local_aws.faults.fault_types import (
    DoubledLines,
    ErrorAnswer,
    Fail,
    Latency,
    LostLines,
    ResetBefore,
)
from nightsort_local.local_aws.settings import SettingError

LISTING = "ListDocumentClassifiers"


def test_a_fault_is_spent_after_its_times_and_stays_to_be_seen() -> None:
    plan = FaultPlan([ResetBefore(operation="*", times=2, after=1)])
    assert [bool(plan.strike_request(LISTING)) for _ in range(5)] == [False, True, True, False, False]
    assert [shown["struck"] for shown in plan.shown()] == [2]


def test_a_request_suffers_every_latency_and_the_first_other_fault() -> None:
    slow, slower = Latency(operation="*", seconds=1), Latency(operation="List*", seconds=2)
    error, never = ErrorAnswer(operation="*", code="X"), ResetBefore(operation="*")
    plan = FaultPlan([slow, slower, error, never])
    assert plan.strike_request(LISTING) == [slow, slower, error]
    assert plan.strike_request(LISTING) == [never]


def test_what_another_fault_takes_is_no_match_of_a_later_one() -> None:
    plan = FaultPlan([ErrorAnswer(operation="*", code="X"), ResetBefore(operation="*", after=1)])
    assert [len(plan.strike_request(LISTING)) for _ in range(3)] == [1, 0, 1]


def test_work_suffers_all_of_its_faults_in_order() -> None:
    lost, doubled = LostLines(times=None), DoubledLines(name="night")
    plan = FaultPlan([lost, Fail(resource="training"), doubled])
    assert plan.strike_work("job", "night-1") == (lost, doubled)
    assert plan.strike_work("job", "night-2") == (lost,)


def test_a_rate_is_random_and_the_same_in_every_plan() -> None:
    def strikes() -> list[bool]:
        plan = FaultPlan([ResetBefore(operation="*", times=None, rate=0.25)])
        return [bool(plan.strike_request(LISTING)) for _ in range(400)]

    first = strikes()
    assert 70 <= sum(first) <= 130
    assert strikes() == first


def test_of_many_callers_at_once_as_many_are_struck_as_it_says() -> None:
    plan = FaultPlan([ResetBefore(operation="*", times=50)])
    with ThreadPoolExecutor(8) as pool:
        struck = list(pool.map(lambda _: len(plan.strike_request(LISTING)), range(400)))
    assert sum(struck) == 50


def test_faults_are_taken_out_by_their_id() -> None:
    plan = FaultPlan()
    first, second = (plan.add(Fail(resource="job", name=name)) for name in ("a", "b"))
    assert first != second
    assert plan.remove(first)
    assert not plan.remove(first)
    assert [shown["name"] for shown in plan.shown()] == ["b"]


def test_only_faults_of_s3_make_it_look_at_requests_to_s3() -> None:
    plan = FaultPlan([ResetBefore(operation="*")])
    assert not plan.has_s3_faults()
    plan.add(ResetBefore(operation="s3:*"))
    assert plan.has_s3_faults()


def test_the_environment_is_a_json_list() -> None:
    faults = [{"kind": "fail", "resource": "job", "message": "m"}]
    plan = FaultPlan.from_environment({FAULTS: json.dumps(faults)})
    assert plan.strike_work("job", "") == (Fail(resource="job", message="m"),)
    assert FaultPlan.from_environment({}).shown() == []


@pytest.mark.parametrize(
    ("value", "said"),
    [("[", "Expecting value"), ("{}", "must be a JSON list"), ('[{"kind": "x"}]', "'error', 'latency'")],
)
def test_an_environment_that_cannot_be_is_refused(value: str, said: str) -> None:
    with pytest.raises(SettingError, match=f"{FAULTS} is invalid: .*{said}"):
        FaultPlan.from_environment({FAULTS: value})
