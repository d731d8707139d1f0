"""The lives of the resources are closed: every state of the service model, and no other."""

from __future__ import annotations

import pytest

from nightsort_local.local_aws.comprehend.request_validation import service_model
from nightsort_local.local_aws.comprehend.states import (
    CLASSIFIER,
    ENDPOINT,
    JOB,
    IllegalTransitionError,
    StateMachine,
)


@pytest.mark.parametrize(
    ("life", "shape"), [(CLASSIFIER, "ModelStatus"), (JOB, "JobStatus"), (ENDPOINT, "EndpointStatus")]
)
def test_the_states_are_those_of_the_service_model(life: StateMachine, shape: str) -> None:
    assert set(life.transitions) == set(service_model().shape_for(shape).metadata["enum"])
    assert set().union(*life.transitions.values()) <= set(life.transitions)
    assert life.active <= set(life.transitions)


@pytest.mark.parametrize("life", [CLASSIFIER, JOB, ENDPOINT])
def test_what_is_not_active_is_never_active_again(life: StateMachine) -> None:
    for state, following in life.transitions.items():
        if state not in life.active:
            assert not following & life.active


def test_a_step_that_the_life_does_not_have_is_refused() -> None:
    CLASSIFIER.check("TRAINING", "TRAINED")
    with pytest.raises(IllegalTransitionError, match="from TRAINED to TRAINING"):
        CLASSIFIER.check("TRAINED", "TRAINING")
