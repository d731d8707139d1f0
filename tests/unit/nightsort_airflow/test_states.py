from __future__ import annotations

import pytest

from nightsort_airflow.states import JOB_FAILED, JOB_RUNNING, EndpointStatus, JobStatus, ModelStatus, Phase


def test_a_training_that_is_being_stopped_is_not_over_yet() -> None:
    """It may still come out TRAINED, if it was done before the stop took hold."""
    assert ModelStatus.STOP_REQUESTED.phase is Phase.RUNNING
    assert JobStatus.STOP_REQUESTED.phase is Phase.RUNNING


@pytest.mark.parametrize("state", [*ModelStatus, *JobStatus, *EndpointStatus])
def test_each_state_has_a_phase_and_reads_as_aws_writes_it(
    state: ModelStatus | JobStatus | EndpointStatus,
) -> None:
    assert isinstance(state.phase, Phase)
    assert f"{state}" == str(state) == state.value


def test_the_states_of_a_phase_compare_with_what_aws_answers() -> None:
    assert "IN_PROGRESS" in JOB_RUNNING
    assert "STOPPED" in JOB_FAILED
    assert "COMPLETED" not in (*JOB_RUNNING, *JOB_FAILED)


def test_during_an_update_the_endpoint_answers() -> None:
    assert {state for state in EndpointStatus if state.answers} == {"IN_SERVICE", "UPDATING"}
