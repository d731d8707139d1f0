"""The behaviour can be set by environment and by call, and refuses what cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from nightsort_local.local_aws.comprehend.behaviour import FAST, REALISTIC, Behaviour
from nightsort_local.local_aws.settings import SettingError


def test_by_default_it_is_fast_and_without_limits() -> None:
    behaviour = Behaviour.from_environment({"NIGHTSORT_LOCAL_AWS_JOB_SECONDS": ""})
    assert (behaviour.delays, behaviour.rate_limits) == (FAST, False)


def test_the_environment_names_a_profile_and_changes_single_delays() -> None:
    behaviour = Behaviour.from_environment(
        {
            "NIGHTSORT_LOCAL_AWS_DELAYS": "realistic",
            "NIGHTSORT_LOCAL_AWS_JOB_SECONDS": "1.5",
            "NIGHTSORT_LOCAL_AWS_RATE_LIMITS": "true",
        }
    )
    assert behaviour.delays == REALISTIC.model_copy(update={"job_seconds": 1.5})
    assert behaviour.rate_limits


def test_a_call_changes_what_it_names_and_a_profile_changes_every_delay() -> None:
    heard: list[dict[str, Any]] = []
    behaviour = Behaviour({"delays": {"job_seconds": 5}})
    behaviour.on_change(lambda: heard.append(behaviour.to_dict()["delays"]))

    behaviour.update({"delays": {"training_seconds": 7}, "rate_limits": True})
    assert (behaviour.delays.job_seconds, behaviour.delays.training_seconds) == (5, 7)
    behaviour.update({"delays": {"profile": "realistic", "deletion_seconds": 1}})
    assert behaviour.delays == REALISTIC.model_copy(update={"deletion_seconds": 1})
    behaviour.update({"delays": {"profile": "fast"}})
    assert behaviour.delays == FAST
    assert behaviour.rate_limits, "what is not named stays"
    assert [delays["profile"] for delays in heard] == ["fast", "realistic", "fast"]


def test_what_it_tells_can_be_given_back() -> None:
    behaviour = Behaviour({"delays": {"profile": "realistic", "job_seconds": 2}, "rate_limits": True})
    other = Behaviour(behaviour.to_dict())
    assert other.to_dict() == behaviour.to_dict()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"delays": {"sleep": 1}}, "delays.sleep is 1"),
        ({"delays": {"job_seconds": -1}}, "delays.job_seconds is -1"),
        ({"delays": {"job_seconds": "inf"}}, "delays.job_seconds is 'inf'"),
        ({"delays": {"profile": "slow"}}, "delays.profile is 'slow'"),
        ({"rate_limits": "perhaps"}, "rate_limits is 'perhaps'"),
        ({"limits": True}, "limits is True"),
    ],
)
def test_a_change_that_cannot_be_is_named_and_changes_nothing(change: dict[str, Any], named: str) -> None:
    behaviour = Behaviour()
    with pytest.raises(SettingError, match="profiles fast, realistic") as caught:
        behaviour.update({"rate_limits": True, **change})
    assert named in str(caught.value)
    assert behaviour.to_dict() == Behaviour().to_dict()


def test_a_variable_that_cannot_be_is_named() -> None:
    for name, value in (("TRAINING_SECONDS", "soon"), ("DELAYS", "slow"), ("RATE_LIMITS", "perhaps")):
        with pytest.raises(SettingError, match=f"^NIGHTSORT_LOCAL_AWS_{name} is '{value}'"):
            Behaviour.from_environment({f"NIGHTSORT_LOCAL_AWS_{name}": value})
