from __future__ import annotations

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from nightsort_airflow import exceptions

FAILURES = {
    name: member
    for name, member in vars(exceptions).items()
    if isinstance(member, type) and issubclass(member, AirflowException)
}


def test_each_failure_either_ends_the_task_or_is_tried_again() -> None:
    """Airflow tries again after every exception that is not its AirflowFailException."""
    assert all(
        issubclass(member, (AirflowFailException, exceptions.TriedAgainError))
        for member in FAILURES.values()
        if member is not AirflowException
    )
    permanent = {name for name, member in FAILURES.items() if issubclass(member, AirflowFailException)}
    assert {"TrainingFailedError", "JobFailedForGoodError", "BadInputError"} <= permanent
    assert {"TrainingUnfinishedError", "JobFailedError", "QuotaFullError"} <= FAILURES.keys() - permanent


def test_broken_specs_are_all_named_in_one_error() -> None:
    error = exceptions.BrokenSpecsError([ValueError("a.yaml: mode"), ValueError("b.yaml: name")])
    assert "2 classifier spec" in str(error)
    assert str(error).endswith("a.yaml: mode\nb.yaml: name")
