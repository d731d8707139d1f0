from __future__ import annotations

from nightsort_airflow import states


def test_a_training_that_is_being_stopped_is_not_over_yet() -> None:
    """It may still come out TRAINED, if it was done before the stop took hold."""
    assert "STOP_REQUESTED" in states.MODEL_TRAINING
    assert "STOP_REQUESTED" in states.JOB_ACTIVE


def test_no_state_means_two_things() -> None:
    for sets in (
        (states.MODEL_TRAINING, states.MODEL_TRAINED, states.MODEL_FAILED),
        (states.JOB_ACTIVE, states.JOB_COMPLETED, states.JOB_FAILED),
    ):
        members = [state for members in sets for state in members]
        assert len(members) == len(set(members))
