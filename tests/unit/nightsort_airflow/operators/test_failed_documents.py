from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from nightsort_airflow.operators.failed_documents import PrepareRetriesOperator
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from pathlib import Path

RUN = {"run_key": "20261118", "day": "2026-11-18", "source_uri": None, "version": "v0123456789ab", "arn": "a"}
BATCH = "20261118-00000-0123abcd"
CENTS_PER_UNIT = 0.05


def operator(folder: Path, **changes: Any) -> PrepareRetriesOperator:
    spec = local_spec(folder, **changes)
    return PrepareRetriesOperator(
        task_id="retries", spec=spec, prepare_task_id="prepare", load_task_id="load"
    )


def context(xcoms: dict[tuple[str, str], list[Any]]) -> Any:
    def xcom_pull(task_ids: list[str], key: str) -> list[Any]:
        return [value for task in task_ids for value in xcoms.get((task, key), [])]

    return {"ti": SimpleNamespace(xcom_pull=xcom_pull)}


@pytest.mark.parametrize(
    ("reasons", "again"),
    [({}, True), ({"error:TEXT_SIZE_LIMIT_EXCEEDED": 3}, True), ({"missing_in_output": 3}, False)],
    ids=["nothing failed", "the documents are at fault", "the spec says no"],
)
def test_nothing_is_sent_again_where_no_retry_helps_or_none_is_wanted(
    tmp_path: Path, reasons: dict[str, int], again: bool
) -> None:
    mapped = {"batch": {"name": BATCH, "again": again, "retries": []}}
    load = {"batch": BATCH, "reasons": reasons, "job": {}, "retries": []}
    night = context(
        {
            ("prepare", "run"): [RUN],
            ("prepare", "return_value"): [[mapped]],
            ("load", "return_value"): [load],
        }
    )
    assert operator(tmp_path).execute(night) == []


@pytest.mark.parametrize(("earlier_units", "allowed"), [(0, True), (50, True), (51, False)])
def test_earlier_retries_of_every_batch_count_against_the_budget(
    tmp_path: Path, earlier_units: int, allowed: bool
) -> None:
    of_other_batch = {"retries": [{"units": earlier_units}]}
    prepared: list[dict[str, Any]] = [{"retry": {"units": 50}}]
    night = context({("prepare", "prepared"): [{"units": 900}]})
    budget = {"run_usd": 1_000 * CENTS_PER_UNIT / 100}
    limited = operator(tmp_path, budget=budget)
    assert limited._within_budget(night, [of_other_batch, {"retries": []}], prepared) is allowed


@pytest.mark.parametrize(
    ("approval", "allowed"),
    [({"asked": False}, False), ({"approved_usd": 1_000 * CENTS_PER_UNIT / 100}, True), (None, False)],
)
def test_what_a_person_approved_covers_what_is_sent_again(
    tmp_path: Path, approval: dict[str, Any] | None, allowed: bool
) -> None:
    night = context({("prepare", "prepared"): [{"units": 950}], ("approve", "return_value"): [approval]})
    limited = operator(tmp_path, budget={"run_usd": 0.01, "when_over": "ask"})
    limited.approve_task_id = "approve"
    assert limited._within_budget(night, [], [{"retry": {"units": 50}}]) is allowed


def test_without_a_budget_every_retry_is_allowed(tmp_path: Path) -> None:
    unlimited = operator(tmp_path, budget={"run_usd": None})
    assert unlimited._within_budget(context({}), [], [{"retry": {"units": 10**9}}])
