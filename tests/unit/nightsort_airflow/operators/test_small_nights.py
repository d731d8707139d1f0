"""What is counted and what is billed; with an endpoint: tests/integration/test_small_nights.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nightsort.batches.plan import Batch
from nightsort.batches.prepare import PreparedBatches
from nightsort.classifier_spec.batch import BatchLimits
from nightsort.real_time.small_nights import Choice
from nightsort_airflow.earlier_work import EarlierWork
from nightsort_airflow.operators.small_nights import Sending, sending, way_of_run
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from pathlib import Path

A, B, C = (f"20261118-0000{number}-0123abcd" for number in range(3))
MODEL = "arn:aws:comprehend:us-east-1:1:document-classifier/tickets/version/v1"


def prepared(**lines: int) -> PreparedBatches:
    batches = tuple(
        Batch({"a": A, "b": B, "c": C}[name], "in", "manifest", number, number, 1, 3 * number, "0123abcd")
        for name, number in lines.items()
    )
    sent = sum(lines.values())
    return PreparedBatches("20261118", batches, sent, sent, 0, {}, "rejects", 3 * sent)


def night(folder: Path, batches: PreparedBatches, below: int | None, **earlier: Any) -> Sending:
    spec = local_spec(folder).model_copy(update={"batch": BatchLimits(endpoint_below=below)})
    work = EarlierWork(spec, "20261118", "v1")
    work.started, work.answered = earlier.get("started", set()), earlier.get("answered", {})
    return sending(spec, MODEL, batches, work)


def test_without_the_key_nothing_is_chosen(tmp_path: Path) -> None:
    ways = night(tmp_path, prepared(a=4), None)
    assert (ways.chosen, ways.way, ways.through_endpoint) == (None, None, frozenset())
    assert ways.forecast == ways.as_jobs
    assert str(ways) == str(ways.forecast)


def test_a_large_night_is_sent_as_jobs_and_nobody_looks_at_an_endpoint(tmp_path: Path) -> None:
    ways = night(tmp_path, prepared(a=4, b=2), 6)
    assert ways.way == {"way": "job", "way_why": "6 texts to send, not fewer than batch.endpoint_below (6)"}
    assert ways.forecast.units == 18
    assert str(ways).endswith("Sent as jobs: 6 texts to send, not fewer than batch.endpoint_below (6).")


def test_where_all_was_sent_nothing_is_chosen_and_answers_cost_nothing(tmp_path: Path) -> None:
    ways = night(tmp_path, prepared(a=4, b=2), 6, started={A, B}, answered={B: True})
    assert ways.chosen is None
    assert ways.through_endpoint == {B}
    assert (ways.forecast.units, ways.forecast.costs_more) == (12, False)


def test_a_batch_that_is_answered_in_part_counts_and_may_cost(tmp_path: Path) -> None:
    ways = night(tmp_path, prepared(a=4, b=2, c=5), 7, started={A, B}, answered={B: False})
    assert ways.chosen == Choice("job", "7 texts to send, not fewer than batch.endpoint_below (7)")
    assert ways.through_endpoint == {B}
    assert (ways.forecast.units, ways.forecast.paid_usd) == (33, 0.006)


def test_the_text_says_what_a_job_would_cost(tmp_path: Path) -> None:
    all_of_it, nothing = (night(tmp_path, prepared(a=lines), None).forecast for lines in (100, 0))
    ways = Sending(Choice("endpoint", "few"), nothing, all_of_it, frozenset({A}))
    assert str(ways) == "Sent through the endpoint, for 0.00 USD instead of 0.15 USD: few."


@pytest.mark.parametrize(
    ("way", "loaded", "expected"),
    [
        (None, {}, None),
        ("job", {A: {}}, "job"),
        ("endpoint", {A: {"source": "endpoint"}, B: {}}, "endpoint"),
        ("endpoint", {A: {}, B: {}}, "job"),
    ],
)
def test_the_row_follows_the_batches_that_were_to_go_through_the_endpoint(
    way: str | None, loaded: dict[str, Any], expected: str | None
) -> None:
    run = {"way": way, "way_why": "few"} if way else {}
    mapped: list[dict[str, Any]] = [
        {"batch": {"name": A}, "job": {"endpoint": {}}},
        {"batch": {"name": B}, "job": {}},
    ]
    became = way_of_run(run, mapped, loaded, [])
    assert (became and became["way"]) == expected


@pytest.mark.parametrize(
    ("way", "budget", "expected"),
    [
        ("endpoint", None, None),
        # All of it would cost 0.021 USD as jobs, and the other batch 0.006 USD of that.
        ("endpoint", 0.03, 0.024),
        ("endpoint", 0.02, 0.014),
        ("endpoint", 0.001, -0.005),
        # The budget has allowed it, or a person will be asked.
        ("job", 0.001, None),
    ],
)
def test_what_a_job_may_cost_for_texts_without_an_answer(
    tmp_path: Path, way: str, budget: float | None, expected: float | None
) -> None:
    batches = prepared(a=10, b=4)
    as_jobs = night(tmp_path, batches, None).forecast
    ways = Sending(Choice(way, "few"), as_jobs, as_jobs, frozenset({A, B}))
    assert ways._job_usd(budget, batches.batches[0]) == expected
