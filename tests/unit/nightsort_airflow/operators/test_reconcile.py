from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from nightsort_airflow.operators.reconcile import ReconcileRunOperator
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "v0123456789ab"
RUN = {"run_key": "20261118", "version": VERSION}
BATCH = "20261118-00000-0123abcd"
RETRY = f"{BATCH}-r1-89abcdef"


class TaskInstance:
    def __init__(self, xcoms: dict[tuple[str, str], list[Any]]) -> None:
        self._xcoms = xcoms

    def xcom_pull(self, task_ids: list[str], key: str = "return_value") -> list[Any]:
        return [value for task in task_ids for value in self._xcoms.get((task, key), [None])]


def context(xcoms: dict[tuple[str, str], list[Any]]) -> Any:
    return {"ti": TaskInstance(xcoms)}


@pytest.fixture
def operator(tmp_path: Path) -> ReconcileRunOperator:
    return ReconcileRunOperator(
        task_id="reconcile",
        spec=local_spec(tmp_path),
        prepare_task_id="prepare",
        job_task_ids=["job", "job_again"],
        load_task_ids=["load", "load_again"],
        retry_task_id="retries",
    )


def load(version: str = VERSION, *retries: str) -> dict[str, Any]:
    return {
        "batch": BATCH,
        "job": {"job_name": f"tickets-{version}-{BATCH}-g1"},
        "retries": [{"name": name, "job_name": f"tickets-{version}-{name}-g1"} for name in retries],
    }


def test_failed_jobs_are_those_of_all_batches_and_retries(operator: ReconcileRunOperator) -> None:
    first, second = ({"job_id": id_, "job_name": f"night-{id_}-g1"} for id_ in "ab")
    xcoms: dict[tuple[str, str], Any] = {
        ("job", "failed_jobs"): [[first], None],
        ("job_again", "failed_jobs"): [[second]],
    }
    assert operator._failed_jobs(context(xcoms)) == [first, second]
    assert operator._failed_jobs(context({})) == []


def test_the_load_of_a_retry_counts_for_its_batch(operator: ReconcileRunOperator) -> None:
    xcoms: dict[tuple[str, str], Any] = {
        ("load", "return_value"): [load()],
        ("load_again", "return_value"): [load(VERSION, RETRY)],
    }
    (job,) = operator._loaded_batches(context(xcoms), RUN).values()
    assert [retry["name"] for retry in job["retries"]] == [RETRY]


def test_what_a_cleared_task_said_of_an_earlier_version_does_not_count(
    operator: ReconcileRunOperator,
) -> None:
    xcoms: dict[tuple[str, str], Any] = {
        ("load", "return_value"): [load()],
        ("load_again", "return_value"): [load("v999999999999", RETRY)],
    }
    (job,) = operator._loaded_batches(context(xcoms), RUN).values()
    assert "retries" not in job


def test_a_retry_does_not_count_where_its_batch_was_not_loaded_again(operator: ReconcileRunOperator) -> None:
    """The whole run was cleared, and the batch's job failed: the retry still has its earlier XCom."""
    xcoms: dict[tuple[str, str], Any] = {("load_again", "return_value"): [load(VERSION, RETRY)]}
    assert operator._loaded_batches(context(xcoms), RUN) == {}


@pytest.mark.parametrize(("version", "counts"), [(VERSION, True), ("v999999999999", False)])
def test_what_an_endpoint_answered_counts_if_it_was_the_version_of_the_run(
    operator: ReconcileRunOperator, version: str, counts: bool
) -> None:
    answers = operator.spec.layout.run("20261118").answers(BATCH, version)
    job = {"job_name": None, "output_uri": f"{answers}output/output.tar.gz", "source": "endpoint"}
    xcoms: dict[tuple[str, str], Any] = {
        ("load", "return_value"): [{"batch": BATCH, "job": job, "retries": []}]
    }
    assert operator._loaded_batches(context(xcoms), RUN) == ({BATCH: job} if counts else {})
