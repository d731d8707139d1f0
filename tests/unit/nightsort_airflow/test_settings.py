from __future__ import annotations

import pytest

from nightsort_airflow.settings import attempts, poll_seconds


def test_without_the_variable_each_operator_has_its_own_default() -> None:
    assert poll_seconds(30) == 30


@pytest.mark.parametrize(("value", "seconds"), [("1", 1), ("2", 2), (" 5 ", 5), ("0.5", 1), ("2.5", 3)])
def test_the_variable_wins_and_is_at_least_a_second(
    monkeypatch: pytest.MonkeyPatch, value: str, seconds: int
) -> None:
    monkeypatch.setenv("NIGHTSORT_POLL_SECONDS", value)
    assert poll_seconds(30) == seconds


@pytest.mark.parametrize("value", ["0", "-1", "soon", "nan"])
def test_a_value_that_is_no_time_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("NIGHTSORT_POLL_SECONDS", value)
    with pytest.raises(ValueError, match=r"NIGHTSORT_POLL_SECONDS is .*set it to a number of seconds"):
        poll_seconds(30)


@pytest.mark.parametrize("delay", [1, 30, 60, 86_400, 100_000])
def test_one_wait_lasts_a_day_whatever_the_delay(delay: int) -> None:
    assert attempts(delay) * delay >= 24 * 3600
    assert attempts(delay) >= 1
